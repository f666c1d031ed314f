//! A leak to be found.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Output},
    thread,
    time::Duration,
};

/// Starts tracers, given a port, and leaks connections to that port over IPv4 loopback, one every 100 ms, until all of
/// them have ended. This process is both ends. What the tracers print must fit a pipe's buffer.
pub fn leak_before(start: impl FnOnce(&str) -> Vec<Child>) -> Vec<Output> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut tracers = start(&address.port().to_string());
    let mut held = Vec::new();
    while tracers
        .iter_mut()
        .any(|tracer| tracer.try_wait().unwrap().is_none())
    {
        held.push(TcpStream::connect(address).unwrap());
        held.push(listener.accept().unwrap().0);
        thread::sleep(Duration::from_millis(100));
    }
    tracers
        .into_iter()
        .map(|tracer| tracer.wait_with_output().unwrap())
        .collect()
}
