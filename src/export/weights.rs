//! A file of weights: read whole once, checked against networks, loaded into models.

mod fit;
mod foreign;

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use super::About;
use crate::arch::Network;
use crate::engine::Model;
use crate::engine::weights::{Views, is_read, numbers, parse, views};
use crate::error::{Error, Result};
use crate::file;
use crate::text;
use fit::{Fitted, Misfit};

/// The longest header that safetensors allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// The bytes of a safetensors file, its header known to be whole.
#[derive(Clone)]
pub struct Weights {
    /// For messages.
    name: String,
    bytes: Vec<u8>,
    /// Models keep their own classifier.
    fresh_classifier: bool,
}

impl Weights {
    /// Reads a file that may take `most` bytes of memory.
    ///
    /// # Errors
    /// A sentence where it cannot be read, is larger than that, truncated, or no safetensors file.
    pub fn read(path: &Path, most: Option<u64>) -> Result<Self> {
        let name = path.display().to_string();
        let wrong = |what: String| Error::request(format!("{name}: {what}"));
        let unreadable = |e: std::io::Error| wrong(format!("cannot be read ({e}): name a safetensors file"));
        let mut file = file::open(path).map_err(|e| match e.kind() {
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => wrong(
                foreign::what(path, &[])
                    .map_or_else(|| format!("{e}: name a safetensors file"), str::to_owned),
            ),
            _ => unreadable(e),
        })?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut start = [0; 8];
        if length < 8 || file.read_exact(&mut start).is_err() {
            let foreign = foreign::what(path, &[]).map(str::to_owned);
            let short = || format!("not a safetensors file: it has only {length} bytes");
            return Err(wrong(foreign.unwrap_or_else(short)));
        }
        let header = u64::from_le_bytes(start);
        if !(2..=LONGEST_HEADER).contains(&header) {
            let what = foreign::what(path, &start);
            return Err(wrong(
                what.unwrap_or(
                    "not a safetensors file: it does not begin with the length of a header; give the folder of a \
                     study, or a safetensors file",
                )
                .into(),
            ));
        }
        if header > length - 8 {
            return Err(wrong(format!(
                "not a whole safetensors file: its header should have {} and it has {} in all; get it again",
                text::bytes(header),
                text::bytes(length)
            )));
        }
        if let Some(most) = most.filter(|&most| length > most) {
            return Err(wrong(format!(
                "the weights have {} and only {} of memory are available: use a machine with more, or other weights",
                text::bytes(length),
                text::bytes(most)
            )));
        }
        let size = usize::try_from(length).map_err(|_| wrong("larger than memory".into()))?;
        let mut bytes = Vec::new();
        let reserved = bytes.try_reserve_exact(size);
        reserved.map_err(|e| wrong(format!("larger than the memory that the system gives ({e})")))?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        // No more than was foretold, should the file grow meanwhile.
        file.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::of_bytes(name, bytes)
    }

    /// Of bytes that are in memory; `name` is for messages.
    ///
    /// # Errors
    /// They are not a whole safetensors file, or a tensor holds what is no finite number.
    pub fn of_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        let weights = Self { name: name.into(), bytes, fresh_classifier: false };
        match not_finite(&views(&weights.tensors()?)) {
            Some(what) => Err(weights.wrong(what)),
            None => Ok(weights),
        }
    }

    /// The same weights without those of the classifier, which a model that they are loaded into keeps as it is.
    #[must_use]
    pub fn with_fresh_classifier(self) -> Self {
        Self { fresh_classifier: true, ..self }
    }

    fn tensors(&self) -> Result<SafeTensors<'_>> {
        parse(&self.bytes).map_err(|error| self.wrong(error))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::request(format!("{}: {what}", self.name))
    }

    /// Where they came from, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the file, as hex.
    pub fn sha256(&self) -> String {
        text::hex(&Sha256::digest(&self.bytes))
    }

    /// What the file says of itself, where blocksmith wrote it.
    ///
    /// # Errors
    /// Its metadata does not read.
    pub fn about(&self) -> Result<Option<About>> {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).map_err(|e| self.wrong(e))?;
        let about = metadata.metadata().as_ref().map(About::read).transpose();
        Ok(about.map_err(|what| self.wrong(what))?.flatten())
    }

    /// Whether these are a network's weights, in our names, torchvision's or timm's; what the user should know of how they are
    /// read, in sentences.
    ///
    /// # Errors
    /// A sentence that names each tensor that is missing, misshaped or too many, or says that the classes are others.
    pub fn check(&self, network: &Network) -> Result<Vec<String>> {
        let notes = self.fit(network)?.notes;
        Ok(notes.into_iter().map(|note| format!("{}: {note}", self.name)).collect())
    }

    /// Takes them into a model.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn load_into(&self, model: &mut Model<f32>) -> Result<()> {
        let Fitted { tensors, slots, entries, .. } = self.fit(&model.network)?;
        model.load(&tensors, &slots, &entries).map_err(|error| self.wrong(error))
    }

    /// The network's tensors in the file.
    fn fit(&self, network: &Network) -> Result<Fitted<'_>> {
        let folded = || self.about().ok().flatten().is_some_and(|about| about.folded);
        fit::fit(views(&self.tensors()?), network, self.fresh_classifier).map_err(|misfit| {
            let (name, own) = (&network.name, network.classes);
            self.wrong(match misfit {
                Misfit::Classes(classes) => format!(
                    "its classifier tells {classes} classes apart, and {name} here tells {own}: give \
                     `train.classifier: fresh` to train from all but the classifier, weights for {own} classes, or a \
                     network (or data) of {classes}"
                ),
                Misfit::Tensors(_) if folded() => format!(
                    "batch norm is folded into these weights, and {name} has it: export them without --fold"
                ),
                Misfit::Tensors(sentence) => sentence,
            })
        })
    }
}

/// The first tensor that holds what is no finite number, as a sentence.
fn not_finite(tensors: &Views<'_>) -> Option<String> {
    tensors.iter().filter(|(_, view)| is_read(view)).find_map(|(name, view)| {
        let values = numbers(view);
        let first = values.iter().find(|value| !value.is_finite())?;
        let count = values.iter().filter(|value| !value.is_finite()).count();
        Some(format!(
            "{name} holds {} of {} values that are no finite f32 (the first: {first}): the training that left them diverged, \
             so take weights from before that",
            count,
            values.len(),
        ))
    })
}
