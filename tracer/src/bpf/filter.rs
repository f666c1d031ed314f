//! What the kernel programs are to watch.

use std::{fmt, net::IpAddr, ops::RangeInclusive};

use ipnet::IpNet;
use tracer_common::{event::COMM_LEN, socket::v4_mapped};

use crate::model::{
    connection::{Direction, ProcessId},
    event::Opening,
    name::Comm,
};

/// Which connections to watch; the kinds of filter combine with "and", the values of one kind with "or". Decided
/// in the kernel when a connection opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Service ports; empty for all.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Process ids; empty for all.
    pub pids: Vec<u32>,
    /// Process names; empty for all.
    pub comms: Vec<String>,
    /// Peers; empty for all.
    pub peers: Vec<IpNet>,
    /// Direction; `None` for both.
    pub direction: Option<Direction>,
}

impl fmt::Display for Filter {
    /// What is watched, for people: `port 9090, outbound`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.ports.iter().map(|ports| match (ports.start(), ports.end()) {
            (low, high) if low == high => format!("port {low}"),
            (low, high) => format!("ports {low}-{high}"),
        });
        let pids = self.pids.iter().map(|pid| format!("process {pid}"));
        let comms = self
            .comms
            .iter()
            .map(|comm| format!("processes named {}", comm.escape_debug()));
        let peers = self.peers.iter().map(|peer| format!("peer {peer}"));
        let direction = self.direction.map(|direction| format!("{direction} only"));
        let parts: Vec<String> = ports
            .chain(pids)
            .chain(comms)
            .chain(peers)
            .chain(direction)
            .collect();
        if parts.is_empty() {
            f.write_str("all connections")
        } else {
            f.write_str(&parts.join(", "))
        }
    }
}

/// Words of the port bitmap: 65,536 ports, 64 to a word.
pub const PORT_WORDS: usize = 1024;

impl Filter {
    /// Whether a connection is watched; for those that opened unseen, of which the kernel side does not know all.
    pub fn admits(&self, opening: &Opening) -> bool {
        self.means_service(opening.direction, opening.service_port())
            && self.means_process(opening.process, opening.comm)
            && self.means_peer(opening.peer.ip())
    }

    /// Whether connections of this direction and service port are meant.
    pub fn means_service(&self, direction: Direction, port: u16) -> bool {
        self.direction.is_none_or(|wanted| wanted == direction)
            && (self.ports.is_empty() || self.ports.iter().any(|ports| ports.contains(&port)))
    }

    /// Whether this process is meant.
    pub fn means_process(&self, process: ProcessId, comm: Comm) -> bool {
        let mut names = self.comm_keys().map(Comm::new);
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.comms.is_empty() || names.any(|name| name.bytes() == comm.bytes()))
    }

    /// Whether this peer is meant. Prefixes of IPv6 take IPv4 addresses in their mapped form, as in the kernel programs.
    pub fn means_peer(&self, address: IpAddr) -> bool {
        let contains = |net: &IpNet| match (net, address) {
            (IpNet::V6(net), IpAddr::V4(address)) => net.contains(&address.to_ipv6_mapped()),
            (net, address) => net.contains(&address),
        };
        self.peers.is_empty() || self.peers.iter().any(contains)
    }

    /// The port bitmap as the kernel programs read it.
    pub fn port_words(&self) -> Vec<u64> {
        let mut words = vec![0_u64; PORT_WORDS];
        for port in self.ports.iter().cloned().flatten() {
            if let Some(word) = words.get_mut(usize::from(port >> 6)) {
                *word |= 1 << (port & 63);
            }
        }
        words
    }

    /// Process names as the kernel keeps them: cut to 15 bytes, NUL-padded.
    pub fn comm_keys(&self) -> impl Iterator<Item = [u8; COMM_LEN]> {
        self.comms.iter().map(|name| {
            let mut key = [0; COMM_LEN];
            for (to, from) in key.iter_mut().zip(name.bytes().take(COMM_LEN - 1)) {
                *to = from;
            }
            key
        })
    }

    /// Peer prefixes in IPv6 form: prefix length and address.
    pub fn peer_prefixes(&self) -> impl Iterator<Item = (u32, [u8; 16])> {
        self.peers.iter().map(|net| match net.network() {
            IpAddr::V4(address) => (u32::from(net.prefix_len()) + 96, v4_mapped(address.octets())),
            IpAddr::V6(address) => (u32::from(net.prefix_len()), address.octets()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_sets_its_bit_and_no_other() {
        let filter = Filter {
            ports: vec![9090..=9090, 0..=1, 65535..=65535],
            ..Filter::default()
        };
        let words = filter.port_words();
        let set: Vec<usize> = (0..65536)
            .filter(|port| words[port / 64] >> (port % 64) & 1 == 1)
            .collect();
        assert_eq!(set, [0, 1, 9090, 65535]);
    }

    #[test]
    fn a_filter_says_what_is_watched() {
        assert_eq!(Filter::default().to_string(), "all connections");
        let filter = Filter {
            ports: vec![9090..=9090, 8000..=8100],
            comms: vec!["a\u{1b}b".into()],
            direction: Some(Direction::Outbound),
            ..Filter::default()
        };
        let said = "port 9090, ports 8000-8100, processes named a\\u{1b}b, outbound only";
        assert_eq!(filter.to_string(), said);
    }

    #[test]
    fn a_long_name_is_cut_like_the_kernel_cuts_it() {
        let filter = Filter {
            comms: vec!["a-very-long-program-name".into()],
            ..Filter::default()
        };
        assert_eq!(filter.comm_keys().next(), Some(*b"a-very-long-pro\0"));
    }

    #[test]
    fn an_ipv4_prefix_counts_from_the_mapped_form() {
        let filter = Filter {
            peers: vec!["10.1.2.3/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
            ..Filter::default()
        };
        let prefixes: Vec<_> = filter.peer_prefixes().collect();
        assert_eq!(prefixes[0], (104, v4_mapped([10, 0, 0, 0])));
        assert_eq!(prefixes[1].0, 8);
    }
}
