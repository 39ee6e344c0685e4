//! Budgets: after how many epochs candidates are compared, and which go on (successive halving).

use std::collections::HashSet;

use super::dominance::{self, Point};
use super::standing::{EXACT, is_due};

/// What is to be trained next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A new candidate, for so many epochs.
    New(usize),
    /// A known one, on to so many epochs.
    Continue(String, usize),
    /// Nothing before more is known.
    Wait,
    End,
}

/// Epochs of each rung, rising, such as 1, 3, 9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    epochs: Vec<usize>,
    eta: usize,
}

impl Ladder {
    /// The rungs of a budget.
    pub fn new(epochs: Vec<usize>, eta: usize) -> Self {
        Self { epochs, eta: eta.max(2) }
    }

    pub fn epochs(&self) -> &[usize] {
        &self.epochs
    }

    /// How many of `first` candidates reach each rung.
    pub fn survivors(&self, first: usize) -> Vec<usize> {
        let mut alive = first;
        let mut survivors = Vec::new();
        for _ in &self.epochs {
            survivors.push(alive);
            alive = (alive / self.eta).max(usize::from(alive > 0));
        }
        survivors
    }
}

/// Decides who goes on to which rung. What it is told comes in the order of its decisions.
#[derive(Debug)]
pub enum Rungs {
    /// All candidates of a rung are known before any goes on (Jamieson and Talwalkar 2016).
    Halving(Halving),
    /// A candidate goes on as soon as it is among the best of its rung so far (Li et al. 2020).
    Asha(Asha),
}

/// What a candidate is thought to come to, given what it came to at a rung.
pub type Belief<'a> = &'a mut dyn FnMut(&str, &Point) -> Point;

/// The results of a rung.
#[derive(Debug, Default)]
struct Rung {
    /// Candidates that were sent to it.
    sent: usize,
    hashes: Vec<String>,
    points: Vec<Point>,
    promoted: HashSet<String>,
    /// Of a large rung its candidates from best to worst, when they were ranked last.
    ranked: Vec<usize>,
    /// Of these, how many first ones cannot go on.
    passed: usize,
}

impl Rung {
    /// From best to worst, as `belief` has them.
    fn ranking(&self, belief: Belief<'_>) -> Vec<usize> {
        let points: Vec<Point> =
            self.hashes.iter().zip(&self.points).map(|(hash, point)| belief(hash, point)).collect();
        dominance::ranking(&points)
    }

    /// Ranks a large rung again where it is time, or where it is `complete`.
    fn renew(&mut self, complete: bool, belief: Belief<'_>) {
        let (now, before) = (self.hashes.len(), self.ranked.len());
        if now > EXACT && now > before && (complete || is_due(now, before)) {
            (self.ranked, self.passed) = (self.ranking(belief), 0);
        }
    }

    /// Whether a candidate can go on: not what failed, nor what was not trained for a constraint.
    fn can_go_on(&self, i: usize) -> bool {
        self.points[i].violation == 0.0 && !self.promoted.contains(&self.hashes[i])
    }

    /// Of the best `most` the first that has not gone on; in a large rung of those that were ranked last.
    fn promotable(&mut self, most: usize, belief: Belief<'_>) -> Option<String> {
        let first = if self.hashes.len() <= EXACT {
            self.ranking(belief).into_iter().take(most).find(|i| self.can_go_on(*i))
        } else {
            while self.ranked.get(self.passed).is_some_and(|i| !self.can_go_on(*i)) {
                self.passed += 1;
            }
            self.ranked.get(self.passed).copied().filter(|_| self.passed < most)
        };
        first.map(|i| self.hashes[i].clone())
    }
}

#[derive(Debug)]
pub struct Halving {
    ladder: Ladder,
    rungs: Vec<Rung>,
    /// The rung that is being filled.
    current: usize,
    new_ended: bool,
}

