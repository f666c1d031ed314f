//! A process that nears its descriptor limit.

use schemars::JsonSchema;
use serde::Serialize;

use super::{AlertStatus, Confidence, Descriptors, HeldGroup, Process, Resolution};

/// A process that nears its descriptor limit, whatever the reason.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Limit {
    /// Identity of the finding, the same in all its lines.
    pub id: String,
    /// Why it is told now.
    pub status: AlertStatus,
    /// The process.
    pub process: Process,
    /// Its descriptors.
    pub descriptors: Descriptors,
    /// The most in use since the finding opened.
    pub peak: u32,
    /// Where most of the connections lead that the process holds, the most first.
    pub held: Vec<HeldGroup>,
    /// Since when it is so full, RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Why it is resolved; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// What the finding is worth.
    pub confidence: Confidence,
    /// What it means.
    pub meaning: String,
    /// What to do next.
    pub advice: String,
}
