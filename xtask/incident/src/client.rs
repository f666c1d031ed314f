//! The innocent: a command that connects, asks, closes and ends.

use crate::dial::Dialer;
use crate::output;

/// Makes one connection and one health check, prints the answer and closes the connection.
pub(crate) async fn run(dialer: &Dialer) -> anyhow::Result<()> {
    let channel = dialer.open().await?;
    let answer = dialer.check(channel).await;
    // The check took the only handle of the channel, so its connection is closing now.
    dialer.wait_closed().await?;
    Ok(output::line(answer?.as_str_name())?)
}
