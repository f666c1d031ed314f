//! The culprit: a controller that opens channels in every reconcile loop, and the same with the cure.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tonic::transport::Channel;

use crate::dial::Dialer;
use crate::output;
use crate::stop::Stop;

/// What the controller does, and its bounds.
pub(crate) struct Plan {
    /// Time from one loop to the next.
    pub(crate) every: Duration,
    /// Channels opened in each loop.
    pub(crate) channels: u16,
    /// Number of loops; without it they go on until the end.
    pub(crate) loops: Option<u64>,
    /// Most connections to have open.
    pub(crate) max_open: usize,
    /// Close the channels at the end of each loop.
    pub(crate) fixed: bool,
    /// Hard stop.
    pub(crate) lifetime: Duration,
}

/// Runs the loops until they are done or the controller is stopped.
pub(crate) async fn run(dialer: Dialer, plan: Plan) -> anyhow::Result<()> {
    let stop = Stop::after(plan.lifetime)?;
    tokio::select! {
        done = reconcile(&dialer, &plan) => done,
        reason = stop.wait() => {
            let open = dialer.open_connections();
            Ok(output::line(&format!("controller stopped: {reason}, {open} channels open"))?)
        }
    }
}

async fn reconcile(dialer: &Dialer, plan: &Plan) -> anyhow::Result<()> {
    let mut ticks = interval(plan.every);
    // Loops that a frozen server held up are not made up for in a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = Vec::new();
    let mut number: u64 = 0;
    while plan.loops.is_none_or(|loops| number < loops) {
        ticks.tick().await;
        number += 1;
        open_and_check(dialer, plan, number, &mut held).await;
        if plan.fixed {
            held.clear();
            dialer.wait_closed().await?;
        }
        output::line(&format!(
            "loop {number}: {} channels open",
            dialer.open_connections()
        ))?;
    }
    if !plan.fixed {
        // The leak outlives the work: the connections stay until the process is stopped.
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// One loop's channels. A failure costs a line and nothing else, as in the controller of the incident.
async fn open_and_check(dialer: &Dialer, plan: &Plan, number: u64, held: &mut Vec<Channel>) {
    for channel_number in 1..=plan.channels {
        if dialer.open_connections() >= plan.max_open {
            eprintln!("loop {number}: no more channels, {} are open", plan.max_open);
            return;
        }
        let result = match dialer.open().await {
            Ok(channel) => {
                let checked = dialer.check(channel.clone()).await;
                // Held even if the check failed: whoever forgets to close forgets it on the error path too.
                held.push(channel);
                checked.map(drop)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            eprintln!("loop {number}, channel {channel_number}: {error:#}");
        }
    }
}
