//! Sums over an [`Inventory`]: per peer, process, state or listening socket.
//!
//! The order is fixed: what has most connections first, then by key.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::{Inventory, Listed};
use crate::model::{
    connection::{Direction, Peer, PeerKey, Phase, Phases, ProcessId},
    listener::ListeningSocket,
    name::Comm,
    snapshot::{Descriptors, ListenerId},
    view::{Age, Ages},
};

/// What is known of the connections that belong together.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// How many, by phase.
    pub counts: Counts,
    /// Their ages, which are lower bounds; `None` if there are none.
    pub ages: Option<Ages>,
    /// Idle times, the shortest and the longest; `None` if nobody holds any.
    pub idle: Option<(Duration, Duration)>,
    /// Their network namespaces.
    pub namespaces: BTreeSet<u32>,
    /// Who holds them, with how many, most first. What several processes hold is counted for each.
    pub holders: Vec<(NamedProcess, u32)>,
}

/// A process and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedProcess {
    /// Which.
    pub id: ProcessId,
    /// Its name.
    pub comm: Comm,
}

/// Connections by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts under way.
    pub connecting: u32,
    /// Not accepted.
    pub unaccepted: u32,
    /// Of these, given up by the client.
    pub given_up: u32,
    /// Held.
    pub held: Phases,
}

impl Counts {
    /// Counts one connection.
    pub fn add(&mut self, phase: Phase) {
        match phase {
            Phase::Connecting => self.connecting += 1,
            Phase::Unaccepted { given_up } => {
                self.unaccepted += 1;
                self.given_up += u32::from(given_up);
            }
            phase => self.held.add(phase),
        }
    }

    /// Each phase with its count.
    pub fn each(&self) -> [(Phase, u32); 6] {
        [
            (Phase::Open, self.held.open),
            (Phase::HalfClosedRemote, self.held.half_closed_remote),
            (Phase::HalfClosedLocal, self.held.half_closed_local),
            (Phase::DeadHeld, self.held.dead_held),
            (Phase::Unaccepted { given_up: false }, self.unaccepted),
            (Phase::Connecting, self.connecting),
        ]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.each().into_iter().map(|(_, count)| u64::from(count)).sum()
    }
}

impl Inventory {
    /// The sum over everything.
    pub fn total(&self) -> Counts {
        let mut counts = Counts::default();
        for listed in &self.connections {
            counts.add(listed.phase);
        }
        counts
    }

    /// Per peer, as the host sees it.
    pub fn by_peer(&self) -> Vec<(PeerKey, Group)> {
        self.gathered(|listed, put| {
            put(PeerKey {
                direction: listed.direction,
                peer: Peer::Address(listed.peer.ip()),
                service_port: listed.service_port(),
            });
        })
    }

    /// Per process, with its descriptor table if that was read. What several processes hold is counted for each.
    pub fn by_process(&self) -> Vec<(NamedProcess, Option<Descriptors>, Group)> {
        let mut names = HashMap::new();
        let groups = self.gathered(|listed, put| {
            for (process, comm) in listed.processes() {
                names.insert(process, comm);
                put(process);
            }
        });
        let name = |id: ProcessId| names.get(&id).copied().unwrap_or_default();
        groups
            .into_iter()
            .map(|(id, group)| {
                let comm = name(id);
                (
                    NamedProcess { id, comm },
                    self.descriptors.get(&id).copied(),
                    group,
                )
            })
            .collect()
    }

    /// Per phase.
    pub fn by_state(&self) -> Vec<(Phase, Group)> {
        let order = Counts::default().each().map(|(phase, _)| phase);
        let groups = self.gathered(|listed, put| {
            let phase = match listed.phase {
                Phase::Unaccepted { .. } => Phase::Unaccepted { given_up: false },
                phase => phase,
            };
            put(order.iter().position(|known| *known == phase));
        });
        groups
            .into_iter()
            .filter_map(|(place, group)| Some((*order.get(place?)?, group)))
            .collect()
    }

    /// Per listening socket, those without connections included; under `None` unaccepted connections whose listening
    /// socket was not read. Outbound ones belong to none.
    pub fn by_listener(&self) -> Vec<(Option<&ListeningSocket>, Group)> {
        let places: HashMap<ListenerId, usize> = (0..)
            .zip(&self.listeners)
            .map(|(at, socket)| (socket.id, at))
            .collect();
        let nowhere = self.listeners.len();
        let mut groups: BTreeMap<usize, Group> = self
            .gathered(|listed, put| {
                if listed.direction == Direction::Inbound {
                    let place = listed.listener.and_then(|id| places.get(&id));
                    put(place.copied().unwrap_or(nowhere));
                }
            })
            .into_iter()
            .collect();
        for place in 0..nowhere {
            groups.entry(place).or_default();
        }
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|(place, group)| (self.listeners.get(place), group))
            .collect();
        groups.sort_by_key(|(_, group)| Reverse(group.counts.total()));
        groups
    }

    /// Puts each connection under the keys that `keys` gives it.
    fn gathered<K: Ord>(&self, mut keys: impl FnMut(&Listed, &mut dyn FnMut(K))) -> Vec<(K, Group)> {
        let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
        for listed in &self.connections {
            keys(listed, &mut |key| sums.entry(key).or_default().add(listed));
        }
        let mut groups: Vec<(K, Group)> = sums.into_iter().map(|(key, sum)| (key, sum.group())).collect();
        // Stable: the keys stay in order where counts are equal.
        groups.sort_by_key(|(_, group)| Reverse(group.counts.total()));
        groups
    }
}

/// A group while it grows.
#[derive(Default)]
struct Sum {
    group: Group,
    ages: Vec<Age>,
    holders: BTreeMap<ProcessId, (Comm, u32)>,
}

impl Sum {
    fn add(&mut self, listed: &Listed) {
        let Group {
            counts,
            idle,
            namespaces,
            ..
        } = &mut self.group;
        counts.add(listed.phase);
        namespaces.insert(listed.netns);
        if let Some(traffic) = listed.traffic {
            let (least, most) = idle.get_or_insert((traffic.idle, traffic.idle));
            (*least, *most) = (traffic.idle.min(*least), traffic.idle.max(*most));
        }
        self.ages.push(Age {
            span: listed.age_at_least,
            at_least: true,
        });
        for (process, comm) in listed.processes() {
            self.holders.entry(process).or_insert((comm, 0)).1 += 1;
        }
    }

    fn group(self) -> Group {
        let mut holders: Vec<(NamedProcess, u32)> = self
            .holders
            .into_iter()
            .map(|(id, (comm, count))| (NamedProcess { id, comm }, count))
            .collect();
        holders.sort_by_key(|(_, count)| Reverse(*count));
        Group {
            ages: Ages::of(self.ages),
            holders,
            ..self.group
        }
    }
}
