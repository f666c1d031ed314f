//! A view of `struct sock`.

use core::marker::PhantomData;

use tracer_common::{
    layout::ABSENT,
    socket::{AF_INET, AF_INET6, IPPROTO_MPTCP},
};

use crate::{
    access::{Access, KernelPtr, Probed},
    globals::{
        OFF_DADDR, OFF_DPORT, OFF_FAMILY, OFF_MPTCP_FIRST, OFF_NET, OFF_NS_INUM, OFF_NUM, OFF_RCV_SADDR,
        OFF_SK_ERR, OFF_SK_PROTOCOL, OFF_SPORT, OFF_STATE, OFF_V6_DADDR, OFF_V6_RCV_SADDR, Offset,
    },
};

/// The third word of an IPv4-mapped address (RFC 4291 §2.5.5.2).
const V4_MAPPED: u32 = 0xffff_u32.to_be();

/// A socket, read through `A`. `sock_common` is the first member of `struct sock` (`__sk_common`,
/// `include/net/sock.h`), so its offsets count from the same address.
pub struct Sock<A> {
    base: KernelPtr,
    access: PhantomData<A>,
}

impl<A> Clone for Sock<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A> Copy for Sock<A> {}

impl<A: Access> Sock<A> {
    #[inline(always)]
    pub fn new(base: KernelPtr) -> Self {
        Self {
            base,
            access: PhantomData,
        }
    }

    /// `struct sock`.
    #[inline(always)]
    pub fn base(self) -> KernelPtr {
        self.base
    }

    /// The address: the key of the socket table.
    #[inline(always)]
    pub fn key(self) -> u64 {
        self.base as u64
    }

    #[inline(always)]
    pub fn family(self) -> Option<u16> {
        A::load(self.base, &OFF_FAMILY)
    }

    #[inline(always)]
    pub fn protocol(self) -> Option<u16> {
        A::load(self.base, &OFF_SK_PROTOCOL)
    }

    #[inline(always)]
    pub fn state(self) -> Option<u8> {
        A::load(self.base, &OFF_STATE)
    }

    /// `sk_err`, a positive errno or 0.
    #[inline(always)]
    pub fn error(self) -> Option<i32> {
        A::load(self.base, &OFF_SK_ERR)
    }

    /// Local port, host order.
    #[inline(always)]
    pub fn local_port(self) -> Option<u16> {
        A::load(self.base, &OFF_NUM)
    }

    /// Local port of a socket that accept gave out, host order. A reset that came before has taken it out of
    /// `skc_num` (`inet_put_port`, `net/ipv4/inet_hashtables.c`); `inet_sport` keeps it.
    #[inline(always)]
    pub fn accepted_port(self) -> Option<u16> {
        match self.local_port()? {
            // Beyond `struct sock`, so not a field that the verifier knows of.
            0 => Probed::load(self.base, &OFF_SPORT).map(u16::from_be),
            port => Some(port),
        }
    }

    /// Remote port, host order.
    #[inline(always)]
    pub fn remote_port(self) -> Option<u16> {
        A::load::<u16>(self.base, &OFF_DPORT).map(u16::from_be)
    }

    /// Writes the local address in IPv6 form.
    ///
    /// # Safety
    /// `into` must be valid for writing.
    #[inline(always)]
    pub unsafe fn local(self, family: u16, into: *mut [u64; 2]) -> Option<()> {
        // SAFETY: the caller's promise.
        unsafe { self.address(family, &OFF_RCV_SADDR, &OFF_V6_RCV_SADDR, into) }
    }

    /// Writes the remote address in IPv6 form.
    ///
    /// # Safety
    /// `into` must be valid for writing.
    #[inline(always)]
    pub unsafe fn remote(self, family: u16, into: *mut [u64; 2]) -> Option<()> {
        // SAFETY: the caller's promise.
        unsafe { self.address(family, &OFF_DADDR, &OFF_V6_DADDR, into) }
    }

    /// An `AF_INET6` socket that speaks IPv4 keeps the mapped form in its IPv6 fields (`tcp_v6_connect` and
    /// `tcp_v6_syn_recv_sock`, `net/ipv6/tcp_ipv6.c`).
    #[inline(always)]
    unsafe fn address(self, family: u16, v4: &Offset, v6: &Offset, into: *mut [u64; 2]) -> Option<()> {
        match family {
            AF_INET => {
                let address = A::load::<u32>(self.base, v4)?;
                // SAFETY: the caller's promise; four words are as long as two double words, and less aligned.
                unsafe { into.cast::<[u32; 4]>().write([0, 0, V4_MAPPED, address]) };
                Some(())
            }
            // SAFETY: the caller's promise.
            AF_INET6 => unsafe { A::copy16(self.base, v6, into) },
            _ => None,
        }
    }

    /// Inode number of the network namespace.
    #[inline(always)]
    pub fn netns(self) -> Option<u32> {
        let net: KernelPtr = A::load(self.base, &OFF_NET)?;
        A::load(net, &OFF_NS_INUM)
    }
}

/// The first TCP socket beneath one that speaks Multipath TCP (`struct mptcp_sock`, `net/mptcp/protocol.h`): it is the
/// upper one that a descriptor holds. `None` for other protocols, and where there is none.
#[inline(always)]
pub fn beneath(base: KernelPtr, protocol: u16) -> Option<KernelPtr> {
    if protocol != IPPROTO_MPTCP || OFF_MPTCP_FIRST.load() == ABSENT {
        return None;
    }
    let first: KernelPtr = Probed::load(base, &OFF_MPTCP_FIRST)?;
    (!first.is_null()).then_some(first)
}
