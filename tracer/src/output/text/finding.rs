//! A finding for people.

mod certainty;
mod code;
mod exhaustion;
mod leak;
mod lines;
mod stall;

use anstyle::{AnsiColor, Style};

use super::process;
use crate::{
    leak::finding::{Finding, Kind, Resolution, Stage},
    model::{
        code::Code,
        connection::{Direction, Peer, PeerKey, ProcessId},
        name::Comm,
        time::Time,
    },
    output::{advice::Advice, circumstances::Circumstances, json::Wall, span, stack, who, wrap},
};
use lines::{labelled, list, paragraph};

const ALARM: Style = AnsiColor::Red.on_default().bold();
const CALM: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// A finding, in lines that fit a terminal; colours are removed where they are not wanted, by whoever writes it.
pub fn finding(finding: &Finding, circumstances: &Circumstances<'_>) -> String {
    let Circumstances { wall, now, .. } = *circumstances;
    let mut text = headline(finding, circumstances);
    match (finding.stage, &finding.kind) {
        (Stage::Resolved(how), kind) => {
            let ending = match kind {
                Kind::Leak(leak) => leak::ending(leak, how, now),
                Kind::Stalled(stalled) => stall::ending(stalled, how, wall, now),
                Kind::Exhaustion(exhaustion) => exhaustion::ending(exhaustion, how, now),
            };
            paragraph(&mut text, &ending);
        }
        (Stage::Updated, Kind::Leak(leak)) => leak::update(&mut text, finding, leak, circumstances),
        (_, Kind::Leak(leak)) => leak::tell(&mut text, finding, leak, circumstances),
        (_, Kind::Stalled(stalled)) => stall::tell(&mut text, finding, stalled, circumstances),
        (_, Kind::Exhaustion(exhaustion)) => exhaustion::tell(&mut text, finding, exhaustion, circumstances),
    }
    text
}

/// `14:03:09Z LEAK SUSPECTED leak-1: controller[4711] -> 10.0.0.7:9090`.
fn headline(finding: &Finding, circumstances: &Circumstances<'_>) -> String {
    let Circumstances { wall, now, .. } = *circumstances;
    let (style, what) = match (finding.stage, &finding.kind) {
        (Stage::Resolved(_), _) => (CALM, "RESOLVED".to_owned()),
        (Stage::Opened, Kind::Stalled(_)) => (ALARM, "SERVER STALLED".to_owned()),
        (Stage::Updated, Kind::Stalled(_)) => (ALARM, "SERVER STILL STALLED".to_owned()),
        (stage, Kind::Leak(leak)) => (ALARM, leak::title(leak, stage == Stage::Updated)),
        (_, Kind::Exhaustion(exhaustion)) => (ALARM, exhaustion::title(exhaustion).to_owned()),
    };
    let clock = wall.clock(now);
    let id = finding.id;
    // The styles take no columns.
    let column = wrap::width(&format!("{clock} {what} {id}: "));
    let mut text = format!("{DIM}{clock}{DIM:#} {style}{what}{style:#} {id}: ");
    wrap::fill(&mut text, column, 4, &subject(finding, circumstances));
    text
}

fn subject(finding: &Finding, circumstances: &Circumstances<'_>) -> String {
    let process = process(finding.process, finding.comm);
    match &finding.kind {
        Kind::Leak(leak) => {
            let subject = leak::subject(&process, leak);
            let culprit = circumstances
                .code
                .as_ref()
                .filter(|_| !matches!(finding.stage, Stage::Resolved(_)));
            match culprit.and_then(Code::main_culprit) {
                Some((frame, _)) => format!("{subject}, opened at {}", stack::place(frame)),
                None => subject,
            }
        }
        Kind::Stalled(stalled) => stall::subject(&process, stalled),
        Kind::Exhaustion(_) => process,
    }
}

/// `controller[4711] -> 10.0.0.7:9090` or `grpc-server[4712]:9090 <- 10.0.0.9`.
fn between(process: &str, group: &PeerKey) -> String {
    let port = group.service_port;
    match (group.direction, group.peer) {
        (Direction::Outbound, Peer::Address(address)) => {
            format!("{process} -> {}", std::net::SocketAddr::new(address, port))
        }
        (Direction::Outbound, Peer::Other) => format!("{process} -> other peers, any port"),
        (Direction::Inbound, Peer::Address(address)) => format!("{process}:{port} <- {address}"),
        (Direction::Inbound, Peer::Other) => format!("{process} <- other peers, any port"),
    }
}

/// How a finding ended.
const fn how(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Drained => "drained",
        Resolution::AcceptingAgain => "accepting again",
        Resolution::ListenerGone => "nobody listens there any more",
        Resolution::ProcessExited => "the process has exited",
        Resolution::ClosedByPeer => "closed by the peer",
        Resolution::Balanced => "as many close as open again",
        Resolution::Plateaued => "stopped growing",
        Resolution::Relieved => "there is room again",
    }
}

/// Who it is: the command line, where the process belongs, and who opened what it holds.
fn tell_process(text: &mut String, circumstances: &Circumstances<'_>) {
    if let Some(who) = circumstances.info.and_then(who::describe) {
        labelled(text, "who:", &who);
    }
    if !circumstances.openers.is_empty() {
        labelled(text, "opener:", &processes(&circumstances.openers));
    }
    if !circumstances.other_ends.is_empty() {
        let others = processes(&circumstances.other_ends);
        labelled(
            text,
            "peer:",
            &format!("the other ends are on this host: {others}"),
        );
    }
}

/// `controller[4711] (58), client[4712] (1)`.
fn processes(processes: &[(ProcessId, Comm, u32)]) -> String {
    let named: Vec<String> = processes
        .iter()
        .map(|(id, comm, count)| format!("{} ({count})", process(*id, *comm)))
        .collect();
    named.join(", ")
}

/// What it means, what to do, and what shows it.
fn advise(text: &mut String, finding: &Finding, circumstances: &Circumstances<'_>) {
    let advice = Advice::of(finding, circumstances.own_netns);
    labelled(text, "means:", &advice.meaning);
    labelled(text, "next:", &advice.next);
    if let Some(command) = &advice.command {
        list(text, command);
    }
}

/// `13:57:09Z, 6m ago`: the time of day alone would leave open which day.
fn moment(wall: Wall, now: Time, at: Time) -> String {
    format!("{}, {} ago", wall.clock(at), span::human(now.since(at)))
}