#[derive(Debug)]
pub struct Asha {
    ladder: Ladder,
    rungs: Vec<Rung>,
    new_ended: bool,
    /// Whatever has stopped goes on, the best first.
    all_go_on: bool,
    /// No more go on than a rung's share, though others have come to be the best of it.
    capped: bool,
}

impl Rungs {
    pub fn halving(ladder: Ladder) -> Self {
        let rungs = ladder.epochs.iter().map(|_| Rung::default()).collect();
        Self::Halving(Halving { ladder, rungs, current: 0, new_ended: false })
    }

    /// `capped`: where beliefs change with every outcome, many would be among the best for a while.
    pub fn asha(ladder: Ladder, capped: bool) -> Self {
        let rungs = ladder.epochs.iter().map(|_| Rung::default()).collect();
        Self::Asha(Asha { ladder, rungs, new_ended: false, all_go_on: false, capped })
    }

    fn parts(&mut self) -> (&Ladder, &mut Vec<Rung>) {
        match self {
            Self::Halving(Halving { ladder, rungs, .. }) | Self::Asha(Asha { ladder, rungs, .. }) => {
                (ladder, rungs)
            }
        }
    }

    /// There will be no more new candidates.
    pub fn end_new(&mut self) {
        match self {
            Self::Halving(Halving { new_ended, .. }) | Self::Asha(Asha { new_ended, .. }) => {
                *new_ended = true
            }
        }
    }

    /// The space has no more new candidates, and there is budget left: what has stopped goes on, the best first.
    pub fn exhaust(&mut self) {
        self.end_new();
        if let Self::Asha(asha) = self {
            asha.all_go_on = true;
        }
    }

    /// A new candidate was made, for the first rung.
    pub fn sent_new(&mut self) {
        if let Some(rung) = self.parts().1.first_mut() {
            rung.sent += 1;
        }
    }

    /// What became of a candidate after so many epochs.
    pub fn tell(&mut self, hash: &str, epochs: usize, point: &Point) {
        let (ladder, rungs) = self.parts();
        if let Some(number) = ladder.epochs.iter().position(|of_rung| *of_rung == epochs) {
            rungs[number].hashes.push(hash.to_owned());
            rungs[number].points.push(point.clone());
        }
    }

    /// Ranks large rungs again where it is time: to be called after each outcome.
    pub fn renew(&mut self, belief: Belief<'_>) {
        // With halving a rung is ranked once it is complete.
        if let Self::Asha(asha) = self {
            // From the last rung nobody goes on.
            let below = asha.rungs.len().saturating_sub(1);
            asha.rungs[..below].iter_mut().for_each(|rung| rung.renew(false, belief));
        }
    }

    /// What is to be trained next; a promotion is taken as made. Who is best goes by `belief`.
    pub fn decide(&mut self, belief: Belief<'_>) -> Next {
        match self {
            Self::Halving(halving) => halving.decide(belief),
            Self::Asha(asha) => asha.decide(belief),
        }
    }
}

/// Sends a candidate on from a rung to the next.
fn promote(ladder: &Ladder, rungs: &mut [Rung], from: usize, hash: String) -> Next {
    rungs[from].promoted.insert(hash.clone());
    rungs[from + 1].sent += 1;
    Next::Continue(hash, ladder.epochs[from + 1])
}

impl Halving {
    fn decide(&mut self, belief: Belief<'_>) -> Next {
        loop {
            if self.current == 0 && !self.new_ended {
                return Next::New(self.ladder.epochs[0]);
            }
            let is_top = self.current + 1 == self.rungs.len();
            let rung = &mut self.rungs[self.current];
            if rung.hashes.len() < rung.sent {
                return Next::Wait;
            }
            if is_top {
                return Next::End;
            }
            let survivors = (rung.sent / self.ladder.eta).max(1);
            rung.renew(true, belief);
            if rung.promoted.len() < survivors
                && let Some(hash) = rung.promotable(survivors, belief)
            {
                return promote(&self.ladder, &mut self.rungs, self.current, hash);
            }
            self.current += 1;
        }
    }
}

