//! What the schema lets a line leave out.

/// What a line of this type does not always have.
pub fn optional(kind: &str) -> &'static [&'static str] {
    match kind {
        "started" => &["verified"],
        "alert" => &[
            "news",
            "openers",
            "other_ends",
            "descriptors",
            "ports",
            "netns",
            "times",
            "survivors",
            "growth_per_hour",
            "cadence",
            "silence",
            "open_age",
            "forecast",
            "resolution",
            "code",
        ],
        "limit" => &["resolution"],
        "stall" => &["queue_limit", "descriptors", "resolution"],
        "connection" => &[
            "netns",
            "given_up",
            "listener",
            "inode",
            "idle_seconds",
            "sent_bytes",
            "received_bytes",
        ],
        "opened_by" => &["peer", "stack", "unknown"],
        "group" => &["age_at_least", "idle", "descriptors", "listener"],
        _ => &[],
    }
}
