//! One thin shell per hook. Each names the kernel function it sits on; the work is in
//! [`lifecycle`](crate::lifecycle).

mod fentry;
mod kprobe;
mod queue;
mod snapshot;
mod state;
mod syscall;
