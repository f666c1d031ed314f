//! Conversions between counts and real numbers. What is counted here is far below 2^52.

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub const fn real(count: usize) -> f64 {
    count as f64
}

/// A real number as a count, rounded down; 0 if it is below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and rounding down is meant"
)]
pub const fn whole(value: f64) -> usize {
    value as usize
}

/// A count as the kernel keeps it.
pub fn small(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
