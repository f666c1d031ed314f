//! Reading `/proc/PID`: one process, pinned, in bounded bites; and the formats of its files (pure).

pub mod limits;
pub mod link;
pub mod process;
pub mod stat;
pub mod status;
