//! What each trial of a study gets of the machine: how many run at once, on how many threads, in how much memory.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use super::memory::Budget;
use super::numbers::bytes;
use super::place::Place;
use super::plan::Planned;
use crate::arch::Network;
use crate::config::yaml::Step;
use crate::error::{Error, Result};

/// A number that the user may leave to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Auto,
    Is(usize),
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        match text.parse() {
            Ok(number @ 1..=1024) => Ok(Self::Is(number)),
            _ => Err("give a number from 1 to 1024, or auto".into()),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Is(number) => write!(f, "{number}"),
        }
    }
}

/// What the user asked for, and what there is.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub jobs: Count,
    pub threads: Count,
    pub cores: usize,
    /// Trials of the study, where that is known.
    pub trials: Option<usize>,
    pub memory: Budget,
}

/// How trials share the machine. Their numbers depend on none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    pub jobs: usize,
    /// Threads of each trial.
    pub threads: usize,
    /// Bytes that all trials may take together.
    pub memory: Option<u64>,
    /// Sentences about why it is so: fewer jobs than without the memory budget, or what was measured.
    pub notices: Vec<String>,
}

impl Shares {
    /// As many trials at once as there are cores, trials, and memory for the largest of them, which needs `largest` bytes;
    /// each on as many threads as there are cores for it; [`fastest`](super::measured::fastest) may give fewer of them more
    /// cores. What the user asked for goes before the cores, and the memory before that.
    pub fn new(wanted: &Wanted, largest: u64) -> Self {
        let Wanted { jobs, threads, cores, trials, memory } = *wanted;
        let asked = match (jobs, threads) {
            (Count::Is(jobs), _) => jobs,
            (Count::Auto, Count::Is(threads)) => cores / threads,
            (Count::Auto, Count::Auto) => cores,
        };
        let without = asked.min(trials.unwrap_or(asked)).max(1);
        let fit = memory.bytes.map_or(u64::MAX, |budget| (budget / largest.max(1)).max(1));
        let jobs = usize::try_from(fit).unwrap_or(usize::MAX).min(without);
        let threads = match threads {
            Count::Is(threads) => threads,
            Count::Auto => (cores / jobs).max(1),
        };
        let notices = (jobs < without).then(|| {
            let trials = if jobs == 1 { "1 trial".to_owned() } else { format!("{jobs} trials") };
            format!(
                "{trials} at once instead of {without}: the largest network needs {}, and {}",
                bytes(largest),
                memory.text()
            )
        });
        Self { jobs, threads, memory: memory.bytes, notices: notices.into_iter().collect() }
    }
}

/// Threads that trials may have together where the machine has few cores.
const MOST_THREADS: usize = 1024;

impl Shares {
    /// Refuses more threads than make sense.
    ///
    /// # Errors
    /// A sentence with the product and the most.
    pub fn check_threads(&self, cores: usize) -> Result<()> {
        let (threads, most) = (self.jobs.saturating_mul(self.threads), MOST_THREADS.max(8 * cores));
        if threads <= most {
            return Ok(());
        }
        Err(Error::request(format!(
            "--jobs {} --threads {}: {threads} threads on {cores} cores; give {most} at most, or leave it to the program",
            self.jobs, self.threads
        )))
    }
}

