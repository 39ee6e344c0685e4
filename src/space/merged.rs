//! Choices of a space that lead to one network.

use serde::{Deserialize, Serialize};

use super::search_space::Choices;

/// All the choices that lead to one network, where they are several: how many, and how many of them have each level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Combinations of levels, of which the candidate's own choices are one.
    pub spellings: u64,
    /// Factor, level, and how many of the combinations have it; in the order of the space.
    pub levels: Vec<(String, String, u64)>,
}

impl Merged {
    /// Of several lists of choices; `None` where there are not at least two.
    pub fn of(all: &[Choices]) -> Option<Self> {
        if all.len() < 2 {
            return None;
        }
        let mut levels: Vec<(String, String, u64)> = Vec::new();
        for (factor, level) in all.iter().flatten() {
            match levels.iter_mut().find(|(f, l, _)| f == factor && l == level) {
                Some((_, _, count)) => *count += 1,
                None => levels.push((factor.clone(), level.clone(), 1)),
            }
        }
        Some(Self { spellings: all.len() as u64, levels })
    }
}
