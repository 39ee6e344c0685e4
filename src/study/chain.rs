//! The chain of a journal's lines: each carries a hash of itself and of the line before, so that a line that is lost,
//! changed, doubled or moved is found where the journal is read.
//!
//! The last field of a line is `"chain"`: the first 16 hex digits of SHA-256 over the chain of the line before (16 zeros before
//! the first line) and the line itself without this field. Journals of formats 1 and 2 have no chain; the first line that is
//! added to one chains all that stands before it, by the hash of those bytes. It guards against accidents, not against
//! malice: who edits a journal on purpose can chain it again. Lines lost at the very end leave a chain that is whole: they are
//! found by [`End`], as far as it goes.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::folder;
use crate::text::hex;

const DIGITS: usize = 16;
const FIELD: &[u8] = b",\"chain\":\"";
/// Lines from which threads are worth their start.
const MANY: usize = 500;

/// The chain up to a line, as hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link([u8; DIGITS]);

impl Default for Link {
    /// Before the first line.
    fn default() -> Self {
        Self([b'0'; DIGITS])
    }
}

impl Link {
    fn of(digest: Sha256) -> Self {
        let mut digits = [0; DIGITS];
        digits.copy_from_slice(&hex(&digest.finalize()).as_bytes()[..DIGITS]);
        Self(digits)
    }

    /// The link of the line that is `before` and, in the line, `body` without its closing brace.
    fn after(self, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(body);
        digest.update(b"}");
        Self::of(digest)
    }

    /// Chains a line, which is a JSON object: adds the field, and moves to this line.
    pub fn seal(&mut self, line: &mut Vec<u8>, from: usize) {
        line.pop();
        *self = self.after(&line[from..]);
        line.extend_from_slice(FIELD);
        line.extend_from_slice(&self.0);
        line.extend_from_slice(b"\"}");
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// A line's link and what stands before it; `None` where the line has none.
fn split(line: &[u8]) -> Option<(&[u8], Link)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line).strip_suffix(b"\"}")?;
    let (rest, digits) = line.split_last_chunk::<DIGITS>()?;
    Some((rest.strip_suffix(FIELD)?, Link(*digits)))
}

/// How far the lines of a journal were followed.
pub enum Chain {
    /// Of a journal of before, by all of its bytes.
    Unlinked(Sha256),
    Linked(Link),
}

impl Chain {
    /// Before the first line of a journal.
    pub fn new(is_linked: bool) -> Self {
        if is_linked { Self::Linked(Link::default()) } else { Self::Unlinked(Sha256::new()) }
    }

    /// Where it has come to.
    pub fn link(&self) -> Link {
        match self {
            Self::Unlinked(digest) => Link::of(digest.clone()),
            Self::Linked(link) => *link,
        }
    }

    /// Follows the lines; the index of the first that does not follow from those before it, and a clause that says so.
    pub fn follow(&mut self, lines: &[&[u8]]) -> Option<(usize, &'static str)> {
        let mut first = 0;
        if let Self::Unlinked(digest) = self {
            first = lines.iter().position(|line| split(line).is_some()).unwrap_or(lines.len());
            lines[..first].iter().for_each(|line| digest.update(line));
        }
        if first == lines.len() {
            return None;
        }
        let before = self.link();
        let linked = &lines[first..];
        let broken = |index: usize| {
            let Some((body, link)) = split(linked[index]) else {
                return Some("this line has no chain: it was added by hand, or by a blocksmith of before");
            };
            let previous = if index == 0 {
                before
            } else {
                // Where it has none, that line is broken, and comes first.
                split(linked[index - 1])?.1
            };
            if link == previous.after(body) {
                None
            } else if link == previous {
                Some("this line is the one before it again")
            } else {
                Some(
                    "this line does not follow from the one before it: a line was changed, lost, added or moved here",
                )
            }
        };
        let found = if linked.len() < MANY {
            (0..linked.len()).find_map(|index| Some((index, broken(index)?)))
        } else {
            let indices = (0..linked.len()).into_par_iter().with_min_len(MANY / 4);
            indices.filter_map(|index| Some((index, broken(index)?))).min_by_key(|(index, _)| *index)
        };
        if let Some((_, link)) = linked.last().and_then(|line| split(line)) {
            *self = Self::Linked(link);
        }
        found.map(|(index, why)| (first + index, why))
    }
}

/// Where a journal ended when a run of its study did, in `journal.end`: lines lost after that are told apart from lines that
/// were never written. A run that is killed writes none, so what it added is not covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    lines: usize,
    chain: String,
}

impl End {
    pub fn path(journal: &Path) -> PathBuf {
        journal.with_extension("end")
    }

    /// Of a journal that has come so far.
    pub fn new(lines: usize, link: Link) -> Self {
        Self { lines, chain: link.text() }
    }

