//! The block notation: printing and parsing candidates.

use super::Candidate;

/// The canonical text of a candidate.
pub fn print(_candidate: &Candidate) -> String {
    String::new()
}
