//! What a finding is worth: the line that begins with `sure?`.

use crate::output::record::Confidence;

/// What was lost. A close that was lost leaves a connection that looks leaked.
pub(super) fn losses(confidence: &Confidence) -> String {
    match (confidence.lost, confidence.lost_unhealed) {
        (0, _) => "no event was lost".to_owned(),
        (1, 0) => "1 event was lost, and made good from the descriptor tables".to_owned(),
        (lost, 0) => format!("{lost} events were lost, and made good from the descriptor tables"),
        (_, 1) => "1 event was lost just now, and a lost close looks like a leak".to_owned(),
        (_, lost) => format!("{lost} events were lost just now, and a lost close looks like a leak"),
    }
}

/// What nobody saw opening; empty if there is nothing to say.
pub(super) fn older(confidence: &Confidence) -> String {
    match confidence.older {
        0 => String::new(),
        older => format!("; {older} in all were open before the tracer came, or were found later"),
    }
}

/// Whether something is not seen; empty if there is nothing to say.
pub(super) fn degraded(confidence: &Confidence) -> &'static str {
    if confidence.degraded.is_empty() {
        ""
    } else {
        "; tracing is degraded, `tracer doctor` says how"
    }
}
