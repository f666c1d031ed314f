//! Finds the network namespaces that processes are in, and a way to ask each.

use std::{
    collections::HashMap,
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use rustix::{
    io::Errno,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::netlink::Diag;
use crate::procfs::process::Directory;

/// Namespaces that are asked, besides the own one. Each costs a walk over the kernel's table of all connections.
const LIMIT: usize = 512;

/// Ways to ask network namespaces.
pub struct Namespaces {
    /// By inode number of the namespace; the first is the own one. Not to be kept: they keep the namespaces.
    pub diags: Vec<(u32, Diag)>,
    /// Namespaces that cannot be asked.
    pub missed: u64,
}

impl Namespaces {
    /// Those of these processes, and the calling thread's.
    ///
    /// # Errors
    /// When even the own one cannot be asked.
    pub fn of(processes: &[u32]) -> Result<Self, Errno> {
        let own = Directory::own_thread()?.netns()?;
        let mut others: HashMap<u32, Directory> = HashMap::new();
        for &pid in processes {
            // One that hides its namespace hides its descriptors, too.
            let Ok(directory) = Directory::open(pid) else {
                continue;
            };
            let Ok(netns) = directory.netns() else { continue };
            if netns != own {
                others.entry(netns).or_insert(directory);
            }
        }
        let mut namespaces = Self {
            diags: vec![(own, Diag::open()?)],
            missed: others.len().saturating_sub(LIMIT) as u64,
        };
        let mut files = Vec::new();
        for (netns, directory) in others.into_iter().take(LIMIT) {
            match directory.open_netns() {
                Ok(file) => files.push((netns, file)),
                Err(_) => namespaces.missed += 1,
            }
        }
        let wanted = files.len();
        let entered = enter(files);
        namespaces.missed += (wanted - entered.len()) as u64;
        namespaces.diags.extend(entered);
        Ok(namespaces)
    }
}

/// Opens a way to ask each: in a thread of its own, for a thread is in one namespace at a time. It needs
/// `CAP_SYS_ADMIN`.
fn enter(files: Vec<(u32, OwnedFd)>) -> Vec<(u32, Diag)> {
    if files.is_empty() {
        return Vec::new();
    }
    let open = |(netns, file): (u32, OwnedFd)| {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).ok()?;
        Some((netns, Diag::open().ok()?))
    };
    let visitor = thread::Builder::new()
        .name("namespaces".to_owned())
        .spawn(move || files.into_iter().filter_map(open).collect());
    visitor
        .ok()
        .and_then(|visitor| visitor.join().ok())
        .unwrap_or_default()
}
