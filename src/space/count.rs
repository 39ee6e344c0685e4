//! How many distinct candidates a space holds, and which is the n-th, without listing them.
//!
//! A candidate's text is the texts of its units in order, so distinct candidates are distinct sequences of unit texts
//! that some settlement of the shared choices makes. Units are gone through in order. What earlier units reveal of a
//! shared choice is the set of its levels that would make the same texts so far: all of them until a unit shows the
//! choice, then mostly one. The number of ways to go on depends on those sets alone, and is remembered for each: this
//! is variable elimination on the factor graph of units and shared choices, in the order of the units. A set of one
//! level is replaced by the first level that later units cannot tell from it, which keeps the table small: its size
//! grows with the number of choices open at once, not with their levels. The count is always exact; a space whose
//! choices entangle too much for the table is refused.

use std::collections::HashMap;

/// A decision inside a variant of a unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// This many levels that concern no other unit.
    Own(u128),
    /// Groups of levels (a bit for each) of a shared choice; levels of a group make one text.
    Shared(usize, Vec<u64>),
}

/// Why a space cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountError {
    /// More than 2^128 candidates.
    TooMany,
    /// More remembered states than [`MAX_STATES`].
    TooEntangled,
}

const MAX_STATES: usize = 1_000_000;

/// Levels that each shared choice may still have.
type Open = Vec<u64>;

/// Unit, variant and step (or [`WHOLE`]), and the open levels.
type Key = (usize, usize, usize, Open);

const WHOLE: usize = usize::MAX;

/// A candidate as numbers: for each unit the variant, and for each of its steps the group taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picks {
    pub units: Vec<(usize, Vec<usize>)>,
    /// Levels of the shared choices that make this candidate; all of them where a choice has no effect.
    pub open: Open,
}

/// The counted space.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    units: Vec<Vec<Vec<Step>>>,
    full: Open,
    /// For each unit and choice: whether this unit or a later one reads the choice.
    read_later: Vec<Vec<bool>>,
    /// For each choice and level: the first level that no unit tells from it once it is the only one.
    alike: Vec<Vec<u32>>,
    table: HashMap<Key, u128>,
    size: u128,
}

impl Counter {
    /// Counts. `units` holds the variants of each unit as steps; `levels` the number of levels of each shared choice
    /// (1 to 64).
    pub fn new(units: Vec<Vec<Vec<Step>>>, levels: &[usize]) -> Result<Self, CountError> {
        let full: Open = levels.iter().map(|n| u64::MAX >> (64 - (*n).clamp(1, 64))).collect();
        let mut read_later = vec![vec![false; levels.len()]; units.len() + 1];
        for (u, variants) in units.iter().enumerate().rev() {
            read_later[u] = read_later[u + 1].clone();
            for step in variants.iter().flatten() {
                if let Step::Shared(choice, _) = step {
                    read_later[u][*choice] = true;
                }
            }
        }
        let alike = alike_levels(&units, levels);
        let mut counter = Self { units, full, read_later, alike, table: HashMap::new(), size: 0 };
        counter.size = counter.fill_unit(0, counter.full.clone())?;
        Ok(counter)
    }

    /// The number of distinct candidates.
    pub fn size(&self) -> u128 {
        self.size
    }

    /// Every level of a shared choice.
    pub fn all_levels(&self, choice: usize) -> u64 {
        self.full[choice]
    }

    /// The key of a place: what later units cannot tell apart is made equal.
    fn key(&self, unit: usize, variant: usize, step: usize, open: &Open) -> Key {
        let mut open = open.clone();
        for (choice, levels) in open.iter_mut().enumerate() {
            if !self.read_later[unit][choice] {
                *levels = self.full[choice];
            } else if levels.count_ones() == 1 && *levels != self.full[choice] {
                *levels = 1 << self.alike[choice][levels.trailing_zeros() as usize];
            }
        }
        (unit, variant, step, open)
    }

    fn remember(&mut self, key: Key, count: u128) -> Result<u128, CountError> {
        if self.table.len() >= MAX_STATES {
            return Err(CountError::TooEntangled);
        }
        self.table.insert(key, count);
        Ok(count)
    }

    /// Ways to go on from the start of a unit.
    fn fill_unit(&mut self, unit: usize, open: Open) -> Result<u128, CountError> {
        if unit == self.units.len() {
            return Ok(1);
        }
        let key = self.key(unit, WHOLE, WHOLE, &open);
        if let Some(count) = self.table.get(&key) {
            return Ok(*count);
        }
        let mut sum = 0u128;
        for variant in 0..self.units[unit].len() {
            let count = self.fill_steps(unit, variant, 0, key.3.clone())?;
            sum = sum.checked_add(count).ok_or(CountError::TooMany)?;
        }
        self.remember(key, sum)
    }

