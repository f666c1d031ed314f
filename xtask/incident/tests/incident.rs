//! Replays the incident on loopback, with the kernel's own table of connections as the witness.

mod support;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Context as _;
use support::program::{Program, line_with};
use support::witness::{Socket, wait_all_closed, wait_until};

/// Starts a server on a free port and waits until it listens.
fn start_server(nofile: u32) -> anyhow::Result<(Program, SocketAddrV4)> {
    let server = Program::start(&format!(
        "server --listen 127.0.0.1:0 --nofile {nofile} --for 20s"
    ))?;
    let line = line_with(&server.stdout, "listening on")?;
    let words: Vec<_> = line.split(' ').collect();
    anyhow::ensure!(
        words.get(4) == Some(&server.id().to_string().as_str()),
        "not its pid: {line}"
    );
    let address = words.get(2).context("no address")?.parse()?;
    Ok((server, address))
}

fn comm(program: &Program) -> anyhow::Result<String> {
    Ok(fs::read_to_string(format!("/proc/{}/comm", program.id()))?
        .trim_end()
        .to_owned())
}

fn open_files(program: &Program) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{}/fd", program.id()))?.count())
}

#[test]
fn only_the_leaking_controller_leaves_connections() -> anyhow::Result<()> {
    let (server, address) = start_server(64)?;
    assert_eq!(comm(&server)?, "grpc-server");

    let one_shot = Program::start(&format!("client --target {address} --source 127.0.0.2"))?;
    line_with(&one_shot.stdout, "SERVING")?;
    assert!(one_shot.finish()?.success());
    wait_all_closed(address)?;

    let leak = "controller --source 127.0.0.3 --every 20ms --channels 3 --loops 5 --for 20s";
    let controller = Program::start(&format!("{leak} --target {address}"))?;
    line_with(&controller.stdout, "loop 5: 15 channels open")?;
    assert_eq!(comm(&controller)?, "controller");
    let source = Ipv4Addr::new(127, 0, 0, 3);
    wait_until(address, "15 connections, both ends established", |sockets| {
        sockets.iter().all(Socket::is_established)
            && sockets
                .iter()
                .filter(|socket| *socket.local.ip() == source)
                .count()
                == 15
            && sockets
                .iter()
                .filter(|socket| *socket.remote.ip() == source)
                .count()
                == 15
            && sockets.len() == 30
    })?;

    // The server must notice on its own that the peer is gone: no CLOSE_WAIT may stay.
    controller.kill()?;
    wait_all_closed(address)?;

    let fixed = Program::start(&format!("{leak} --fixed --target {address}"))?;
    for number in 1..=5 {
        line_with(&fixed.stdout, &format!("loop {number}: 0 channels open"))?;
    }
    assert!(fixed.finish()?.success());
    wait_all_closed(address)?;

    assert!(server.terminate()?.success());
    Ok(())
}

#[test]
fn a_full_server_serves_nobody_until_the_leak_is_gone() -> anyhow::Result<()> {
    let (server, address) = start_server(32)?;
    let one_shot = format!("client --target {address} --call-timeout 300ms");

    let leak = "controller --every 20ms --channels 3 --call-timeout 300ms --max-open 40 --for 20s";
    let controller = Program::start(&format!("{leak} --target {address}"))?;
    line_with(&server.stderr, "accept error: Too many open files")?;
    line_with(&controller.stderr, "health check failed: no answer within 300ms")?;
    let files = open_files(&server)?;
    // More than the limit if the test itself was started with open files of high numbers.
    assert!(files >= 32, "{files}");

    // To the innocent client the server looks frozen: it connects, and nobody answers.
    let frozen = Program::start(&one_shot)?;
    line_with(
        &frozen.stderr,
        "error: health check failed: no answer within 300ms",
    )?;
    assert!(!frozen.finish()?.success());

    assert!(controller.terminate()?.success());
    line_with(&server.stderr, "accepting again")?;
    wait_all_closed(address)?;
    let answered = Program::start(&one_shot)?;
    line_with(&answered.stdout, "SERVING")?;
    assert!(answered.finish()?.success());

    assert!(server.terminate()?.success());
    Ok(())
}
