//! Candidates with what is known of them: what strategies that learn look back on.

use std::collections::HashMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::dominance::{self, Point};
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

/// Members in the order in which they were first told of; of each the figures after most epochs.
#[derive(Debug, Default)]
pub struct Population {
    members: Vec<Member>,
    places: HashMap<String, usize>,
}

impl Population {
    pub fn hear(&mut self, told: &Told<'_>) {
        let Told { made, epochs, point } = told;
        let member = Member {
            genome: made.genome.clone(),
            hash: made.hash.clone(),
            epochs: *epochs,
            point: (*point).clone(),
        };
        match self.places.get(&made.hash) {
            Some(place) => self.members[*place] = member,
            None => {
                self.places.insert(made.hash.clone(), self.members.len());
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

    fn keep(&mut self, kept: &[usize]) {
        self.members = kept.iter().map(|i| self.members[*i].clone()).collect();
        self.places = self.members.iter().enumerate().map(|(i, member)| (member.hash.clone(), i)).collect();
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

    /// The better of two by chance, given everyone's place in the [`ranking`](Self::ranking).
    pub fn tournament(&self, places: &[usize], rng: &mut ChaCha8Rng) -> &Member {
        let mut draw = || rng.random_range(0..self.len());
        let (a, b) = (draw(), draw());
        &self.members[if places[a] <= places[b] { a } else { b }]
    }

    /// Everyone's place in the ranking, 0 for the best.
    pub fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.len()];
        for (place, i) in self.ranking().into_iter().enumerate() {
            places[i] = place;
        }
        places
    }
}
