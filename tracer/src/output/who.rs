//! A process, more than its name.

use super::sanitize;
use crate::model::process::ProcessInfo;

/// Characters of a command line that are shown.
const COMMAND: usize = 120;
/// Characters of a container's id that tell it from the others.
const CONTAINER: usize = 12;

/// `/usr/bin/controller --loop (unit controller.service, container 0123456789ab, pid 7 inside)`; `None` if nothing is
/// known.
pub fn describe(info: &ProcessInfo) -> Option<String> {
    let command = command(&info.args);
    let unit = info
        .unit
        .as_ref()
        .map(|unit| format!("unit {}", sanitize::printable(unit.as_bytes())));
    let container = info.container.as_ref().map(|container| {
        let short: String = container.chars().take(CONTAINER).collect();
        format!("container {}", sanitize::printable(short.as_bytes()))
    });
    let pid = info.inner_pid.map(|pid| format!("pid {pid} inside"));
    let place: Vec<String> = unit.into_iter().chain(container).chain(pid).collect();
    match (command.is_empty(), place.is_empty()) {
        (true, true) => None,
        (false, true) => Some(command),
        (true, false) => Some(place.join(", ")),
        (false, false) => Some(format!("{command} ({})", place.join(", "))),
    }
}

/// The arguments with spaces between them, cut to what a line can take.
fn command(args: &[u8]) -> String {
    let args: Vec<String> = args.split(|byte| *byte == 0).map(sanitize::printable).collect();
    let command = args.join(" ").trim().to_owned();
    match command.char_indices().nth(COMMAND) {
        None => command,
        Some((end, _)) => format!("{}...", command.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_described_by_what_is_known() {
        assert_eq!(describe(&ProcessInfo::default()), None);
        let mut info = ProcessInfo {
            args: b"/usr/bin/controller\0--loop\0\x1b[31m".to_vec(),
            ..ProcessInfo::default()
        };
        assert_eq!(describe(&info).unwrap(), "/usr/bin/controller --loop \\x1b[31m");
        info.unit = Some("controller.service".into());
        info.container = Some("0123456789abcdef0123".into());
        info.inner_pid = Some(7);
        assert_eq!(
            describe(&info).unwrap(),
            "/usr/bin/controller --loop \\x1b[31m (unit controller.service, container 0123456789ab, pid 7 inside)"
        );
        info.args = Vec::new();
        assert_eq!(
            describe(&info).unwrap(),
            "unit controller.service, container 0123456789ab, pid 7 inside"
        );
    }

    #[test]
    fn a_long_command_line_is_cut_between_characters() {
        let info = ProcessInfo {
            args: "ä".repeat(500).into_bytes(),
            ..ProcessInfo::default()
        };
        assert_eq!(describe(&info).unwrap(), format!("{}...", "ä".repeat(120)));
    }
}
