//! Which families are meant.

use crate::families::Family;

/// Whether a name fits a pattern in which `*` stands for anything, and a comma for "or".
pub fn fits(patterns: &str, name: &str) -> bool {
    patterns.split(',').any(|pattern| fits_one(pattern, name))
}

fn fits_one(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len())
                .filter_map(|skipped| name.get(skipped..))
                .any(|name| fits_one(rest, name))
        }),
    }
}

/// Those of these families whose names fit.
pub fn select(families: Vec<Family>, patterns: &str) -> Vec<Family> {
    let mut families = families;
    families.retain(|family| fits(patterns, family.name));
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_a_shell_would_have_it() {
        for (patterns, name) in [
            ("*", "L_slow"),
            ("L_slow", "L_slow"),
            ("L_*", "L_slow"),
            ("*_H_*", "Z_H_pool_resize"),
            ("X_*,Y_*", "Y_ramped_job"),
            ("*pool*", "H_lazy_pool"),
        ] {
            assert!(fits(patterns, name), "{patterns} {name}");
        }
        for (patterns, name) in [
            ("L_", "L_slow"),
            ("slow", "L_slow"),
            ("", "L_slow"),
            ("H_*", "Z_H_x"),
        ] {
            assert!(!fits(patterns, name), "{patterns} {name}");
        }
    }
}
