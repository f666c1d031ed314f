//! Read-only globals that user space sets before load. The map behind them is frozen, so the verifier knows
//! their values and drops the branches they rule out.

use aya_ebpf::Global;

macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        $($(#[$doc])* #[unsafe(no_mangle)] pub static $name: Global<$type> = Global::new($default);)*
    };
}

globals! {
    /// See [`tracer_common::names::global::FILTER_PORTS`].
    FILTER_PORTS: u8 = 0;
    /// See [`tracer_common::names::global::FILTER_PIDS`].
    FILTER_PIDS: u8 = 0;
    /// See [`tracer_common::names::global::FILTER_COMMS`].
    FILTER_COMMS: u8 = 0;
    /// See [`tracer_common::names::global::FILTER_PEERS`].
    FILTER_PEERS: u8 = 0;
    /// See [`tracer_common::names::global::FILTER_DIRECTION`].
    FILTER_DIR: u8 = 0;
    /// See [`tracer_common::names::global::SELF_TGID`].
    SELF_TGID: u32 = 0;
    /// See [`tracer_common::names::global::WAKEUP_BYTES`].
    WAKEUP_BYTES: u64 = 0;
    /// See [`tracer_common::names::global::FRONT_BITS`].
    FRONT_BITS: u8 = 0;
    /// See [`tracer_common::names::global::STACKS`].
    WANT_STACKS: u8 = 0;
    /// See [`tracer_common::names::global::STACK_KEY`].
    STACK_KEY: u64 = 0;
}

/// Offset of a kernel field, in bytes.
pub type Offset = Global<u32>;

macro_rules! offsets {
    ($($global:ident : $container:literal . $member:literal, $size:literal;)*) => {
        $(
            #[doc = concat!("`struct ", $container, "`, `", $member, "`.")]
            #[unsafe(no_mangle)]
            pub static $global: Offset = Global::new(0);
        )*
    };
}
tracer_common::kernel_fields!(offsets);
