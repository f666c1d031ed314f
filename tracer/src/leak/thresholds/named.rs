//! The thresholds by name, as `--threshold NAME=VALUE` sets them.

use std::{fmt::Write as _, time::Duration};

use super::{Sensitivity, Thresholds};

/// A threshold.
pub struct Named {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    field: fn(&mut Thresholds) -> Field<'_>,
}

/// A value and its unit.
enum Field<'a> {
    /// From 0 to 1.
    Share(&'a mut f64),
    /// More than zero.
    Factor(&'a mut f64),
    /// Connections.
    Many(&'a mut f64),
    /// Connections, or times.
    Count(&'a mut u32),
    /// A time.
    Span(&'a mut Duration),
}

macro_rules! named {
    ($($name:literal $kind:ident $field:ident $about:literal;)*) => {
        &[$(Named { name: $name, about: $about, field: |all| Field::$kind(&mut all.$field) }),*]
    };
}

/// All of them.
pub const ALL: &[Named] = named! {
    "need" Share need "survivors that make a finding at the first scale (16s), as a share of what is left of the limit";
    "need-power" Factor need_power "how fast the need falls: with this power of the scale's period";
    "need-least" Many need_least "the least survivors that make a finding at any scale";
    "need-cap" Many need_cap "what is left of the limit counts up to this many outbound connections";
    "need-cap-inbound" Many need_cap_inbound "the same, inbound";
    "inbound" Factor inbound "factor on the need of inbound connections";
    "gone" Many gone "survivors whose peer is gone that make a finding at the first scale";
    "gone-power" Factor gone_power "how fast that falls";
    "gone-least" Many gone_least "the least of them at any scale";
    "even" Share even "the least that each third of the window must have, as a share of a third of its survivors";
    "young" Share young "the same of the two youngest periods";
    "flow" Share flow "share of what became old that must have stayed";
    "gone-flow" Share gone_flow "the same where the peer is gone";
    "long-flow" Share long_flow "the same over the longer past";
    "unused" Share unused "share of the old connections that must be silent to call them unused";
    "unused-factor" Factor unused_factor "factor on the need where they are, for longer than silent-for";
    "quiet-factor" Factor quiet_factor "factor on the need where they are, for less than that";
    "used" Share used "share of the old connections that must carry data to call them used";
    "used-factor" Factor used_factor "factor on the need where they are";
    "used-factor-days" Factor used_factor_days "the same at scales whose window is longer than a day";
    "used-factor-time" Factor used_factor_time "one more factor where they are and the limit is farther than hurry, unless the window is longer than a day";
    "used-generations" Count used_generations "of 36 parts of the window, those in which they must have opened where they are: pools are resized now and then";
    "hurry" Span hurry "what takes longer to reach the limit needs as much as if it were in use, until it is silent for silent-for or has grown for a day";
    "pressing" Share pressing "share of the limit: where it will be in use before a window is whole, the newer half of the window may do";
    "beat-factor" Factor beat_factor "factor on the need of connections that come in a beat";
    "spread-factor" Factor spread_factor "factor on the need of connections spread over many peers or processes, unless unused for longer than silent-for";
    "tooth" Share tooth "share of the need that makes a tooth of a saw";
    "life" Share life "share of the need that makes a life of a program that is restarted";
    "teeth" Count teeth "teeth, or lives, that make a finding";
    "surge" Share surge "share of the limit that makes a finding if it was taken evenly and without closes";
    "surge-within" Span surge_within "only if the limit is nearer than this";
    "accumulated" Share accumulated "share of the limit that makes a finding if it was there when the tracer came";
    "accumulated-silent" Count accumulated_silent "silent connections that make a finding if they were there when the tracer came";
    "silent-for" Span silent_for "silence that is longer than common idle timeouts";
    "limit" Share limit "share of the descriptor limit in use that makes a finding, whatever it consists of";
    "unanswered" Count unanswered "attempts to connect under way that make a finding";
    "unanswered-for" Span unanswered_for "how long the oldest of them must have waited";
};

impl Thresholds {
    /// Sets one by `NAME=VALUE`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, setting: &str) -> Result<(), String> {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| "a threshold is set as NAME=VALUE, like need=0.4".to_owned())?;
        let named = ALL.iter().find(|named| named.name == name).ok_or_else(|| {
            format!(
                "there is no threshold '{}'; they are: {}",
                name.escape_debug(),
                names()
            )
        })?;
        (named.field)(self).parse(value)
    }
}

impl Named {
    /// Its value, as it would be typed.
    pub fn value(&self, sensitivity: Sensitivity) -> String {
        let mut thresholds = Thresholds::new(sensitivity);
        match (self.field)(&mut thresholds) {
            Field::Share(value) | Field::Factor(value) | Field::Many(value) => {
                format!("{}", (*value * 1000.0).round() / 1000.0)
            }
            Field::Count(value) => value.to_string(),
            Field::Span(value) => humantime::format_duration(*value).to_string(),
        }
    }

    /// Its unit.
    pub fn unit(&self) -> &'static str {
        let mut thresholds = Thresholds::new(Sensitivity::Normal);
        match (self.field)(&mut thresholds) {
            Field::Share(_) => "share",
            Field::Factor(_) => "factor",
            Field::Many(_) => "connections",
            Field::Count(_) => "count",
            Field::Span(_) => "time",
        }
    }
}

impl Field<'_> {
    fn parse(self, text: &str) -> Result<(), String> {
        match self {
            Self::Share(value) => {
                *value = number(text, 0.0..=1.0, "a share is a number from 0 to 1, like 0.4")?;
            }
            Self::Factor(value) => {
                *value = number(text, 0.01..=100.0, "a factor is a number from 0.01 to 100")?;
            }
            Self::Many(value) => {
                *value = number(
                    text,
                    1.0..=16_777_216.0,
                    "a number of connections is from 1 to 16777216",
                )?;
            }
            Self::Count(value) => {
                *value = match text.parse() {
                    Ok(count @ 1..=16_777_216) => count,
                    _ => return Err("a count is a number from 1 to 16777216".to_owned()),
                }
            }
            Self::Span(value) => {
                *value = humantime::parse_duration(text)
                    .ok()
                    .filter(|span| !span.is_zero() && *span <= LONGEST)
                    .ok_or_else(|| "a time is a number with a unit, like 30s, 10m or 2h".to_owned())?;
            }
        }
        Ok(())
    }
}

/// Longer than anybody waits.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

fn number(text: &str, range: std::ops::RangeInclusive<f64>, otherwise: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(otherwise.to_owned()),
    }
}