    /// What is noted next to a journal; `None` where nothing is, or nothing that reads.
    pub fn read(journal: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(journal)).ok()?).ok()
    }

    /// Notes it. The journal is the truth, so a note that cannot be written is none.
    pub fn write(&self, journal: &Path) {
        if let Ok(bytes) = serde_json::to_vec(self) {
            let _ = folder::write_whole(&Self::path(journal), &bytes);
        }
    }

    /// Whether the journal had come to this line when it was noted.
    pub fn is_at(&self, lines: usize) -> bool {
        self.lines == lines
    }

    /// Whether the chain there was this one.
    pub fn has(&self, link: Link) -> bool {
        self.chain == link.text()
    }

    /// Lines that a journal of so many has lost.
    pub fn lost(&self, lines: usize) -> usize {
        self.lines.saturating_sub(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(bodies: &[&str]) -> Vec<Vec<u8>> {
        let mut link = Link::default();
        let seal = |body: &&str| {
            let mut line = body.as_bytes().to_vec();
            link.seal(&mut line, 0);
            line.push(b'\n');
            line
        };
        bodies.iter().map(seal).collect()
    }

    fn follow(chain: &mut Chain, lines: &[Vec<u8>]) -> Option<(usize, &'static str)> {
        chain.follow(&lines.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    const BODIES: [&str; 4] = ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}"];

    /// Values from Python: `h = sha256(b"0" * 16 + b'{"a":1}').hexdigest()[:16]`, then
    /// `sha256(h.encode() + b'{"a":2}').hexdigest()[:16]`, and for the old journal `sha256(b'{"a":1}\n').hexdigest()[:16]`.
    #[test]
    fn a_line_carries_the_hash_of_itself_and_of_all_before() {
        let lines = sealed(&BODIES[..2]);
        assert_eq!(String::from_utf8_lossy(&lines[0]), "{\"a\":1,\"chain\":\"c0045bd5b64fe89f\"}\n");
        assert_eq!(String::from_utf8_lossy(&lines[1]), "{\"a\":2,\"chain\":\"10edc95ec638ce79\"}\n");
        let mut old = Chain::new(false);
        assert_eq!(follow(&mut old, &[b"{\"a\":1}\n".to_vec()]), None);
        assert_eq!(old.link().text(), "e346432021b04179");
    }

    /// Every single line lost, doubled or swapped with the next, and every byte changed.
    #[test]
    fn damage_is_found_at_its_line() {
        let whole = sealed(&BODIES);
        assert_eq!(follow(&mut Chain::new(true), &whole), None);
        let found = |lines: &[Vec<u8>]| follow(&mut Chain::new(true), lines).map(|(index, _)| index);
        for at in 0..4 {
            let mut lost = whole.clone();
            lost.remove(at);
            // What is lost at the end leaves no trace in the chain.
            assert_eq!(found(&lost), (at < 3).then_some(at));
            let mut doubled = whole.clone();
            doubled.insert(at, whole[at].clone());
            assert_eq!(found(&doubled), Some(at + 1));
            if at < 3 {
                let mut swapped = whole.clone();
                swapped.swap(at, at + 1);
                assert_eq!(found(&swapped), Some(at));
            }
            for byte in 0..whole[at].len() - 1 {
                let mut changed = whole.clone();
                changed[at][byte] ^= 1;
                assert_eq!(found(&changed), Some(at), "byte {byte}");
            }
        }
    }

    /// The same in blocks that are looked at by several threads, and from one block to the next.
    #[test]
    fn blocks_of_lines_are_followed_alike() {
        let bodies: Vec<String> = (0..3000).map(|n| format!("{{\"a\":{n}}}")).collect();
        let lines = sealed(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
        for cut in [1, 700, 1500, 2999] {
            let mut chain = Chain::new(true);
            assert_eq!(follow(&mut chain, &lines[..cut]), None);
            assert_eq!(follow(&mut chain, &lines[cut..]), None);
            let mut chain = Chain::new(true);
            follow(&mut chain, &lines[..cut - 1]);
            assert_eq!(follow(&mut chain, &lines[cut..]).map(|(index, _)| index), Some(0));
        }
        let mut twice = lines.clone();
        twice[1234] = twice[1233].clone();
        twice[2345] = twice[2344].clone();
        assert_eq!(follow(&mut Chain::new(true), &twice).map(|(index, _)| index), Some(1234));
    }

    #[test]
    fn a_journal_without_chain_is_chained_from_where_it_goes_on() {
        let mut old = vec![b"{\"a\":1}\n".to_vec(), b"{\"a\":2}\n".to_vec()];
        let mut chain = Chain::new(false);
        assert_eq!(follow(&mut chain, &old), None);
        let mut link = chain.link();
        let mut line = b"{\"a\":3}".to_vec();
        link.seal(&mut line, 0);
        old.push(line);
        assert_eq!(follow(&mut Chain::new(false), &old), None);
        let mut changed = old.clone();
        changed[0][5] = b'9';
        assert_eq!(follow(&mut Chain::new(false), &changed).map(|(index, _)| index), Some(2));
        old.push(b"{\"a\":4}\n".to_vec());
        let (index, why) = follow(&mut Chain::new(false), &old).unwrap();
        assert!(index == 3 && why.contains("has no chain"), "{why}");
    }
}
