//! Candidates with their front, kept up as they become known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::dominance::{self, Point};
use super::pareto::Total;
use super::population::Member;
use super::standing::{EXACT, is_due};
use super::strategy::Told;

/// Members in the order in which they were first told of, and those on the front: that none dominates, of those that break
/// constraints least.
#[derive(Debug, Default)]
pub struct Members {
    members: Vec<Member>,
    places: HashMap<String, usize>,
    heard: usize,
    front: Front,
    /// How many outcomes were known when the front was made from all of them last.
    made_at: usize,
}

#[derive(Debug, Default)]
struct Front {
    /// Numbers of its members.
    members: BTreeSet<usize>,
    /// How much they break constraints.
    violation: Option<f64>,
    /// Where there are up to two values: by the first, the second and who has both.
    stairs: BTreeMap<Total, (f64, Vec<usize>)>,
}

impl Members {
    /// Takes what became of a candidate; of one that has gone on the later counts.
    pub fn hear(&mut self, told: &Told<'_>) {
        self.heard += 1;
        let member = Member::of(told);
        let Some(place) = self.places.get(&member.hash).copied() else {
            self.places.insert(member.hash.clone(), self.members.len());
            self.members.push(member);
            return self.front.add(self.members.len() - 1, &self.members);
        };
        let was_on_front = self.front.members.contains(&place);
        self.members[place] = member;
        if was_on_front {
            self.front.remove(place);
        }
        self.front.add(place, &self.members);
        // What it dominated before may be on the front now. Looking for that takes as long as there are members.
        if was_on_front && is_due(self.heard, self.made_at) {
            self.front = Front::default();
            (0..self.members.len()).for_each(|place| self.front.add(place, &self.members));
            self.made_at = if self.heard <= EXACT { 0 } else { self.heard };
        }
    }

    /// The first of the front that is not in `known`.
    pub fn first_but(&self, known: &HashSet<String>) -> Option<&Member> {
        let front = self.front.members.iter().map(|place| &self.members[*place]);
        front.filter(|member| member.point.violation.is_finite()).find(|member| !known.contains(&member.hash))
    }
}

impl Front {
    fn add(&mut self, place: usize, all: &[Member]) {
        let Point { values, violation } = &all[place].point;
        if !violation.is_finite() || self.violation.is_some_and(|least| *violation > least) {
            return;
        }
        if self.violation.is_none_or(|least| *violation < least) {
            *self = Self { violation: Some(*violation), ..Self::default() };
        }
        if values.len() <= 2 {
            self.add_pair(place, (values[0], values.get(1).copied().unwrap_or(0.0)));
            return;
        }
        let values = |place: &usize| all[*place].point.values.as_slice();
        if !self.members.iter().any(|other| dominance::dominates(values(other), values(&place))) {
            self.members.retain(|other| !dominance::dominates(values(&place), values(other)));
            self.members.insert(place);
        }
    }

    fn add_pair(&mut self, place: usize, (x, y): (f64, f64)) {
        let key = Total::of(x);
        if let Some((at, (least, who))) = self.stairs.range_mut(..=key).next_back()
            && *least <= y
        {
            if *at == key && *least == y {
                who.push(place);
                self.members.insert(place);
            }
            return;
        }
        while let Some((above, _)) = self.stairs.range(key..).next().filter(|(_, (other, _))| *other >= y) {
            let above = *above;
            let (_, who) = self.stairs.remove(&above).unwrap_or_default();
            for other in who {
                self.members.remove(&other);
            }
        }
        self.stairs.insert(key, (y, vec![place]));
        self.members.insert(place);
    }

    fn remove(&mut self, place: usize) {
        self.members.remove(&place);
        self.stairs.retain(|_, (_, who)| {
            who.retain(|other| *other != place);
            !who.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::search::made::Made;

    /// After each outcome the front is that of all members, also where one has gone on and came to something else.
    #[test]
    fn the_front_is_that_of_all() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for values in 1..=3 {
            for _ in 0..30 {
                let mut members = Members::default();
                for _ in 0..60 {
                    let hash = rng.random_range(0..40).to_string();
                    let mut draw = || f64::from(rng.random_range(0..8));
                    let violation = match draw() as usize {
                        0 => f64::INFINITY,
                        1 => 1.0,
                        _ => 0.0,
                    };
                    let point = Point { values: (0..values).map(|_| draw()).collect(), violation };
                    let made = Made { hash, ..Made::of_text("ir_e2_k3_s1_c16") };
                    members.hear(&Told { made: &made, epochs: 1, point: &point });
                    let points: Vec<Point> = members.members.iter().map(|m| m.point.clone()).collect();
                    let fronts = dominance::fronts(&points);
                    let expected: Vec<usize> = (0..points.len())
                        .filter(|i| fronts[*i] == 0 && points[*i].violation.is_finite())
                        .collect();
                    let found: Vec<usize> = members.front.members.iter().copied().collect();
                    assert_eq!(found, expected, "{points:?}");
                    let first = members.first_but(&HashSet::new()).map(|member| &member.hash);
                    assert_eq!(first, expected.first().map(|i| &members.members[*i].hash));
                }
            }
        }
    }
}
