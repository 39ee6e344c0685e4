//! The readers, and what must hold of what they read.

use std::fs;
use std::path::Path;

use blocksmith::arch::{Shape, build, canonical};
use blocksmith::config::Experiment;
use blocksmith::cost;
use blocksmith::error::Error;
use blocksmith::space::{Candidate, SearchSpace, notation};
use blocksmith::study::event::{Event, Record};
use blocksmith::study::journal::{self, Journal};
use blocksmith::study::{TrialStatus, folder, state};
use blocksmith::train::{Table, TableEnd};
use tempfile::TempDir;

use crate::harness::Reader;

/// Blocks of a network that is built: the reader is what is tested.
const BLOCKS: usize = 64;

/// The wording of an error: its words that the input does not have.
fn kind(error: &str, input: &[u8]) -> String {
    let input = String::from_utf8_lossy(input);
    let words = error
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() > 1 && !input.contains(*word));
    words.take(12).collect::<Vec<_>>().join(" ")
}

/// A refusal is one line for the user, with exit code 2.
fn refusal(error: &Error, input: &[u8]) -> String {
    let text = error.to_string();
    assert_eq!(error.exit_code(), 2, "{text}");
    assert!(!text.is_empty() && text.len() < 8192 && !text.contains(['\n', '\r', '\0']), "{text:?}");
    // Without the file's name, which is another in every run.
    let named = [".yaml", ".jsonl", ".csv"].iter().find_map(|end| text.split_once(end));
    kind(named.map_or(text.as_str(), |(_, text)| text), input)
}

/// Memory where the system has such a place.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Experiment files. Lines that begin with `--set ` are assignments on the command line.
pub struct Experiments(TempDir);

impl Experiments {
    pub fn new() -> Self {
        let root = scratch();
        // The spaces that the shipped experiments name.
        for name in ["experiments", "search-spaces"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let spaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("search-spaces");
        for entry in fs::read_dir(spaces).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, root.path().join("search-spaces").join(path.file_name().unwrap())).unwrap();
        }
        Self(root)
    }
}

impl Reader for Experiments {
    fn name(&self) -> &'static str {
        "experiment"
    }

    fn read(&self, input: &[u8]) -> Result<String, String> {
        let (mut file, mut assignments) = (Vec::new(), Vec::new());
        for line in input.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_prefix(b"--set ").and_then(|text| str::from_utf8(text).ok()) {
                Some(text) => assignments.push(text.trim_end().to_owned()),
                None => file.extend(line),
            }
        }
        let path = self.0.path().join("experiments/fuzzed.yaml");
        fs::write(&path, file).unwrap();
        let experiment = Experiment::load(&path, &assignments).map_err(|error| refusal(&error, input))?;
        let json = serde_json::to_string(&experiment).unwrap();
        assert_eq!(serde_json::from_str::<Experiment>(&json).unwrap(), experiment, "{json}");
        let Experiment { train, search, variants, seeds, baseline, .. } = experiment;
        let strategy = search.map(|search| (search.strategy, search.trials.is_some()));
        let shape = (
            strategy,
            variants.len().min(4),
            seeds.len().min(4),
            baseline.is_some(),
            train.weights.is_some(),
        );
        Ok(format!("{shape:?} {:?} {:?}", train.precision, std::mem::discriminant(&train.schedule)))
    }
}

/// Search space files.
pub struct Spaces;

impl Reader for Spaces {
    fn name(&self) -> &'static str {
        "space"
    }

    fn read(&self, input: &[u8]) -> Result<String, String> {
        let text = str::from_utf8(input).map_err(|_| "not UTF-8")?;
        let space = SearchSpace::parse("space.yaml", text).map_err(|error| refusal(&error, input))?;
        let size = space.size();
        assert!(size > 0 && space.get(size).is_none() && space.get(u128::MAX).is_none());
        let factors = space.factors();
        for index in [0, size / 3, size / 2, size - 1] {
            let drawn = space.get(index).unwrap();
            assert_eq!(drawn.index, index);
            let again = drawn.candidate.text();
            if drawn.candidate.check().is_ok() {
                assert_eq!(notation::parse(&again).unwrap().text(), again);
            }
            for (name, level) in &drawn.choices {
                let factor = factors.iter().find(|factor| factor.name == *name);
                assert!(factor.is_some_and(|factor| factor.levels.contains(level)), "{name} {level}");
            }
        }
        Ok(format!("{} factors, 2^{} candidates", factors.len(), size.ilog2()))
    }
}

/// Candidates in block notation.
pub struct Notation;

