//! A table of trials that were trained once: figures of every candidate, seed and epoch of a small space, kept so that
//! strategies can be compared on them without training (tabular benchmarks, after NAS-Bench-101: Ying et al., 2019).

mod columns;
mod read;
#[cfg(test)]
mod tests;
mod units;
mod write;

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::arch::{Shape, zoo};
use crate::study::event::Metrics;

/// Version of the format, told in a table's first line.
pub const FORMAT: u32 = 1;
/// What the first line says before the version.
const TITLE: &str = "# blocksmith table ";
/// Columns of a trial, beside those of its choices and epochs.
const COLUMNS: [&str; 6] = ["candidate", "params", "madds", "activation_memory", "seed", "seconds"];
/// Columns of an epoch, before its number: validation, then training.
const CURVES: [&str; 4] = ["acc", "loss", "train_acc", "train_loss"];
/// Figures on the test split after the last epoch.
const TEST: [&str; 2] = ["test_acc", "test_loss"];
/// Why a trial failed, and in which epoch; empty where it finished.
const FAILURE: [&str; 2] = ["failed_epoch", "reason"];
/// What a factor's column begins with, so that a factor may have any name.
const CHOICE: &str = "choice.";

/// The table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub about: About,
    /// Names of the factors, each with a column.
    pub factors: Vec<String>,
    /// Epochs of every trial that finished.
    pub epochs: usize,
    rows: Vec<Row>,
    /// Rows of each candidate, by seed.
    index: HashMap<String, Vec<usize>>,
    networks: Networks,
}

/// Candidates by what their networks are known by, found when first needed: a table says the same whether or not it was.
#[derive(Debug, Clone, Default)]
struct Networks(OnceLock<HashMap<String, String>>);

impl PartialEq for Networks {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Name of the search space.
    pub space: String,
    /// Name of the study.
    pub study: String,
    /// What gave the figures: `trained`, or the name of another trainer (`simulated`).
    pub source: String,
    /// Hash of the study's results.
    pub results: String,
    /// Shape of the images that every candidate takes.
    pub input: Shape,
    pub classes: usize,
    /// Training, validation and test images.
    pub images: [usize; 3],
    /// The images in words, and their hash.
    pub data: String,
    pub data_hash: String,
    /// How the trials were trained, in words.
    pub recipe: String,
}

/// One trial of a table: a candidate with a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Block notation.
    pub candidate: String,
    /// The level of each of the table's factors; empty where the factor has no effect.
    pub choices: Vec<String>,
    pub params: u64,
    pub madds: u64,
    /// Bytes for one image.
    pub activation_memory: u64,
    pub seed: u64,
    /// Of an epoch, in the mean.
    pub seconds: f64,
    pub epochs: Vec<Epoch>,
    pub end: End,
}

/// Figures of one epoch: accuracies in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    pub accuracy: f64,
    pub loss: f64,
    pub train_accuracy: f64,
    pub train_loss: f64,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// After the table's last epoch, with figures on the test split.
    Finished { accuracy: f64, loss: f64 },
    /// In the epoch after the last that has figures.
    Failed { reason: String },
}

/// Rows cannot be together in one table: the number of the second one, counted from 0, and a clause about both.
#[derive(Debug, Clone, PartialEq)]
pub struct Clash {
    pub row: usize,
    pub other: usize,
    pub message: String,
}

