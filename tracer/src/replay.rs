//! `tracer replay`: what a recording tells, through the ledger, the rules and the outputs of live tracing.

mod compressed;
mod losses;
mod pace;
mod session;
mod source;

use anyhow::bail;

use crate::{
    analysis::talk,
    cli::args::Replay,
    output::sanitize,
    recording::{line::Line, reader::Entry},
    stdout::Closed,
};
use session::{Ended, Session, Settings};
use source::{Piece, Source};

/// Replays.
///
/// # Errors
/// When a recording cannot be read, or not all of its lines can be used, or stdout cannot be written.
pub fn run(options: Replay) -> anyhow::Result<()> {
    let (paths, settings) = Settings::of(options)?;
    let replaying = Replaying {
        settings,
        session: None,
        file: String::new(),
        lines: 0,
        rejected: 0,
        unknown: 0,
    };
    match replaying.run(Source::open(paths)?) {
        Err(error) if error.downcast_ref::<Closed>().is_some() => Ok(()),
        ended => ended,
    }
}

/// A replay under way.
struct Replaying {
    settings: Settings,
    /// From the first header on.
    session: Option<Session>,
    /// The file that is being read.
    file: String,
    lines: u64,
    rejected: u64,
    unknown: u64,
}

impl Replaying {
    fn run(mut self, mut source: Source) -> anyhow::Result<()> {
        while let Some(piece) = source.next() {
            match piece {
                Piece::File(name) => self.file = name,
                Piece::Entries(mut entries) => {
                    for entry in entries.drain(..) {
                        if let Some(ended) = self.take(entry)? {
                            return self.finish(ended);
                        }
                    }
                    source.give_back(entries);
                    if self.is_stopped()? {
                        return self.finish(Ended::Interrupted);
                    }
                }
                Piece::Cut(what) => complain(&what),
                Piece::Failed(error) => {
                    // What was read until then is worth telling, but it is not the news.
                    if let Some(session) = self.session {
                        session.finish(Ended::Unreadable, self.settings.export)?;
                    }
                    return Err(error);
                }
            }
        }
        self.finish(Ended::AtEnd)
    }

    fn take(&mut self, entry: Entry) -> anyhow::Result<Option<Ended>> {
        self.lines += 1;
        match entry {
            Entry::Line(Line::Header(header)) => {
                let before = self.session.take();
                self.session = Some(Session::follow(before, &header, &self.settings, &self.file)?);
                return Ok(None);
            }
            Entry::Line(line) => {
                if let Some(session) = &mut self.session {
                    return session.take(line);
                }
            }
            Entry::Unknown => self.unknown += 1,
            Entry::Rejected(why) => {
                self.rejected += 1;
                if let Some(why) = why {
                    let why = sanitize::printable(why.to_string().as_bytes());
                    complain(&format!("{}, {why}", self.file));
                }
                if let Some(session) = &mut self.session {
                    session.reject();
                }
            }
        }
        Ok(None)
    }

    fn is_stopped(&self) -> anyhow::Result<bool> {
        self.session.as_ref().map_or(Ok(false), Session::is_stopped)
    }

    fn finish(self, ended: Ended) -> anyhow::Result<()> {
        if let Some(session) = self.session {
            session.finish(ended, self.settings.export)?;
        }
        if self.unknown > 0 {
            let (unknown, lines) = (self.unknown, self.lines);
            complain(&format!(
                "{unknown} of {lines} lines are of kinds that are not known here"
            ));
        }
        if self.rejected > 0 {
            bail!("{} of {} lines could not be used", self.rejected, self.lines);
        }
        Ok(())
    }
}

fn complain(what: &str) {
    talk(&format!("tracer: {what}\n"));
}
