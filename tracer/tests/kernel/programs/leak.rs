//! As leak.c.

use std::{io::Read as _, net::TcpStream, thread::sleep, time::Duration};

#[inline(never)]
fn open_and_close(port: u16) {
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
}

#[inline(never)]
fn open_and_leak(port: u16, held: &mut Vec<TcpStream>) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap(); // LEAK
    held.push(stream);
}

fn main() {
    let words: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let &[port, closed, leaked, pause] = words.as_slice() else { panic!("four numbers") };
    let port = u16::try_from(port).unwrap();
    let mut held = Vec::new();
    for _ in 0..closed {
        open_and_close(port);
    }
    for _ in 0..leaked {
        open_and_leak(port, &mut held);
        sleep(Duration::from_millis(pause));
    }
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
