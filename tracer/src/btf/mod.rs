//! Looks up kernel structure layouts in BTF, the type information a kernel carries about itself.
//!
//! Rust emits no CO-RE relocations, so the kernel programs cannot be adjusted to the running kernel by the
//! loader. Instead user space finds the byte offset of every member it needs with [`resolve_all`] and hands
//! the offsets over as read-only globals. [`function_params`] and [`function_param_type_name`] tell apart the
//! signatures that a traced function had over the years.
//!
//! The module is pure: its input is a byte slice, usually the contents of `/sys/kernel/btf/vmlinux`. It never
//! panics and its time and memory are bounded by the length of that slice, whatever the bytes are.
//!
//! The format is described in the kernel's `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`;
//! comments below that say "btf.rst" or "btf.h" mean these two. Only base BTF is read: the split BTF of a
//! module continues the type ids and strings of its base and is not accepted on its own.
//!
//! ```text
//! use tracer::btf::{Btf, FieldSpec, resolve_all};
//!
//! let btf = Btf::parse(&blob)?;
//! let members = resolve_all(&btf, &[FieldSpec::new("sock_common", "skc_daddr")]);
//! ```

mod error;
mod function;
mod header;
mod kind;
mod raw;
mod resolve;
mod search;

#[cfg(test)]
mod tests;

pub use error::{BtfError, ResolveError};
pub use function::{function_param_type_name, function_params};
pub use kind::Kind;
pub use raw::{Btf, RawMember, RawParam, Type, TypeId};
pub use resolve::{FieldSpec, Member, resolve_all, resolve_member};
