//! Wall-clock times: RFC 3339, in any zone.

use std::time::{Duration, SystemTime};

/// The moment; `None` if the text is not RFC 3339, or lies before 1970.
pub fn parse(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let (local, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, "+00:00"),
        None => text.split_at_checked(text.len().checked_sub(6)?)?,
    };
    let date_and_time = local.replacen(['t', ' '], "T", 1);
    let moment = humantime::parse_rfc3339(&format!("{date_and_time}Z")).ok()?;
    let (sign, offset) = zone.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let offset = Duration::from_mins(two_digits(hours, 23)? * 60 + two_digits(minutes, 59)?);
    match sign {
        "+" => moment.checked_sub(offset),
        "-" => moment.checked_add(offset),
        _ => None,
    }
    .filter(|moment| *moment >= SystemTime::UNIX_EPOCH)
}

/// The moment as RFC 3339, UTC, to the nanosecond; cut to what that can say.
pub fn format(moment: SystemTime) -> String {
    /// The end of the year 9999.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let last = SystemTime::UNIX_EPOCH + LAST;
    // Outside these bounds the formatter panics.
    humantime::format_rfc3339_nanos(moment.clamp(SystemTime::UNIX_EPOCH, last)).to_string()
}

fn two_digits(text: &str, most: u64) -> Option<u64> {
    let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_has_many_names() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_500);
        for text in [
            "2027-01-15T08:00:00.5Z",
            "2027-01-15t08:00:00.500z",
            "2027-01-15 08:00:00.5Z",
            "2027-01-15T08:00:00.500000+00:00",
            "2027-01-15T09:30:00.5+01:30",
            "2027-01-15T00:00:00.5-08:00",
        ] {
            assert_eq!(parse(text), Some(moment), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "Z",
            "2027-01-15",
            "2027-01-15T08:00:00",
            "2027-01-15T08:00:00+1:00",
            "2027-01-15T08:00:00+01:60",
            "2027-01-15T08:00:00\u{e4}01:00",
            "1960-01-01T00:00:00Z",
            "1970-01-01T00:30:00+01:00",
            "yesterday",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
