//! Kinds of lines that tracer writes, and nobody else has to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer};

use crate::{
    model::{
        connection::{ConnectionId, ProcessId},
        time::Time,
    },
    recording::scalar::{self, Number},
};

/// What a header says of the run that it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Origin {
    /// The same in all files of one run.
    #[serde(default, deserialize_with = "scalar::number")]
    pub run: Option<u64>,
    /// Lines take effect in the order of the file, and the rules look at each `tick` and at no other time.
    #[serde(default)]
    pub ordered: bool,
    /// What is seen late, or not at all; hostile until an output escapes it.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// The tracer's own network namespace.
    #[serde(default, deserialize_with = "scalar::count")]
    pub netns: Option<u32>,
    /// Number of ephemeral ports.
    #[serde(default, deserialize_with = "scalar::count")]
    pub ports: Option<u32>,
}

/// What others mean by that name is not known here.
pub(super) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(Origin::deserialize(value).unwrap_or_default())
}

/// A listening socket, as the next `reconciled` finds it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Listener {
    /// When it was read.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// It was read that much earlier.
    #[serde(default, deserialize_with = "scalar::lateness")]
    pub late: Duration,
    /// Its inode number.
    #[serde(deserialize_with = "scalar::bytes")]
    pub socket: u64,
    /// Where it listens.
    #[serde(deserialize_with = "scalar::address")]
    pub local: SocketAddr,
    /// Inode number of the network namespace; 0 if unknown.
    #[serde(default, deserialize_with = "scalar::netns")]
    pub netns: u32,
    /// Who holds it.
    #[serde(rename = "pids", deserialize_with = "scalar::processes")]
    pub holders: Vec<ProcessId>,
    /// How many of these, from the first, hold connections of this port.
    #[serde(default, deserialize_with = "scalar::count")]
    pub acceptors: Option<u32>,
    /// Connections that wait.
    #[serde(default, deserialize_with = "scalar::count")]
    pub queued: Option<u32>,
    /// How many may; `None` if unknown.
    #[serde(default, deserialize_with = "scalar::count")]
    pub limit: Option<u32>,
    /// The head of the queue.
    #[serde(default)]
    pub waiting: Vec<InQueue>,
}

/// A connection in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct InQueue {
    /// Which.
    #[serde(deserialize_with = "scalar::id")]
    pub id: ConnectionId,
    /// The other end.
    #[serde(deserialize_with = "scalar::address")]
    pub peer: SocketAddr,
    /// Since when it waits.
    #[serde(deserialize_with = "scalar::time")]
    pub since: Time,
    /// How long it had waited when it was read.
    #[serde(deserialize_with = "scalar::lateness")]
    pub waited: Duration,
    /// Its client has gone.
    #[serde(default)]
    pub given_up: bool,
}

/// What was counted on the way from the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Books {
    /// When.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// The counts that changed, by name.
    pub counts: HashMap<String, Number>,
}

/// The wall clock was set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Clock {
    /// When.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// What it shows then.
    #[serde(deserialize_with = "scalar::wall")]
    pub wall: SystemTime,
}

/// Something is seen late, or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Degraded {
    /// Since when.
    #[serde(deserialize_with = "scalar::time")]
    pub ts: Time,
    /// What; hostile until an output escapes it.
    pub what: String,
}
