use crate::output::number::grouped;

#[test]
fn thousands_are_told_apart() {
    for (count, text) in [
        (0, "0"),
        (12, "12"),
        (999, "999"),
        (1000, "1,000"),
        (65_536, "65,536"),
        (100_000, "100,000"),
        (u64::MAX, "18,446,744,073,709,551,615"),
    ] {
        assert_eq!(grouped(count), text);
    }
}