/// Bytes that the largest trial to come needs, of those that fit into the budget: `ahead` are the first candidates, of
/// which those in `ended` are trained already, and `need` foretells what one needs.
///
/// A variant is trained because it was named, so one that does not fit is refused; so is a search of which nothing fits. A
/// searched candidate that alone does not fit becomes a failed trial: which candidates a study proposes must not depend on
/// the machine, or it could not be continued on another.
///
/// # Errors
/// A sentence with need, budget and remedy.
pub fn largest<'a>(
    ahead: impl Iterator<Item = &'a Planned>,
    ended: &HashSet<String>,
    need: impl Fn(&Network) -> u64,
    budget: Budget,
    batch: usize,
    place: Place,
) -> Result<u64> {
    let key = |name: &str| Step::Key(name.to_owned());
    let refuse = |steps: &[Step], what: String, need: u64| -> Error {
        let message = format!(
            "{what} needs {} to be trained at batch {batch} and evaluated, and {}: lower train.batch, or give a larger \
             --memory",
            bytes(need),
            budget.text()
        );
        place.error(steps, &message)
    };
    let (mut largest, mut smallest, mut fitting, mut searched) = (0, u64::MAX, 0_usize, 0_usize);
    for (number, (candidate, network)) in ahead.enumerate() {
        if ended.contains(&candidate.hash) {
            continue;
        }
        let need = need(network);
        let fits = budget.allows(need);
        if candidate.is_variant && !fits {
            // Variants come first, in the order of the file.
            let steps = [key("variants"), Step::Item(number), key("network")];
            return Err(refuse(&steps, format!("variant {}", candidate.label), need));
        }
        if !candidate.is_variant {
            searched += 1;
            fitting += usize::from(fits);
            smallest = smallest.min(need);
        }
        if fits {
            largest = largest.max(need);
        }
    }
    if searched > 0 && fitting == 0 {
        let what = match searched {
            1 => "the search's only candidate".to_owned(),
            many => format!("the smallest of the search's first {many} candidates"),
        };
        return Err(refuse(&[key("train"), key("batch")], what, smallest));
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::simulated;

    fn shares(jobs: &str, threads: &str, cores: usize, trials: Option<usize>, budget: Option<u64>) -> Shares {
        let [jobs, threads] = [jobs, threads].map(|text| text.parse().unwrap());
        let memory = budget.map_or(Budget::UNKNOWN, |bytes| Budget::new(Some(bytes)));
        Shares::new(&Wanted { jobs, threads, cores, trials, memory }, 100)
    }

    #[test]
    fn cores_are_shared_among_trials() {
        for (jobs, threads, cores, trials, expected) in [
            ("auto", "auto", 8, Some(24), (8, 1)),
            ("auto", "auto", 8, None, (8, 1)),
            ("auto", "auto", 8, Some(3), (3, 2)),
            ("auto", "auto", 8, Some(1), (1, 8)),
            ("auto", "auto", 8, Some(0), (1, 8)),
            ("auto", "4", 8, Some(24), (2, 4)),
            ("auto", "16", 8, Some(24), (1, 16)),
            ("3", "auto", 8, Some(24), (3, 2)),
            ("16", "auto", 8, Some(24), (16, 1)),
            ("2", "2", 1, Some(24), (2, 2)),
            ("AUTO", "auto", 1, Some(2), (1, 1)),
        ] {
            let shares = shares(jobs, threads, cores, trials, None);
            assert_eq!((shares.jobs, shares.threads), expected, "{jobs} {threads} {cores} {trials:?}");
            assert!(shares.notices.is_empty());
        }
    }

    #[test]
    fn threads_without_end_are_refused() {
        let of = |jobs, threads| Shares { jobs, threads, memory: None, notices: Vec::new() };
        assert_eq!(of(1024, 1).check_threads(2), Ok(()));
        assert_eq!(of(32, 32).check_threads(2), Ok(()));
        let refused = of(1024, 1024).check_threads(2).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains("1048576 threads on 2 cores; give 1024 at most"), "{refused}");
        assert_eq!(of(512, 8).check_threads(512), Ok(()));
    }

    /// Every trial needs 100 bytes.
    #[test]
    fn trials_at_once_fit_into_the_memory() {
        for (jobs, budget, expected) in [
            ("auto", 1000, (8, 1)),
            ("auto", 800, (8, 1)),
            ("auto", 799, (7, 1)),
            ("auto", 399, (3, 2)),
            ("4", 250, (2, 4)),
            ("auto", 100, (1, 8)),
            ("auto", 1, (1, 8)),
        ] {
            let shares = shares(jobs, "auto", 8, None, Some(budget));
            assert_eq!((shares.jobs, shares.threads), expected, "{jobs} in {budget}");
            assert_eq!(shares.notices.len(), usize::from(budget < 800), "{jobs} in {budget}");
        }
        assert_eq!(
            shares("4", "auto", 8, None, Some(250)).notices.concat(),
            "2 trials at once instead of 4: the largest network needs 100 B, and the memory budget is 250 B (--memory)"
        );
    }

    #[test]
    fn a_count_is_a_number_or_auto() {
        for text in ["0", "1025", "-1", "many", "", "1.5"] {
            assert!(text.parse::<Count>().is_err(), "{text}");
        }
        assert_eq!("1024".parse(), Ok(Count::Is(1024)));
        assert_eq!(("auto".parse(), Count::Is(3).to_string()), (Ok(Count::Auto), "3".to_owned()));
    }

    /// Candidates that need as many bytes as their names have letters.
    fn check(variants: &[&str], searched: &[&str], ended: &[&str], budget: u64) -> Result<u64> {
        let experiment = simulated::experiment(&["mix"], &[1]);
        let trial = simulated::plan(&experiment).remove(0);
        let planned = |name: &&str, is_variant| {
            let mut planned = (trial.candidate.clone(), trial.network.clone());
            (planned.0.label, planned.0.hash) = ((*name).to_owned(), (*name).to_owned());
            planned.0.is_variant = is_variant;
            planned.1.name = (*name).to_owned();
            planned
        };
        let all: Vec<Planned> = variants
            .iter()
            .map(|name| planned(name, true))
            .chain(searched.iter().map(|name| planned(name, false)))
            .collect();
        let ended = ended.iter().map(|name| (*name).to_owned()).collect();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, "train: {batch: 7}\nvariants:\n- {network: a}\n- {network: b}\n").unwrap();
        let place = Place { file: &file, what: "experiment file", set: &[], phase: None };
        let budget = Budget::new(Some(budget));
        let found = largest(all.iter(), &ended, |n| n.name.len() as u64, budget, 7, place);
        found.map_err(|e| Error::request(e.to_string().replace(&file.display().to_string(), "FILE")))
    }

    #[test]
    fn what_does_not_fit_is_refused_or_left_to_fail() {
        assert_eq!(check(&["abc", "a"], &["ab", "abcd"], &[], 10), Ok(4));
        assert_eq!(check(&["abc", "a"], &["ab", "abcd"], &[], 3), Ok(3), "one of the search does not fit");
        assert_eq!(check(&[], &[], &[], 1), Ok(0));
        let refused = |variants: &[&str], searched: &[&str], budget| {
            let error = check(variants, searched, &[], budget).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        assert_eq!(
            refused(&["a", "abc"], &["a"], 2),
            "FILE:4:13: variants[1].network: variant abc needs 3 B to be trained at batch 7 and evaluated, \
             and the memory budget is 2 B (--memory): lower train.batch, or give a larger --memory"
        );
        assert_eq!(
            refused(&["a"], &["abcd", "abc"], 2),
            "FILE:1:16: train.batch: the smallest of the search's first 2 candidates needs 3 B to be trained at batch 7 \
             and evaluated, and the memory budget is 2 B (--memory): lower train.batch, or give a larger --memory"
        );
        assert!(refused(&[], &["abcd"], 2).contains("the search's only candidate needs 4 B"));
        // What is trained already needs no memory.
        assert_eq!(check(&["a", "abc"], &["abcd", "ab"], &["abc", "abcd"], 2), Ok(2));
        assert_eq!(check(&["abc"], &["abcd"], &["abc", "abcd"], 2), Ok(0));
    }
}
