//! The scalars of a recording: numbers that never go through a float, ids, addresses, names.
//!
//! Whoever wrote a recording may have had reasons to write 64-bit numbers as strings, so both are read.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Unexpected, Visitor},
};

use crate::model::{
    connection::{ConnectionId, Direction, ProcessId},
    name::Comm,
    time::Time,
};

/// An unsigned number, written as an integer or as a string of decimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number(pub u64);

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from 0 to 18446744073709551615, or such digits as a string")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        digits(text)
            .map(Number)
            .ok_or_else(|| E::invalid_value(Unexpected::Str(excerpt(text)), &self))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// Digits and nothing else: `str::parse` takes a sign, too.
fn digits(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// So much of a hostile string as fits a message.
fn excerpt(text: &str) -> &str {
    const LENGTH: usize = 40;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

/// A moment.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    Number::deserialize(deserializer).map(|number| Time(number.0))
}

/// A number, if there is one: `null` counts as none.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<Number>::deserialize(deserializer)?.map(|number| number.0))
}

/// A moment, if there is one.
pub(super) fn maybe_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    Ok(number(deserializer)?.map(Time))
}

/// Nanoseconds, if there are any.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(number(deserializer)?.map(Duration::from_nanos))
}

/// Nanoseconds, none if nothing is said.
pub(super) fn lateness<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Ok(span(deserializer)?.unwrap_or_default())
}

/// A wall-clock time, RFC 3339.
pub(super) fn wall<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    super::wall::parse(&text)
        .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(excerpt(&text)), &"an RFC 3339 time"))
}

/// A number that must be there.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Number::deserialize(deserializer).map(|number| number.0)
}

/// The version of the format: another one may mean anything.
pub(super) fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let Number(version) = Number::deserialize(deserializer)?;
    if version == super::line::VERSION {
        return Ok(version);
    }
    let known = super::line::VERSION;
    Err(D::Error::custom(format_args!(
        "this is version {version} of the format, and version {known} is known here"
    )))
}

/// A count, at most so many as fit.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(number(deserializer)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

/// A limit, `null` or `unlimited` if there is none.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct LimitVisitor;

    impl Visitor<'_> for LimitVisitor {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a limit, or \"unlimited\"")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Option<u64>, E> {
            // RLIM_INFINITY, include/uapi/asm-generic/resource.h.
            Ok((number != u64::MAX).then_some(number))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<u64>, E> {
            match digits(text) {
                Some(number) => self.visit_u64(number),
                None if text == "unlimited" || text == "infinity" => Ok(None),
                None => Err(E::invalid_value(Unexpected::Str(excerpt(text)), &self)),
            }
        }

        fn visit_unit<E: Error>(self) -> Result<Option<u64>, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(LimitVisitor)
}

/// A process id.
pub(super) fn pid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let Number(number) = Number::deserialize(deserializer)?;
    pid_of(number)
}

fn pid_of<E: Error>(number: u64) -> Result<u32, E> {
    u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &"a process id"))
}

/// A process id, if there is one.
pub(super) fn maybe_pid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    number(deserializer)?.map(pid_of).transpose()
}

/// The inode number of a network namespace, which may also look as it does in `/proc/PID/ns`: `net:[4026531840]`.
pub(super) fn netns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct NetnsVisitor;

    impl Visitor<'_> for NetnsVisitor {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the inode number of a network namespace")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u32, E> {
            u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u32, E> {
            let inner = text.strip_prefix("net:[").and_then(|rest| rest.strip_suffix(']'));
            digits(inner.unwrap_or(text))
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| E::invalid_value(Unexpected::Str(excerpt(text)), &self))
        }

        fn visit_unit<E: Error>(self) -> Result<u32, E> {
            Ok(0)
        }
    }

    deserializer.deserialize_any(NetnsVisitor)
}

