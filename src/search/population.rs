//! Candidates with what is known of them: what strategies that learn look back on.

use std::borrow::Cow;
use std::collections::HashMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::dominance::{self, Point};
use super::standing::{EXACT, is_due};
use super::strategy::Told;
use crate::space::Genome;

/// A candidate that was trained.
#[derive(Debug, Clone)]
pub struct Member {
    pub genome: Genome,
    pub hash: String,
    pub epochs: usize,
    pub point: Point,
}

impl Member {
    pub fn of(Told { made, epochs, point }: &Told<'_>) -> Self {
        Self {
            genome: made.genome.clone(),
            hash: made.hash.clone(),
            epochs: *epochs,
            point: (*point).clone(),
        }
    }
}

/// Members in the order in which they were first told of; of each the figures after most epochs.
#[derive(Debug, Default)]
pub struct Population {
    members: Vec<Member>,
    places: HashMap<String, usize>,
    /// Outcomes that were heard of.
    heard: usize,
    /// Of a large population: how many had been heard of when it was ranked last, and its ranking.
    ranked: (usize, Vec<usize>),
}

impl Population {
    pub fn hear(&mut self, told: &Told<'_>) {
        self.heard += 1;
        let member = Member::of(told);
        match self.places.get(&member.hash) {
            Some(place) => self.members[*place] = member,
            None => {
                self.places.insert(member.hash.clone(), self.members.len());
                self.members.push(member);
            }
        }
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Keeps the `most` best.
    pub fn keep_best(&mut self, most: usize) {
        if self.len() <= most {
            return;
        }
        let mut best = self.ranking();
        best.truncate(most);
        best.sort_unstable();
        self.keep(&best);
    }

    /// Forgets the member told of first.
    pub fn forget_oldest(&mut self) {
        let rest: Vec<usize> = (1..self.len()).collect();
        self.keep(&rest);
    }

    /// Keeps those with these numbers, which rise.
    fn keep(&mut self, kept: &[usize]) {
        let (mut number, mut kept) = (0, kept.iter().peekable());
        self.members.retain(|_| {
            let stays = kept.next_if_eq(&&number).is_some();
            number += 1;
            stays
        });
        self.places = self.members.iter().enumerate().map(|(i, member)| (member.hash.clone(), i)).collect();
    }

    /// Ranks a large population again where it is time, and tells whether it did. To be called after each outcome by who asks
    /// for the [`standing`](Self::standing).
    pub fn rank_again(&mut self) -> bool {
        let is_time = self.len() > EXACT && is_due(self.heard, self.ranked.0);
        if is_time {
            self.ranked = (self.heard, self.ranking());
        }
        is_time
    }

    /// The [`ranking`](Self::ranking); of a large population as it was when it was ranked last, without those who came since.
    pub fn standing(&self) -> Cow<'_, [usize]> {
        if self.len() <= EXACT { self.ranking().into() } else { self.ranked.1.as_slice().into() }
    }

    /// From best to worst: those with more epochs first, who were better among their own, then by front and crowding.
    pub fn ranking(&self) -> Vec<usize> {
        let mut budgets: Vec<usize> = self.members.iter().map(|member| member.epochs).collect();
        budgets.sort_unstable();
        budgets.dedup();
        let mut ranking = Vec::with_capacity(self.len());
        for epochs in budgets.into_iter().rev() {
            let of_it: Vec<usize> = (0..self.len()).filter(|i| self.members[*i].epochs == epochs).collect();
            let points: Vec<Point> = of_it.iter().map(|i| self.members[*i].point.clone()).collect();
            ranking.extend(dominance::ranking(&points).into_iter().map(|i| of_it[i]));
        }
        ranking
    }

    /// The better of two by chance, of those with a place.
    pub fn tournament(&self, places: &[usize], rng: &mut ChaCha8Rng) -> &Member {
        let mut draw = || rng.random_range(0..places.len());
        let (a, b) = (draw(), draw());
        &self.members[if places[a] <= places[b] { a } else { b }]
    }

    /// Everyone's place in the ranking, 0 for the best.
    pub fn places(&self) -> Vec<usize> {
        places(&self.ranking())
    }
}

/// The place of each, 0 for the best, of members from best to worst. Those who came last may be missing.
pub fn places(ranking: &[usize]) -> Vec<usize> {
    let mut places = vec![0; ranking.len()];
    for (place, i) in ranking.iter().enumerate() {
        places[*i] = place;
    }
    places
}