impl Table {
    /// A table of rows, which must agree about each candidate.
    ///
    /// # Errors
    /// The first row that is another's double, or that has other costs or choices for the same candidate.
    pub fn new(
        about: About,
        factors: Vec<String>,
        epochs: usize,
        rows: Vec<Row>,
    ) -> std::result::Result<Self, Clash> {
        let mut index: HashMap<String, Vec<usize>> = HashMap::new();
        let mut seen: HashMap<(&str, u64), usize> = HashMap::new();
        for (number, row) in rows.iter().enumerate() {
            let same = index.entry(row.candidate.clone()).or_default();
            let clash = |other: usize, message: String| Clash { row: number, other, message };
            if let Some(other) = seen.insert((&row.candidate, row.seed), number) {
                return Err(clash(other, format!("the same candidate with the same seed ({})", row.seed)));
            }
            if let Some(&other) = same.first() {
                let first = &rows[other];
                let cost = |row: &Row| (row.params, row.madds, row.activation_memory);
                if cost(first) != cost(row) || first.choices != row.choices {
                    return Err(clash(other, "the same candidate with other costs or choices".into()));
                }
            }
            same.push(number);
        }
        for same in index.values_mut() {
            same.sort_by_key(|&number| rows[number].seed);
        }
        Ok(Self { about, factors, epochs, rows, index, networks: Networks::default() })
    }

    /// Every trial, in the order of the table.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Number of candidates.
    pub fn candidates(&self) -> usize {
        self.index.len()
    }

    /// Every seed of the table, rising.
    pub fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.rows.iter().map(|row| row.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }

    /// Whether the table has the candidate.
    pub fn has(&self, candidate: &str) -> bool {
        self.rows_of(candidate).is_some()
    }

    /// The rows of a candidate: under its text, or under another text of its network.
    fn rows_of(&self, candidate: &str) -> Option<&[usize]> {
        let same = self.index.get(candidate).or_else(|| {
            let network = self.hash_of(candidate)?;
            self.index.get(self.networks.0.get_or_init(|| self.networks()).get(&network)?)
        })?;
        Some(same)
    }

    /// Of two texts of one network the later in the alphabet, whatever their order here.
    fn networks(&self) -> HashMap<String, String> {
        let mut texts: Vec<&String> = self.index.keys().collect();
        texts.sort_unstable();
        texts.into_iter().filter_map(|text| Some((self.hash_of(text)?, text.clone()))).collect()
    }

    /// What the network of a text is known by, for the table's images.
    fn hash_of(&self, text: &str) -> Option<String> {
        let options = zoo::Options {
            input: Some(self.about.input),
            classes: Some(self.about.classes),
            ..Default::default()
        };
        Some(zoo::network(text, &options).ok()?.hash())
    }

    /// The trial of a candidate that stands for `seed`: that seed's own where there is one; else, of the candidate's seeds in
    /// rising order, the one with the number `seed` modulo how many there are, counted from 0.
    pub fn trial(&self, candidate: &str, seed: u64) -> Option<&Row> {
        let same = self.rows_of(candidate)?;
        let at = match same.binary_search_by_key(&seed, |&number| self.rows[number].seed) {
            Ok(own) => own,
            Err(_) => usize::try_from(seed.checked_rem(same.len() as u64)?).ok()?,
        };
        self.rows.get(*same.get(at)?)
    }

    /// Seconds of an epoch of a candidate, on the mean of its trials.
    pub fn seconds(&self, candidate: &str) -> Option<f64> {
        let same = self.rows_of(candidate)?;
        Some(same.iter().map(|&number| self.rows[number].seconds).sum::<f64>() / same.len() as f64)
    }
}

impl Epoch {
    fn of(figures: [f64; 4]) -> Self {
        let [accuracy, loss, train_accuracy, train_loss] = figures;
        Self { accuracy, loss, train_accuracy, train_loss }
    }

    /// As the columns of an epoch are named.
    fn figures(&self) -> [f64; 4] {
        [self.accuracy, self.loss, self.train_accuracy, self.train_loss]
    }

    /// On the validation split, of so many images.
    pub fn validation(&self, images: usize) -> Metrics {
        Metrics { loss: self.loss, accuracy: self.accuracy, images }
    }

    /// On the training split, of so many images.
    pub fn train(&self, images: usize) -> Metrics {
        Metrics { loss: self.train_loss, accuracy: self.train_accuracy, images }
    }
}