impl Asha {
    fn decide(&mut self, belief: Belief<'_>) -> Next {
        let top = self.rungs.len().saturating_sub(1);
        let mut found = (0..top).rev().find_map(|number| self.promotable(number, belief));
        if found.is_none() && self.new_ended {
            // Nothing else is left to do, so those that came last are looked at too.
            for number in (0..top).rev() {
                let is_over = self.is_over(number);
                self.rungs[number].renew(is_over, belief);
            }
            found = (0..top).rev().find_map(|number| self.promotable(number, belief));
        }
        if let Some((number, hash)) = found {
            return promote(&self.ladder, &mut self.rungs, number, hash);
        }
        if !self.new_ended {
            return Next::New(self.ladder.epochs[0]);
        }
        let open = self.rungs.iter().any(|rung| rung.hashes.len() < rung.sent);
        if open { Next::Wait } else { Next::End }
    }

    /// Whether nothing more comes to a rung but from below, and nothing is under way there.
    fn is_over(&self, number: usize) -> bool {
        self.new_ended && self.rungs[..=number].iter().all(|rung| rung.hashes.len() == rung.sent)
    }

    fn promotable(&mut self, number: usize, belief: Belief<'_>) -> Option<(usize, String)> {
        // At the end the best goes on even where there are fewer than eta of them.
        let over = self.is_over(number);
        let rung = &mut self.rungs[number];
        let share = match (self.all_go_on && over, over && !rung.hashes.is_empty()) {
            (true, _) => rung.hashes.len(),
            (_, has_some) => (rung.hashes.len() / self.ladder.eta).max(usize::from(has_some)),
        };
        if self.capped && rung.promoted.len() >= share {
            return None;
        }
        rung.promotable(share, belief).map(|hash| (number, hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Ladder {
        Ladder::new(vec![1, 3, 9], 3)
    }

    fn point(value: f64) -> Point {
        Point { values: vec![value], violation: if value.is_nan() { f64::INFINITY } else { 0.0 } }
    }

    /// Runs to the end, each outcome at once; the candidate n has the value `values[n]` at every rung.
    fn run(mut rungs: Rungs, values: &[f64]) -> Vec<String> {
        let (mut told, mut new) = (Vec::new(), 0);
        loop {
            let (hash, epochs) = match rungs.decide(&mut |_, point| point.clone()) {
                Next::New(_) if new == values.len() => {
                    rungs.end_new();
                    continue;
                }
                Next::New(epochs) => {
                    new += 1;
                    rungs.sent_new();
                    ((new - 1).to_string(), epochs)
                }
                Next::Continue(hash, epochs) => (hash, epochs),
                Next::Wait => panic!("everything has been told"),
                Next::End => return told,
            };
            rungs.tell(&hash, epochs, &point(values[hash.parse::<usize>().unwrap()]));
            rungs.renew(&mut |_, point| point.clone());
            told.push(format!("{hash}:{epochs}"));
        }
    }

    #[test]
    fn a_third_survives_each_rung() {
        assert_eq!(ladder().survivors(27), [27, 9, 3]);
        assert_eq!(ladder().survivors(7), [7, 2, 1]);
        assert_eq!(ladder().survivors(0), [0, 0, 0]);
    }

    #[test]
    fn halving_sends_the_best_on_when_all_are_known() {
        let values = [5.0, 3.0, 9.0, 1.0, f64::NAN, 7.0, 2.0, 8.0, 4.0];
        let mut expected: Vec<String> = (0..9).map(|n| format!("{n}:1")).collect();
        // Rung 2: the three least; rung 3: the least.
        expected.extend(["3:3", "6:3", "1:3", "3:9"].map(str::to_owned));
        assert_eq!(run(Rungs::halving(ladder()), &values), expected);
    }

    #[test]
    fn asha_sends_on_as_soon_as_one_is_among_the_best() {
        let values = [5.0, 3.0, 9.0, 1.0, 2.0, 0.0, f64::NAN];
        // After three 3.0 leads; then two of six may go on, and 0.0 and 1.0 lead. Three of rung 3: the best of them goes on.
        let expected = ["0:1", "1:1", "2:1", "1:3", "3:1", "3:3", "4:1", "5:1", "5:3", "5:9", "6:1"];
        assert_eq!(run(Rungs::asha(ladder(), false), &values), expected);
        // With a cap 1.0 waits until a second of six may go on, and 0.0 is before it.
        let expected = ["0:1", "1:1", "2:1", "1:3", "3:1", "4:1", "5:1", "5:3", "6:1"];
        let capped = run(Rungs::asha(ladder(), true), &values);
        assert_eq!(capped[..9], expected);
        // Too few for a promotion by a third: the best still goes to the end.
        assert_eq!(run(Rungs::asha(ladder(), false), &[2.0, 1.0]), ["0:1", "1:1", "1:3", "1:9"]);
        assert_eq!(run(Rungs::asha(ladder(), false), &[f64::NAN]), ["0:1"]);
    }

    #[test]
    fn where_nothing_new_is_left_all_go_on_the_best_first() {
        let mut rungs = Rungs::asha(Ladder::new(vec![1, 2], 2), false);
        for (hash, value) in [("a", 2.0), ("b", 3.0), ("c", 1.0)] {
            assert_eq!(rungs.decide(&mut |_, point| point.clone()), Next::New(1));
            rungs.sent_new();
            rungs.tell(hash, 1, &point(value));
            if hash == "b" {
                assert_eq!(rungs.decide(&mut |_, point| point.clone()), Next::Continue("a".into(), 2));
                rungs.tell("a", 2, &point(2.0));
            }
        }
        rungs.exhaust();
        // c is the best of three by now; b, the last, goes on as well.
        assert_eq!(rungs.decide(&mut |_, point| point.clone()), Next::Continue("c".into(), 2));
        rungs.tell("c", 2, &point(1.0));
        assert_eq!(rungs.decide(&mut |_, point| point.clone()), Next::Continue("b".into(), 2));
        assert_eq!(rungs.decide(&mut |_, point| point.clone()), Next::Wait);
        rungs.tell("b", 2, &point(3.0));
        assert_eq!(rungs.decide(&mut |_, point| point.clone()), Next::End);
    }

    #[test]
    fn one_rung_is_plain_training() {
        assert_eq!(run(Rungs::asha(Ladder::new(vec![7], 2), false), &[2.0, 1.0]), ["0:7", "1:7"]);
    }

    /// 5,000 candidates: as many go on as with every ranking new, and those at the end are the best of all.
    #[test]
    fn a_large_rung_promotes_as_many() {
        let values: Vec<f64> = (0..5000).map(|n| f64::from(n * 7919 % 5003)).collect();
        let counts = |rungs: Rungs| {
            let told = run(rungs, &values);
            let at = |epochs: &str| told.iter().filter(|told| told.ends_with(epochs)).count();
            (at(":1"), at(":3"), at(":9"), told)
        };
        let (first, second, third, told) = counts(Rungs::halving(ladder()));
        assert_eq!((first, second, third), (5000, 1666, 555));
        let mut best: Vec<usize> = (0..5000).collect();
        best.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let mut last: Vec<String> = told[told.len() - 555..].to_vec();
        let mut expected: Vec<String> = best[..555].iter().map(|n| format!("{n}:9")).collect();
        last.sort();
        expected.sort();
        assert_eq!(last, expected);
        let (first, second, third, _) = counts(Rungs::asha(ladder(), false));
        assert_eq!(first, 5000);
        assert!((1666..1800).contains(&second) && (555..640).contains(&third), "{second} {third}");
    }
}
