//! One line for each stack that opened what is still open.

use std::{fmt::Write as _, time::Duration};

use super::grid::{Grid, left, right};
use crate::{
    model::by_stack::{ByStack, StackRow},
    output::{number::grouped, span, stack, table, text},
};

/// The whole text. `watched` is how long.
pub fn render(found: &ByStack, rows: usize, watched: Duration) -> String {
    let open = found.open();
    let mut grid = Grid::new([
        right("open"),
        right("share"),
        left("process"),
        left("peer"),
        left("opened by"),
    ]);
    for row in found.rows.iter().take(rows) {
        grid.row([
            grouped(row.connections.into()),
            share(row.connections, open),
            text::process(row.process, row.comm),
            row.peer
                .map_or_else(|| "several".to_owned(), |peer| table::peer_name(&peer)),
            code(row),
        ]);
    }
    if found.before > 0 {
        let before = [grouped(found.before.into()), share(found.before, open)];
        let nothing = [const { String::new() }; 2];
        let what = ["[opened before]".to_owned()];
        grid.row(before.into_iter().chain(nothing).chain(what));
    }
    let mut rendered = grid.render();
    let hidden = found.rows.len().saturating_sub(rows);
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _: std::fmt::Result = writeln!(rendered, "{text}");
    };
    if hidden > 0 {
        line(format_args!(" ... and {hidden} more; raise --rows to see them"));
    }
    line(format_args!(
        "{} open, of which {} opened in the {} of watching",
        grouped(open.into()),
        grouped((open - found.before).into()),
        span::human(watched)
    ));
    rendered
}

fn share(count: u32, of: u32) -> String {
    format!(
        "{}%",
        (u64::from(count) * 100 + u64::from(of) / 2) / u64::from(of.max(1))
    )
}

fn code(row: &StackRow) -> String {
    match &row.code {
        Ok(trace) => stack::chain(trace, false),
        Err(why) => format!("stack unavailable: {}", stack::missing(*why)),
    }
}