    /// Ways to go on from a step.
    fn fill_steps(
        &mut self,
        unit: usize,
        variant: usize,
        step: usize,
        open: Open,
    ) -> Result<u128, CountError> {
        let (step, factor) = self.skip_own(unit, variant, step)?;
        let Some(Step::Shared(choice, groups)) = self.units[unit][variant].get(step).cloned() else {
            let rest = self.fill_unit(unit + 1, open)?;
            return factor.checked_mul(rest).ok_or(CountError::TooMany);
        };
        let key = self.key(unit, variant, step, &open);
        let count = match self.table.get(&key) {
            Some(count) => *count,
            None => {
                let mut sum = 0u128;
                for group in groups {
                    let mut narrowed = key.3.clone();
                    narrowed[choice] &= group;
                    if narrowed[choice] != 0 {
                        let count = self.fill_steps(unit, variant, step + 1, narrowed)?;
                        sum = sum.checked_add(count).ok_or(CountError::TooMany)?;
                    }
                }
                self.remember(key, sum)?
            }
        };
        factor.checked_mul(count).ok_or(CountError::TooMany)
    }

    /// The next shared step and the product of the levels before it.
    fn skip_own(&self, unit: usize, variant: usize, mut step: usize) -> Result<(usize, u128), CountError> {
        let mut factor = 1u128;
        while let Some(Step::Own(levels)) = self.units[unit][variant].get(step) {
            factor = factor.checked_mul(*levels).ok_or(CountError::TooMany)?;
            step += 1;
        }
        Ok((step, factor))
    }

    /// Ways to go on, from the table; every place that a candidate passes is in it.
    fn count_steps(&self, unit: usize, variant: usize, step: usize, open: &Open) -> u128 {
        let Ok((step, factor)) = self.skip_own(unit, variant, step) else { return 0 };
        let count = if step < self.units[unit][variant].len() {
            self.table.get(&self.key(unit, variant, step, open))
        } else if unit + 1 < self.units.len() {
            self.table.get(&self.key(unit + 1, WHOLE, WHOLE, open))
        } else {
            Some(&1)
        };
        factor.saturating_mul(count.copied().unwrap_or(0))
    }

    /// The candidate with a number below [`size`](Self::size), in the order of units, variants and levels; the last
    /// decision changes fastest.
    pub fn pick(&self, mut index: u128) -> Option<Picks> {
        if index >= self.size {
            return None;
        }
        let mut open = self.full.clone();
        let mut units = Vec::with_capacity(self.units.len());
        for unit in 0..self.units.len() {
            let variant = (0..self.units[unit].len()).find(|variant| {
                let count = self.count_steps(unit, *variant, 0, &open);
                let here = index < count;
                index -= if here { 0 } else { count };
                here
            })?;
            let mut groups = Vec::new();
            for (step, decision) in self.units[unit][variant].iter().enumerate() {
                groups.push(match decision {
                    Step::Own(_) => {
                        let rest = self.count_steps(unit, variant, step + 1, &open);
                        let group = index.checked_div(rest)?;
                        index -= group * rest;
                        usize::try_from(group).ok()?
                    }
                    Step::Shared(choice, masks) => masks.iter().position(|mask| {
                        let mut narrowed = open.clone();
                        narrowed[*choice] &= mask;
                        if narrowed[*choice] == 0 {
                            return false;
                        }
                        let count = self.count_steps(unit, variant, step + 1, &narrowed);
                        if index < count {
                            open = narrowed;
                            return true;
                        }
                        index -= count;
                        false
                    })?,
                });
            }
            units.push((variant, groups));
        }
        Some(Picks { units, open })
    }
}

/// Levels alike once alone: the same steps let them pass.
fn alike_levels(units: &[Vec<Vec<Step>>], levels: &[usize]) -> Vec<Vec<u32>> {
    let mut passes: Vec<Vec<u64>> = vec![Vec::new(); levels.len()];
    for step in units.iter().flatten().flatten() {
        if let Step::Shared(choice, groups) = step {
            let mask = groups.iter().fold(0, |all, group| all | group);
            if !passes[*choice].contains(&mask) {
                passes[*choice].push(mask);
            }
        }
    }
    let same = |choice: usize, a: usize, b: usize| {
        passes[choice].iter().all(|mask| (mask >> a) & 1 == (mask >> b) & 1)
    };
    levels
        .iter()
        .enumerate()
        .map(|(choice, n)| {
            (0..*n)
                .map(|level| (0..level).find(|l| same(choice, *l, level)).unwrap_or(level) as u32)
                .collect()
        })
        .collect()
}
