//! Fuzzing of all that reads what people and crashes leave: experiment files, search spaces, block notation, journals, tables.
//!
//! Inputs are mutations of the files in `corpus/`; arbtest makes the choices and keeps the time. An input with an outcome of a
//! kind not seen before (an error of another wording, a value of another shape) joins the corpus for the rest of the run. Each
//! reader has a few seconds in every `cargo test --release`. The long run, ten minutes unless the variable says otherwise:
//!
//! ```text
//! BLOCKSMITH_FUZZ_SECONDS=600 cargo test --release --test fuzz -- --ignored --nocapture
//! ```
//!
//! What fails is written into the reader's corpus as `found-HASH`, and fails again until it is mended.

mod harness;
mod mutation;
mod readers;

use std::time::Duration;

use harness::{Reader, fuzz};
use readers::{Experiments, Journals, Notation, Spaces, Tables};

/// Time of each reader in every run of the tests.
const SHORT: Duration = Duration::from_millis(1500);

fn readers() -> Vec<Box<dyn Reader>> {
    vec![
        Box::new(Experiments::new()),
        Box::new(Spaces),
        Box::new(Notation),
        Box::new(Journals::new()),
        Box::new(Tables::new()),
    ]
}

/// All readers one after another, so that memory and time are one reader's.
#[test]
fn short() {
    for reader in readers() {
        let tally = fuzz(reader.as_ref(), SHORT);
        println!("{tally}");
        // Were nothing or everything read, the mutations would miss the readers' logic.
        assert!(tally.executions > 100 && tally.read > 0 && tally.refused > 0, "{tally}");
    }
}

#[test]
#[ignore = "ten minutes: see the head of this file"]
fn long() {
    let seconds = std::env::var("BLOCKSMITH_FUZZ_SECONDS").map_or(600.0, |text| text.parse().unwrap());
    let readers = readers();
    for reader in &readers {
        println!("{}", fuzz(reader.as_ref(), Duration::from_secs_f64(seconds / readers.len() as f64)));
    }
}
