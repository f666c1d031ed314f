//! From the kernel's bytes to the model's events.

pub mod decode;
pub mod intake;
pub mod released;
pub mod ring;
pub mod rows;
pub mod shorts;
pub mod stack;
