//! Parsers of single values. Each error is the end of a sentence that clap begins.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use ipnet::IpNet;

use crate::leak::thresholds::{Sensitivity, Thresholds};

/// A port or a range of ports.
///
/// # Errors
/// What is wrong with it.
pub fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (port(low)?, port(high)?);
    if low > high {
        return Err(format!(
            "the range ends before it begins; did you mean {high}-{low}?"
        ));
    }
    Ok(low..=high)
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(0) | Err(_) => Err(format!("a port is a number from 1 to 65535, not '{text}'")),
        Ok(port) => Ok(port),
    }
}

/// A process id.
///
/// # Errors
/// What is wrong with it.
pub fn pid(text: &str) -> Result<u32, String> {
    // PID_MAX_LIMIT, include/linux/threads.h.
    match text.parse::<u32>() {
        Ok(pid @ 1..=4_194_304) => Ok(pid),
        _ => Err("a process id is a number from 1 to 4194304".to_owned()),
    }
}

/// A process name.
///
/// # Errors
/// What is wrong with it.
pub fn comm(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a process name has at least one character".to_owned());
    }
    Ok(text.to_owned())
}

/// An address or a prefix.
///
/// # Errors
/// What is wrong with it.
pub fn peer(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    text.parse::<IpNet>().map_err(|_| {
        "a peer is an address like 10.1.2.3 or a prefix like 10.0.0.0/8 (up to /32) or fd00::/8 (up to /128)".to_owned()
    })
}

/// A share from 0 to 1.
///
/// # Errors
/// What is wrong with it.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1, like 0.2".to_owned()),
    }
}

/// A time like `90s` or `1h 30m`, more than zero.
///
/// # Errors
/// What is wrong with it.
pub fn span(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("the time must be more than zero".to_owned()),
        Ok(span) if span > MAX_SPAN => Err("the time must be at most ten years".to_owned()),
        Ok(span) => Ok(span),
        Err(_) => Err("a time is a number with a unit, like 500ms, 30s, 10m or 2h".to_owned()),
    }
}

/// A factor like `10` or `0.5`.
///
/// # Errors
/// What is wrong with it.
pub fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.001..=1e6).contains(&factor) => Ok(factor),
        _ => Err("a factor is a number from 0.001 to 1000000".to_owned()),
    }
}

/// Longer than anybody waits, short enough that adding it to the clock cannot overflow.
const MAX_SPAN: Duration = Duration::from_hours(10 * 366 * 24);

/// A threshold, `NAME=VALUE`.
///
/// # Errors
/// What is wrong with it.
pub fn threshold(text: &str) -> Result<String, String> {
    Thresholds::new(Sensitivity::Normal).set(text)?;
    Ok(text.to_owned())
}

/// A count, more than zero.
///
/// # Errors
/// What is wrong with it.
pub fn count(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(count @ 1..=16_777_216) => Ok(count),
        _ => Err("a count is a number from 1 to 16777216".to_owned()),
    }
}

/// A size of the ring buffer: a power of two, 64 KiB to 1 GiB.
///
/// # Errors
/// What is wrong with it.
pub fn byte_size(text: &str) -> Result<u32, String> {
    const HELP: &str = "a size is a power of two from 64KiB to 1GiB, like 4MiB";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err(HELP.to_owned()),
    };
    let bytes = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    match bytes.and_then(|bytes| u32::try_from(bytes).ok()) {
        Some(bytes) if bytes.is_power_of_two() && (1 << 16..=1 << 30).contains(&bytes) => Ok(bytes),
        _ => Err(HELP.to_owned()),
    }
}

/// So many bytes, a recording's worth of them.
///
/// # Errors
/// When it is none.
pub fn file_size(text: &str) -> Result<u64, String> {
    const HELP: &str = "a size is a number of bytes from 64KiB to 1TiB, like 64MiB";
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "TiB" | "T" => 1 << 40,
        _ => return Err(HELP.to_owned()),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| (1 << 16..=1 << 40).contains(bytes))
        .ok_or_else(|| HELP.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        assert_eq!(port_range("9090"), Ok(9090..=9090));
        assert_eq!(port_range("8000-8100"), Ok(8000..=8100));
        assert_eq!(port_range("1-65535"), Ok(1..=65535));
        for bad in [
            "0", "70000", "9090-80", "", "-", "80-", "-80", "1-2-3", "http", "+80 ", "0-5",
        ] {
            assert!(port_range(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn peers_are_addresses_or_prefixes() {
        assert_eq!(peer("10.0.0.0/8").unwrap().prefix_len(), 8);
        assert_eq!(peer("10.1.2.3").unwrap().prefix_len(), 32);
        assert_eq!(peer("::ffff:10.1.2.3").unwrap(), peer("10.1.2.3").unwrap());
        for bad in ["10.0.0.0/99", "10.0.0", "fd00::/129", "", "localhost"] {
            assert!(peer(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_empty_name_would_match_nothing() {
        assert_eq!(comm("sh").as_deref(), Ok("sh"));
        assert!(comm("").is_err());
    }

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!(byte_size("4MiB"), Ok(4 << 20));
        assert_eq!(byte_size("65536"), Ok(1 << 16));
        assert_eq!(byte_size("1GiB"), Ok(1 << 30));
        for bad in [
            "3MiB",
            "4GiB",
            "1KiB",
            "MiB",
            "4 MiB",
            "99999999999999999999",
            "-1",
        ] {
            assert!(byte_size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shares_are_at_most_the_whole() {
        assert_eq!(share("0.2"), Ok(0.2));
        assert_eq!(share("1"), Ok(1.0));
        for bad in ["1.1", "-0.1", "NaN", "inf", "", "20%"] {
            assert!(share(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_need_a_unit_and_an_end() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        for bad in ["0s", "10", "", "-5s", "1000000000000000y"] {
            assert!(span(bad).is_err(), "{bad:?}");
        }
    }
}