impl Reader for Notation {
    fn name(&self) -> &'static str {
        "notation"
    }

    fn read(&self, input: &[u8]) -> Result<String, String> {
        let text = str::from_utf8(input).map_err(|_| "not UTF-8")?;
        let candidate: Candidate = notation::parse(text).map_err(|error| kind(&error, input))?;
        candidate.check().unwrap();
        let printed = candidate.text();
        let again = notation::parse(&printed).unwrap();
        assert_eq!(again.text(), printed);
        let blocks =
            |candidate: &Candidate| candidate.stages.iter().map(|stage| stage.repeats).sum::<usize>();
        if blocks(&candidate) > BLOCKS {
            return Ok("long".into());
        }
        // One text is one network.
        let networks =
            [&candidate, &again].map(|candidate| build::network(candidate, Shape::new(3, 32, 32), 10));
        match networks {
            [Ok(network), Ok(same)] => {
                assert_eq!(network.hash(), same.hash());
                let canonical = build::network(&canonical::of(&network), Shape::new(3, 32, 32), 10).unwrap();
                assert_eq!(network.hash(), canonical.hash());
                let cost = cost::of(&network);
                Ok(format!(
                    "{} stages, 2^{} params",
                    candidate.stages.len(),
                    cost.params.checked_ilog2().unwrap_or(0)
                ))
            }
            [Err(a), Err(b)] => {
                assert_eq!(a, b);
                Ok(kind(&a, input))
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Journals.
pub struct Journals(TempDir);

impl Journals {
    pub fn new() -> Self {
        Self(scratch())
    }
}

impl Reader for Journals {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn read(&self, input: &[u8]) -> Result<String, String> {
        let dir = self.0.path();
        let path = folder::journal(dir);
        fs::write(&path, input).unwrap();
        let (state, replay) = state::replay(dir).map_err(|error| refusal(&error, input))?;
        assert!(replay.whole <= input.len() as u64);
        let Some(state) = state else {
            assert!(state::read(dir).is_err());
            return Ok("nothing".into());
        };
        let print = |record: &Record| serde_json::to_string(record).unwrap();
        let mut records = 0;
        journal::replay(&path, |record| {
            let printed = print(&record);
            assert_eq!(print(&serde_json::from_str(&printed).unwrap()), printed);
            records += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(records, replay.lines);
        let (hash, best) = (state.results_hash(), state.best().map(|trial| trial.number));
        let finished = state.count(TrialStatus::Finished);
        // What reads goes on: a torn line is cut off, and the next event follows.
        let mut journal = Journal::open(&path, replay).unwrap();
        journal.append(vec![Event::StudyInterrupted], Vec::new).unwrap();
        let continued = state::read(dir).map_err(|error| panic!("{error}")).unwrap();
        assert_eq!((continued.results_hash(), continued.trials.len()), (hash, state.trials.len()));
        Ok(format!("{records} events, {finished} finished, best {best:?}"))
    }
}

/// Tables, in gzip or not.
pub struct Tables(TempDir);

impl Tables {
    pub fn new() -> Self {
        Self(scratch())
    }
}

impl Reader for Tables {
    fn name(&self) -> &'static str {
        "table"
    }

    fn read(&self, input: &[u8]) -> Result<String, String> {
        let path = self.0.path().join("table.csv");
        fs::write(&path, input).unwrap();
        let table = Table::read(&path).map_err(|error| refusal(&error, input))?;
        // Losses may be NaN, which is not equal to itself; texts are.
        let text = table.text().unwrap();
        for gzip in [false, true] {
            fs::write(&path, table.bytes(gzip).unwrap()).unwrap();
            let again = Table::read(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(again.text().unwrap(), text);
        }
        let (mut failed, mut most) = (0, 0.0_f64);
        for row in table.rows() {
            let own = table.trial(&row.candidate, row.seed).unwrap();
            assert_eq!((&own.candidate, own.seed), (&row.candidate, row.seed));
            let other = table.trial(&row.candidate, row.seed.wrapping_add(1)).unwrap();
            assert_eq!((&other.choices, other.params), (&row.choices, row.params));
            assert!(table.has(&row.candidate) && table.seconds(&row.candidate).unwrap() >= 0.0);
            let finished = matches!(row.end, TableEnd::Finished { .. });
            assert!(row.epochs.len() == table.epochs || !finished && row.epochs.len() < table.epochs);
            assert_eq!(row.choices.len(), table.factors.len());
            for epoch in &row.epochs {
                assert!(
                    (0.0..=100.0).contains(&epoch.accuracy) && (0.0..=100.0).contains(&epoch.train_accuracy)
                );
                most = most.max(epoch.accuracy);
            }
            failed += usize::from(!finished);
        }
        assert!(table.candidates() > 0 && table.candidates() <= table.rows().len());
        let (rows, seeds) = (table.rows().len(), table.seeds().len());
        Ok(format!("{rows} rows, {seeds} seeds, {failed} failed, {} epochs, {}", table.epochs, most > 50.0))
    }
}
