//! Peers that do not answer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::ensure;
use rustix::io::Errno;

use crate::{
    context::Context,
    ledger::{Ledger, counts, failed},
    puppet::{Puppet, loopback},
    stream::{Counts, Direction::Outbound, Failures},
    tracer_process::Tracer,
};

/// On a cable with nobody at its other end.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 9);

/// One server that drops what arrives, for its queue is full, and one that does not exist: each with its errno.
pub fn unreachable(context: &Context) -> anyhow::Result<()> {
    let mut host = Puppet::start("tt-host")?;
    let port = host.bind(loopback(1))?.port();
    let (mut dropped, mut missing) = (Puppet::start("tt-dropped")?, Puppet::start("tt-missing")?);
    for puppet in [&mut dropped, &mut missing] {
        puppet.isolate()?;
        // Three seconds in all, or seven.
        let retries = if Context::is_emulated() { 2 } else { 1 };
        let command = format!("echo {retries} >/proc/sys/net/ipv4/tcp_syn_retries");
        puppet.run(&["sh", "-c", &command])?;
    }
    let full = dropped.bind_at(SocketAddr::new(loopback(1).into(), port))?;
    dropped.listen_at(full, 0)?;
    for command in [
        "ip link add cable type veth peer name other",
        "ip address add 10.78.0.1/24 dev cable",
        "ip link set cable up",
        "ip link set other up",
    ] {
        missing.run(&command.split(' ').collect::<Vec<_>>())?;
    }
    // The neighbour is given up before the attempt is, so that the latter fails for that reason.
    missing.run(&[
        "sh",
        "-c",
        "echo 100 >/proc/sys/net/ipv4/neigh/cable/retrans_time_ms",
    ])?;
    let mut tracer = Tracer::start(context, &[port])?;
    // The kernel lets in one more than asked for, and drops the rest.
    dropped.connect(full.address, 1)?;
    let nobody = SocketAddr::new(NOBODY.into(), port);
    let mut ends = Vec::new();
    for _ in 0..2 {
        ends.push(dropped.attempt_nonblocking(full.address)?);
        missing.attempt_nonblocking(nobody)?;
    }

    let truth = |wanted: Counts, lost: Counts| {
        Ledger::default()
            .process(&dropped, wanted)
            .peer(Outbound, loopback(1), port, wanted)
            .both(&missing, Outbound, IpAddr::from(NOBODY), port, lost)
    };
    let connecting = Counts {
        connecting: 2,
        ..Counts::default()
    };
    let under_way = truth(
        Counts {
            connecting: 2,
            ..counts(1, 0)
        },
        connecting,
    );
    let over = truth(
        Counts {
            failed: 2,
            ..counts(1, 0)
        },
        failed(2),
    );
    tracer.expect("under way", &under_way)?;
    tracer.expect("given up by the kernel", &over)?;
    // Closing them changes nothing.
    dropped.close(&ends)?;
    let last = tracer.stop()?;
    last.expect("at the end", &over)?;
    let mut told = last.summary.failures;
    told.sort_unstable_by_key(|failures| failures.errno);
    let expected = [Errno::TIMEDOUT, Errno::HOSTUNREACH].map(|errno| Failures {
        errno: u16::try_from(errno.raw_os_error()).unwrap_or_default(),
        count: 2,
    });
    ensure!(told == expected, "the failures are {told:?}");
    Ok(())
}
