//! How well detectors tell leaks from healthy workloads.
//!
//! [`families`] make [`world::World`]s from seeds: tables of what happened on a host, in which every connection is
//! known to leak or not. [`drive`] takes a world through the tracer's own ledger and detector, as it would have met
//! them live, and through the [`baseline`]s. [`score`] compares what they said with the truth, [`report`] prints it.

pub mod accusation;
pub mod baseline;
pub mod disturbance;
pub mod document;
pub mod drive;
pub mod evaluation;
mod exhaustion;
pub mod export;
pub mod families;
pub mod interval;
mod kernel;
mod number;
mod random;
pub mod report;
mod scene;
pub mod score;
pub mod selection;
pub mod summary;
mod timeline;
pub mod world;
