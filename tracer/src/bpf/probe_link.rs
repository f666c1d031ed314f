//! The link of a kprobe, asked for the hits that it missed. aya neither exposes the count nor a link's descriptor.

use std::{
    ffi::{c_long, c_uint},
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use aya::programs::loaded_links;

/// Commands of `bpf(2)` (`enum bpf_cmd`, `include/uapi/linux/bpf.h`).
const GET_INFO_BY_FD: c_long = 15;
const LINK_GET_FD_BY_ID: c_long = 30;
/// `BPF_PERF_EVENT_KPROBE` and `BPF_PERF_EVENT_KRETPROBE` of `enum bpf_perf_event_type`.
const KPROBE: [u32; 2] = [3, 4];

/// A kprobe's link.
pub struct ProbeLink(OwnedFd);

/// The part of `union bpf_attr` that `BPF_LINK_GET_FD_BY_ID` reads.
#[repr(C)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The part of `union bpf_attr` that `BPF_OBJ_GET_INFO_BY_FD` reads.
#[repr(C)]
struct InfoByFd {
    fd: u32,
    length: u32,
    info: u64,
}

/// `struct bpf_link_info` of a kprobe.
#[repr(C)]
#[derive(Default)]
struct ProbeInfo {
    kind: u32,
    id: u32,
    program_id: u32,
    reserved: u32,
    event: u32,
    event_reserved: u32,
    name: u64,
    name_length: u32,
    offset: u32,
    address: u64,
    /// Linux 6.7 and newer.
    missed: u64,
}

impl ProbeLink {
    /// The link that holds the program of this id; `None` if there is none, or the kernel has no links for kprobes
    /// (before Linux 5.15).
    pub fn of_program(program_id: u32) -> Option<Self> {
        let link = loaded_links()
            .filter_map(Result::ok)
            .find(|link| link.program_id() == program_id)?;
        let mut by_id = ById {
            id: link.id(),
            next_id: 0,
            open_flags: 0,
        };
        let fd = bpf(LINK_GET_FD_BY_ID, &mut by_id).ok()?;
        let fd = i32::try_from(fd).ok()?;
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        Some(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Hits that the kernel did not pass on; `None` if it does not tell.
    pub fn missed(&self) -> Option<u64> {
        let mut info = ProbeInfo::default();
        let length = u32::try_from(size_of::<ProbeInfo>()).ok()?;
        let mut by_fd = InfoByFd {
            fd: u32::try_from(self.0.as_raw_fd()).ok()?,
            length,
            info: &raw mut info as u64,
        };
        bpf(GET_INFO_BY_FD, &mut by_fd).ok()?;
        // The kernel says how much of it it has filled in.
        let is_told = by_fd.length == length && KPROBE.contains(&info.event);
        is_told.then_some(info.missed)
    }
}

fn bpf<A>(command: c_long, attributes: &mut A) -> io::Result<c_long> {
    let size = c_uint::try_from(size_of::<A>()).map_err(io::Error::other)?;
    // SAFETY: the attributes are as long as said, and what they point to lives until the call returns.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