fn names() -> String {
    let names: Vec<&str> = ALL.iter().map(|named| named.name).collect();
    names.join(", ")
}

/// All of them with their units and values, for `docs/detection.md` and `tracer thresholds`.
pub fn table() -> String {
    let mut text = String::from("| name | unit | low | normal | high | |\n|---|---|---|---|---|---|\n");
    for named in ALL {
        let [low, normal, high] = [Sensitivity::Low, Sensitivity::Normal, Sensitivity::High]
            .map(|sensitivity| named.value(sensitivity));
        // Writing to a String cannot fail.
        let _: std::fmt::Result = writeln!(
            text,
            "| `{}` | {} | {low} | {normal} | {high} | {} |",
            named.name,
            named.unit(),
            named.about
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_set_by_its_name() {
        let mut thresholds = Thresholds::new(Sensitivity::Normal);
        thresholds.set("need=0.4").unwrap();
        thresholds.set("surge-within=90m").unwrap();
        thresholds.set("teeth=5").unwrap();
        assert_eq!(
            (thresholds.need, thresholds.surge_within, thresholds.teeth),
            (0.4, Duration::from_mins(90), 5)
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let before = Thresholds::new(Sensitivity::Normal);
        let mut thresholds = before;
        for nonsense in [
            "need",
            "need=",
            "need=2",
            "need=NaN",
            "need=-1",
            "teeth=0",
            "teeth=1.5",
            "surge-within=0s",
            "surge-within=5",
            "\u{1b}[31m=1",
            "need =0.4",
            "used-factor=inf",
        ] {
            let error = thresholds.set(nonsense).unwrap_err();
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
        assert_eq!(thresholds, before, "nothing is half set");
    }

    #[test]
    fn every_value_can_be_typed_as_it_is_shown() {
        for named in ALL {
            for sensitivity in [Sensitivity::Low, Sensitivity::Normal, Sensitivity::High] {
                let mut thresholds = Thresholds::new(Sensitivity::Normal);
                thresholds
                    .set(&format!("{}={}", named.name, named.value(sensitivity)))
                    .unwrap();
            }
        }
    }
}
