//! Network namespaces.

use crate::{
    context::Context,
    ledger::{Ledger, counts},
    puppet::{Puppet, at, loopback},
    stream::Direction::{Inbound, Outbound},
    tracer_process::Tracer,
};

/// The same four addresses at the same time in three namespaces are three connections.
pub fn namespaces(context: &Context) -> anyhow::Result<()> {
    let mut first = Puppet::start("tt-first")?;
    let listener = first.listen(loopback(1))?;
    // Taken here, so free in the other namespaces: they have nothing else.
    let source = first.bind(loopback(3))?.port();
    let (mut second, mut third) = (Puppet::start("tt-second")?, Puppet::start("tt-third")?);
    for twin in [&mut second, &mut third] {
        twin.isolate()?;
        // The first socket of each, as in the first program.
        let listener = twin.bind_at(listener.address)?;
        twin.listen_at(listener, 8)?;
    }
    let mut tracer = Tracer::start(context, &[listener.port()])?;

    let mut ends = Vec::new();
    for twin in [&mut first, &mut second, &mut third] {
        let connected = twin.connect_from(at(2, source), listener.address, 1)?;
        ends.push((connected, twin.accept(listener, 1)?));
    }
    // So many ends closed of each program: the client's, then the server's.
    let truth = |of_first: usize, of_second: usize| {
        [(&first, of_first), (&second, of_second), (&third, 0)]
            .into_iter()
            .fold(Ledger::default(), |ledger, (twin, ends)| {
                let (outbound, inbound) = (counts(1, ends.min(1)), counts(1, ends / 2));
                ledger
                    .both(twin, Outbound, loopback(1), listener.port(), outbound)
                    .both(twin, Inbound, loopback(2), listener.port(), inbound)
            })
    };
    let (open, one_closed, three_closed) = (truth(0, 0), truth(0, 1), truth(2, 1));
    tracer.expect("all open", &open)?;
    second.close(&ends[1].0)?;
    tracer.expect("one closed", &one_closed)?;
    first.close(&ends[0].0)?;
    first.close(&ends[0].1)?;
    tracer.stop()?.expect("at the end", &three_closed)
}