/// The id of a connection: any string. Of one that is a number, the number.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConnectionId, D::Error> {
    struct IdVisitor;

    impl Visitor<'_> for IdVisitor {
        type Value = ConnectionId;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the id of a connection, a string")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<ConnectionId, E> {
            Ok(ConnectionId(number))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<ConnectionId, E> {
            // `007` and `7` are two ids.
            let is_canonical = !text.starts_with('0') || text == "0";
            let number = digits(text).filter(|_| is_canonical);
            Ok(ConnectionId(number.unwrap_or_else(|| hash(text.as_bytes()))))
        }
    }

    deserializer.deserialize_any(IdVisitor)
}

/// The id of a connection, if there is one.
pub(super) fn maybe_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ConnectionId>, D::Error> {
    #[derive(Deserialize)]
    struct Id(#[serde(deserialize_with = "id")] ConnectionId);

    Ok(Option::<Id>::deserialize(deserializer)?.map(|id| id.0))
}

/// FNV-1a, 64 bits. Two ids of one recording that meet here would be taken for one; whoever arranges that spoils their
/// own recording only.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `10.1.2.3:80` or `[fd00::1]:80`; an IPv4 address in IPv6 form is the IPv4 address.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    struct AddressVisitor;

    impl Visitor<'_> for AddressVisitor {
        type Value = SocketAddr;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address and a port, like \"10.1.2.3:80\" or \"[fd00::1]:80\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
            text.parse::<SocketAddr>()
                // What stands behind a `%` belongs to a link, and peers are addresses.
                .map(|address| SocketAddr::new(canonical(address.ip()), address.port()))
                .map_err(|_| E::invalid_value(Unexpected::Str(excerpt(text)), &self))
        }
    }

    deserializer.deserialize_str(AddressVisitor)
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Who connected.
pub(super) fn direction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Direction, D::Error> {
    struct DirectionVisitor;

    impl Visitor<'_> for DirectionVisitor {
        type Value = Direction;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"outbound\" or \"inbound\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Direction, E> {
            match text {
                "outbound" => Ok(Direction::Outbound),
                "inbound" => Ok(Direction::Inbound),
                _ => Err(E::invalid_value(Unexpected::Str(excerpt(text)), &self)),
            }
        }
    }

    deserializer.deserialize_str(DirectionVisitor)
}

/// The name of a process, cut to what the kernel keeps.
pub(super) fn comm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Comm, D::Error> {
    struct CommVisitor;

    impl Visitor<'_> for CommVisitor {
        type Value = Comm;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a process")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Comm, E> {
            Ok(Comm::from(text))
        }
    }

    deserializer.deserialize_str(CommVisitor)
}

/// A string, or several: arguments, separated by NUL.
pub(super) fn args<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct ArgsVisitor;

    impl<'de> Visitor<'de> for ArgsVisitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a command line, as a string or as an array of strings")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
            Ok(text.as_bytes().to_vec())
        }

        fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut args: A) -> Result<Vec<u8>, A::Error> {
            let mut joined = Vec::new();
            let mut is_first = true;
            while let Some(arg) = args.next_element::<String>()? {
                if !is_first {
                    joined.push(0);
                }
                is_first = false;
                joined.extend_from_slice(arg.as_bytes());
            }
            Ok(joined)
        }
    }

    deserializer.deserialize_any(ArgsVisitor)
}

/// How an attempt failed: a number, or a name like `ECONNREFUSED`. What is not known here is 0.
pub(super) fn errno<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    struct ErrnoVisitor;

    impl Visitor<'_> for ErrnoVisitor {
        type Value = u16;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an errno or its name")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u16, E> {
            u16::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u16, E> {
            let number = digits(text).and_then(|number| u16::try_from(number).ok());
            Ok(number.or_else(|| crate::output::errno::number(text)).unwrap_or(0))
        }
    }

    deserializer.deserialize_any(ErrnoVisitor)
}

/// Processes, each as `[pid, start]`.
pub(super) fn processes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ProcessId>, D::Error> {
    let pairs = Vec::<(Number, Number)>::deserialize(deserializer)?;
    pairs
        .into_iter()
        .map(|(pid, start)| {
            Ok(ProcessId {
                pid: pid_of(pid.0)?,
                start: Time(start.0),
            })
        })
        .collect()
}
