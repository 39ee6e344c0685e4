//! `blocksmith status --follow`: a study as it goes.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use super::view::View;
use crate::error::{Error, Result};
use crate::study::folder;
use crate::study::lock::Lock;

/// How often the journal is looked at for change.
const LOOK: Duration = Duration::from_millis(200);
/// How often a terminal is drawn anew though nothing changed: the time left goes down.
const REDRAW: Duration = Duration::from_secs(1);
/// A journal that takes long to read is read again only after so many times as long.
const REST: u32 = 4;
/// Running trials that a terminal shows.
const RUNNING: usize = 16;

/// Shows the study in `dir` until it ends, and only reads. On a terminal the lines are drawn over; elsewhere there is a line,
/// or a JSON object, for each change.
///
/// # Errors
/// A sentence where there is no study or its journal does not read.
pub fn follow(dir: &Path, json: bool) -> Result<()> {
    let mut shown = Shown::new(json);
    let mut seen: Option<(Mark, bool)> = None;
    loop {
        // Before the journal: once nobody works on the study, what is read is all there will be.
        let owner = Lock::owner(dir);
        let now = (mark(dir), owner.is_some());
        let mut rest = LOOK;
        if seen.as_ref() == Some(&now) {
            shown.tick();
        } else {
            let is_owned = owner.is_some();
            let start = Instant::now();
            match View::read(dir, owner) {
                Ok(view) => {
                    let ended = view.state.finished || !is_owned;
                    if !shown.show(view)? {
                        return Ok(());
                    }
                    if ended {
                        return shown.end();
                    }
                }
                // It is about to begin: its folder is claimed, and its journal has no line yet.
                Err(Error::Request(_)) if is_owned && now.0.is_none_or(|(bytes, _)| bytes == 0) => {}
                Err(e) => return Err(e),
            }
            rest = rest.max(start.elapsed() * REST);
            seen = Some(now);
        }
        thread::sleep(rest);
    }
}

/// Length of the journal and when it was written last.
type Mark = Option<(u64, Option<SystemTime>)>;

fn mark(dir: &Path) -> Mark {
    let found = std::fs::metadata(folder::journal(dir)).ok()?;
    Some((found.len(), found.modified().ok()))
}

/// What has been shown.
enum Shown {
    Terminal {
        screen: MultiProgress,
        lines: Vec<ProgressBar>,
        view: Option<Box<View>>,
        drawn: Instant,
    },
    /// The last line that was printed.
    Lines {
        json: bool,
        last: String,
    },
}

impl Shown {
    fn new(json: bool) -> Self {
        if json || !output::is_terminal() {
            return Self::Lines { json, last: String::new() };
        }
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self::Terminal { screen, lines: Vec::new(), view: None, drawn: Instant::now() }
    }

    /// Shows a study as it now is; whether there is still somebody to show it to.
    fn show(&mut self, new: View) -> Result<bool> {
        match self {
            Self::Terminal { view, .. } => {
                *view = Some(Box::new(new));
                self.draw();
                Ok(true)
            }
            Self::Lines { json, last } => {
                let line = if *json { output::json_line(&new.json()) } else { new.line() };
                if line == *last {
                    return Ok(true);
                }
                last.clone_from(&line);
                output::told(&line)
            }
        }
    }

    fn tick(&mut self) {
        if let Self::Terminal { drawn, .. } = self
            && drawn.elapsed() >= REDRAW
        {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let Self::Terminal { screen, lines, view: Some(view), drawn } = self else { return };
        let mut text = view.head();
        let running = view.running();
        let more = running.len().saturating_sub(RUNNING);
        text.extend(running.into_iter().take(RUNNING));
        if more > 0 {
            text.push(format!("and {more} more running"));
        }
        while lines.len() > text.len() {
            if let Some(line) = lines.pop() {
                screen.remove(&line);
            }
        }
        while lines.len() < text.len() {
            let line = screen.add(ProgressBar::no_length());
            // Cut at the terminal's width. The template is a constant, and the default style shows the message too.
            line.set_style(
                ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            lines.push(line);
        }
        for (line, text) in lines.iter().zip(text) {
            output::set_message(line, &text);
        }
        *drawn = Instant::now();
    }

    /// Leaves the last state standing as plain text.
    fn end(self) -> Result<()> {
        let Self::Terminal { screen, lines, view: Some(view), .. } = self else { return Ok(()) };
        // Lines that are dropped clear themselves: before the text, or they would take it with them.
        for line in lines {
            line.finish_and_clear();
            screen.remove(&line);
        }
        let _ = screen.clear();
        drop(screen);
        output::print(&view.head().join("\n"))
    }
}
