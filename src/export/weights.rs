//! A file of weights: read whole once, checked against networks, loaded into models.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use super::{About, Naming};
use crate::arch::Network;
use crate::engine::Model;
use crate::engine::weights::{Entry, Slot, misfit_sentence, misfits, parse, slots};
use crate::error::{Error, Result};
use crate::file;
use crate::text;

/// The longest header that safetensors allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// The bytes of a safetensors file, its header known to be whole.
#[derive(Clone)]
pub struct Weights {
    /// For messages.
    name: String,
    bytes: Vec<u8>,
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
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => {
                wrong(format!("{e}: name a safetensors file"))
            }
            _ => unreadable(e),
        })?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut start = [0; 8];
        if length < 8 || file.read_exact(&mut start).is_err() {
            return Err(wrong(format!("not a safetensors file: it has only {length} bytes")));
        }
        let header = u64::from_le_bytes(start);
        if !(2..=LONGEST_HEADER).contains(&header) {
            return Err(wrong(
                "not a safetensors file: it does not begin with the length of a header".into(),
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
    /// They are not a whole safetensors file.
    pub fn of_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        let weights = Self { name: name.into(), bytes };
        weights.tensors()?;
        Ok(weights)
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

    /// Whether these are a network's weights, in our names or torchvision's.
    ///
    /// # Errors
    /// A sentence that names each tensor that is missing, misshaped or too many, or says that the classes are others.
    pub fn check(&self, network: &Network) -> Result<()> {
        self.fit(&self.tensors()?, network, &slots(network)).map(|_| ())
    }

    /// Takes them into a model.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn load_into(&self, model: &mut Model<f32>) -> Result<()> {
        let (tensors, slots) = (self.tensors()?, slots(&model.network));
        let entries = self.fit(&tensors, &model.network, &slots)?;
        model.load(&tensors, &slots, &entries).map_err(|error| self.wrong(error))
    }

    /// The entries in the naming that the file uses: the one of which it has more names.
    fn fit(&self, tensors: &SafeTensors<'_>, network: &Network, slots: &[Slot]) -> Result<Vec<Entry>> {
        let known = tensors.names();
        let known: std::collections::BTreeSet<&str> = known.iter().map(|name| name.as_ref()).collect();
        let hits =
            |entries: &[Entry]| entries.iter().filter(|entry| known.contains(entry.name.as_str())).count();
        let ours = Naming::Ours.entries(network, slots)?;
        let entries = match Naming::Torchvision.entries(network, slots) {
            Ok(theirs) if hits(&theirs) > hits(&ours) => theirs,
            _ => ours,
        };
        if let Some(classes) = other_classes(tensors, slots, &entries) {
            let (name, own) = (&network.name, network.classes);
            return Err(self.wrong(format!(
                "its classifier tells {classes} classes apart, and {name} here tells {own}: give weights for {own} \
                 classes, or a network (or data) of {classes}"
            )));
        }
        let problems = misfits(tensors, &entries, &network.name);
        let is_folded = || self.about().ok().flatten().is_some_and(|about| about.folded);
        match problems[..] {
            [] => Ok(entries),
            _ if is_folded() => Err(self.wrong(format!(
                "batch norm is folded into these weights, and {} has it: export them without --fold",
                network.name
            ))),
            _ => Err(self.wrong(misfit_sentence(&problems))),
        }
    }
}

/// How many classes the file's classifier has, where that is all that is wrong with it.
fn other_classes(tensors: &SafeTensors<'_>, slots: &[Slot], entries: &[Entry]) -> Option<usize> {
    let (_, entry) =
        slots.iter().zip(entries).rfind(|(slot, _)| slot.part == crate::engine::weights::Part::Weight)?;
    let view = tensors.tensor(&entry.name).ok()?;
    match (view.shape(), &entry.shape[..]) {
        ([theirs, rest @ ..], [ours, same @ ..]) if rest == same && theirs != ours => Some(*theirs),
        _ => None,
    }
}
