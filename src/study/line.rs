//! Lines of a journal as records, quickly: a study of a million trials has millions.

use rayon::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::event::{CandidateRecord, EpochMetrics, Event, Metrics, Record, TrialResult};
use crate::search::{Adapted, Proposal};

/// Lines from which threads are worth their start.
const MANY: usize = 500;

/// What is read of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    All,
    /// All but the choices of candidates, which are most of what a candidate takes.
    WithoutChoices,
}

/// Reads each of the lines.
pub fn parse_all(lines: &[&[u8]], detail: Detail) -> Vec<serde_json::Result<Record>> {
    if lines.len() < MANY {
        return lines.iter().map(|line| parse(line, detail)).collect();
    }
    lines.par_iter().with_min_len(MANY / 4).map(|line| parse(line, detail)).collect()
}

/// Reads one line.
pub fn parse(line: &[u8], detail: Detail) -> serde_json::Result<Record> {
    match common(line, detail) {
        Some(record) => Ok(record),
        None => serde_json::from_slice(line),
    }
}

/// The events that a long journal consists of, read straight into their types: as a tagged enum beside `at`, every value
/// would first be copied into a tree. `None` for other events, and for what is none.
fn common(line: &[u8], detail: Detail) -> Option<Record> {
    #[derive(Deserialize)]
    struct Queued<Candidate> {
        at: u64,
        trial: usize,
        candidate: Candidate,
        seed: u64,
        #[serde(default)]
        until: Option<usize>,
        #[serde(default)]
        proposal: Option<Box<Proposal>>,
    }
    #[derive(Deserialize)]
    struct WithoutChoices {
        label: String,
        is_variant: bool,
        text: String,
        hash: String,
        params: u64,
        madds: u64,
        activation_memory: u64,
        #[serde(default)]
        adapted: Option<Box<Adapted>>,
        /// Read, as they must be there, and not kept.
        #[serde(rename = "choices")]
        _choices: Vec<(Unkept, Unkept)>,
    }
    #[derive(Deserialize)]
    struct Started {
        at: u64,
        trial: usize,
    }
    #[derive(Deserialize)]
    struct Epoch {
        at: u64,
        trial: usize,
        epoch: EpochMetrics,
    }
    #[derive(Deserialize)]
    struct Finished {
        at: u64,
        trial: usize,
        result: TrialResult,
    }
    #[derive(Deserialize)]
    struct Tested {
        at: u64,
        trial: usize,
        test: Metrics,
    }
    fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
        serde_json::from_slice(line).ok()
    }
    let (at, event) = match name(line)? {
        b"trial_queued" if detail == Detail::WithoutChoices => {
            let Queued::<WithoutChoices> { at, trial, candidate, seed, until, .. } = read(line)?;
            let WithoutChoices {
                label,
                is_variant,
                text,
                hash,
                params,
                madds,
                activation_memory,
                adapted,
                ..
            } = candidate;
            let candidate = CandidateRecord {
                label,
                is_variant,
                text,
                hash,
                choices: Vec::new(),
                merged: None,
                params,
                madds,
                activation_memory,
                adapted,
            };
            (at, Event::TrialQueued { trial, candidate, seed, until, proposal: None })
        }
        b"trial_queued" => {
            let Queued::<CandidateRecord> { at, trial, candidate, seed, until, proposal } = read(line)?;
            (at, Event::TrialQueued { trial, candidate, seed, until, proposal })
        }
        b"trial_started" => {
            let Started { at, trial } = read(line)?;
            (at, Event::TrialStarted { trial })
        }
        b"epoch_finished" => {
            let Epoch { at, trial, epoch } = read(line)?;
            (at, Event::EpochFinished { trial, epoch })
        }
        b"trial_finished" => {
            let Finished { at, trial, result } = read(line)?;
            (at, Event::TrialFinished { trial, result })
        }
        b"test_evaluated" => {
            let Tested { at, trial, test } = read(line)?;
            (at, Event::TestEvaluated { trial, test })
        }
        _ => return None,
    };
    Some(Record { at, event })
}

/// A text that is read and not kept: a list of them takes no memory.
struct Unkept;

impl<'de> Deserialize<'de> for Unkept {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(from).map(|_| Self)
    }
}

/// The event's name where the line begins as blocksmith writes it: `{"at":17,"event":"trial_started"`.
fn name(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"{\"at\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(b",\"event\":\"")?;
    Some(&rest[..rest.iter().position(|byte| *byte == b'"')?])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the journal's own types read is the reference: the quick way reads the same, and refuses the same.
    #[test]
    fn quick_and_plain_reading_agree() {
        let metrics = Metrics { loss: 0.1 + 0.2, accuracy: f64::NAN, images: 10 };
        let epoch = EpochMetrics { epoch: 1, lr: 0.1, train: metrics, validation: metrics, seconds: 5e-324 };
        let result = TrialResult { epochs: 1, train: metrics, validation: metrics, seconds: 1.0 };
        let candidate = CandidateRecord {
            label: "\"ü\"".into(),
            is_variant: false,
            text: "ir_r1".into(),
            hash: "00".into(),
            choices: vec![("a".into(), "b".into())],
            merged: None,
            params: 1,
            madds: 2,
            activation_memory: 3,
            adapted: Some(Box::new(Adapted {
                from: "01".into(),
                step: 1,
                change: "hidden 8 to 6 in block 1".into(),
                cost_before: 3.5,
                cost: 1e9,
            })),
        };
        let events = [
            Event::TrialQueued {
                trial: 1,
                candidate,
                seed: u64::MAX,
                until: Some(3),
                proposal: Some(Box::new(Proposal { genome: vec![0, 7], words: u64::MAX, draws: 1 })),
            },
            Event::TrialStarted { trial: 1 },
            Event::EpochFinished { trial: 1, epoch },
            Event::TrialFinished { trial: 1, result },
            Event::TestEvaluated { trial: 1, test: metrics },
            Event::StudyFinished,
        ];
        for (n, event) in events.into_iter().enumerate() {
            let whole = serde_json::to_vec(&Record { at: 17, event }).unwrap();
            assert_eq!(common(&whole, Detail::All).is_some(), n < 5, "{}", String::from_utf8_lossy(&whole));
            for cut in 0..=whole.len() {
                let plain = serde_json::from_slice::<Record>(&whole[..cut]);
                let text =
                    |read: serde_json::Result<Record>| read.map(|r| serde_json::to_string(&r).unwrap());
                let (quick, plain) = (text(parse(&whole[..cut], Detail::All)), text(plain));
                assert_eq!(quick.map_err(|e| e.to_string()), plain.map_err(|e| e.to_string()));
            }
        }
    }
}
