//! How many candidates of a space can be built and satisfy its constraints: counted where the space can be listed,
//! else estimated from a sample.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::unbuildable::Tally;
use super::{Cost, of};
use crate::arch::{Network, Shape, build};
use crate::config::Unbuildable;
use crate::space::{Candidate, Drawn, SearchSpace};

/// Why a candidate is not trained.
#[derive(Debug, Clone, PartialEq)]
pub enum Rejection {
    /// A shape is impossible; the sentence begins with the layer's name.
    Shape(String),
    /// A cost outside the space's constraints.
    Constraint {
        reason: String,
        /// By how much, as [`Constraints::excess`](crate::space::Constraints::excess) has it.
        excess: f64,
    },
}

impl Rejection {
    /// The reason as a sentence.
    pub fn reason(&self) -> &str {
        let (Self::Shape(reason) | Self::Constraint { reason, .. }) = self;
        reason
    }

    /// By how much constraints are broken; `None` where there is no network.
    pub fn excess(&self) -> Option<f64> {
        match self {
            Self::Shape(_) => None,
            Self::Constraint { excess, .. } => Some(*excess),
        }
    }
}

/// The network of a candidate of `space` and its cost, for images of shape `input` in `classes` classes.
///
/// # Errors
/// What keeps the candidate from being trained.
pub fn judge(
    space: &SearchSpace,
    candidate: &Candidate,
    input: Shape,
    classes: usize,
) -> Result<(Network, Cost), Rejection> {
    let network = build::network(candidate, input, classes).map_err(Rejection::Shape)?;
    let cost = of(&network);
    match space.constraints.violation(cost.params, cost.madds, cost.activation_memory, cost.size) {
        Some(reason) => {
            let excess = space.constraints.excess(cost.params, cost.madds, cost.activation_memory, cost.size);
            Err(Rejection::Constraint { reason, excess })
        }
        None => Ok((network, cost)),
    }
}

/// How candidates are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// The largest space that is listed whole.
    pub list: u64,
    /// Candidates drawn from a larger one, uniformly and with replacement.
    pub sample: u64,
    pub seed: u64,
}

/// Candidates of a space that were judged, all of them or a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Feasible {
    /// The size of the space.
    pub size: u128,
    /// Whether every candidate of the space was judged.
    pub exact: bool,
    pub judged: u64,
    /// Those that can be built and satisfy the constraints, in the order they were judged.
    pub satisfying: Vec<(u128, Cost)>,
    /// Those that are no networks, and why.
    pub unbuildable: Unbuildable,
    pub violating: u64,
    /// The first of the rejected.
    pub rejected: Option<(u128, Rejection)>,
}

/// A number of candidates with the interval it lies in; all three are equal where it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub count: u128,
    pub low: u128,
    pub high: u128,
}

impl Feasible {
    /// Judges the candidates of `space` for the images it is made for.
    pub fn count(space: &SearchSpace, counting: Counting) -> Self {
        let size = space.size();
        let exact = size <= u128::from(counting.list);
        let judge_at = |index: u128| {
            let Drawn { candidate, .. } = space.get(index)?;
            let [c, h, w] = space.input;
            let verdict = judge(space, &candidate, Shape::new(c, h, w), space.classes);
            Some((index, verdict.map(|(_, cost)| cost)))
        };
        let indices: Vec<u128> = if exact {
            (0..size).collect()
        } else {
            let mut rng = ChaCha8Rng::seed_from_u64(counting.seed);
            (0..counting.sample).map(|_| rng.random_range(0..size)).collect()
        };
        let verdicts: Vec<_> = indices.into_par_iter().filter_map(judge_at).collect();
        let mut feasible = Self {
            size,
            exact,
            judged: verdicts.len() as u64,
            satisfying: Vec::new(),
            unbuildable: Tally::default().finish(0, exact),
            violating: 0,
            rejected: None,
        };
        let mut unbuildable = Tally::default();
        for (index, verdict) in verdicts {
            match verdict {
                Ok(cost) => feasible.satisfying.push((index, cost)),
                Err(rejection) => {
                    match &rejection {
                        Rejection::Shape(reason) => unbuildable.add(reason),
                        Rejection::Constraint { .. } => feasible.violating += 1,
                    }
                    feasible.rejected.get_or_insert((index, rejection));
                }
            }
        }
        feasible.unbuildable = unbuildable.finish(feasible.judged, exact);
        feasible
    }

    /// How many candidates of the whole space satisfy: the count, or an estimate with its 95 % Wilson interval.
    pub fn bounds(&self) -> Bounds {
        let hits = self.satisfying.len() as u64;
        if self.exact {
            let count = u128::from(hits);
            return Bounds { count, low: count, high: count };
        }
        let (low, high) = wilson(hits, self.judged);
        // Beyond 2^53 the last digits of a product are noise, far below the interval's width.
        let of_size = |share: f64| ((share * self.size as f64).round() as u128).min(self.size);
        let share = if self.judged == 0 { 0.0 } else { hits as f64 / self.judged as f64 };
        // What was seen is there, however small its share.
        let low = of_size(low).max(u128::from(hits > 0));
        Bounds { count: of_size(share).max(low), low, high: of_size(high) }
    }

    /// Least and greatest value of a cost among the satisfying candidates.
    pub fn range(&self, cost: impl Fn(&Cost) -> u64) -> Option<(u64, u64)> {
        let values = || self.satisfying.iter().map(|(_, c)| cost(c));
        Some((values().min()?, values().max()?))
    }
}

/// The 95 % interval of a share seen `hits` times in `n` (Wilson 1927, 'Probable inference, the law of succession, and
/// statistical inference').
fn wilson(hits: u64, n: u64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (hits, n) = (hits as f64, n as f64);
    let share = hits / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: &str = "name: t\ninput: 3x16x16\nclasses: 10\nstem: {channels: [8, 16, 32]}\n\
        stages:\n- {block: ir, expand: [1, 2, 4, 6], kernel: [3, 5, 7], channels: [8, 16], stride: 2}\n\
        - {block: ir, expand: 2, kernel: [3, 7], stride: 2, channels: 24}\n\
        - {block: ir, expand: 2, kernel: [3, 5], stride: 2, channels: 24}\n";

    fn space(constraints: &str) -> SearchSpace {
        SearchSpace::parse("s.yaml", &format!("{SPACE}{constraints}")).unwrap()
    }

    fn count(space: &SearchSpace, list: u64, sample: u64) -> Feasible {
        Feasible::count(space, Counting { list, sample, seed: 1 })
    }

    /// Newcombe 1998, 'Two-sided confidence intervals for the single proportion', Table I, method 3.
    #[test]
    fn intervals_are_the_published_ones() {
        for (hits, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (l, h) = wilson(hits, n);
            assert!((l - low).abs() < 6e-5 && (h - high).abs() < 6e-5, "{hits}/{n}: {l} {h}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    /// Kernels larger than the 4x4 map that the last stage reads are valid, for they are padded: PyTorch builds them all.
    #[test]
    fn padded_kernels_fit_every_map() {
        let all = count(&space(""), 1000, 0);
        assert_eq!((all.size, all.judged, all.exact), (288, 288, true));
        assert_eq!(all.bounds(), Bounds { count: 288, low: 288, high: 288 });
        assert_eq!((all.unbuildable.count, all.violating, all.rejected), (0, 0, None));
    }

    /// A squeeze of 4 * 4 / 32 units is none: a third of the 3 * 2 candidates, whichever stem they have.
    #[test]
    fn what_cannot_be_built_is_counted_with_its_reason() {
        let text = "name: t\ninput: 3x4x4\nclasses: 10\nstem: {channels: [8, 16]}\n\
            stages:\n- {block: cse, reduction: [4, 16, 32], channels: 8}\n";
        let all = count(&SearchSpace::parse("s.yaml", text).unwrap(), 1000, 0);
        assert_eq!(all.bounds(), Bounds { count: 4, low: 4, high: 4 });
        let found = &all.unbuildable;
        assert_eq!((found.count, found.judged, found.all), (2, 6, true));
        assert_eq!(found.reasons[0].key, "stages[0].reduction");
        assert!(found.reasons[0].reason.starts_with("the 4x4 map has fewer pixels"), "{found:?}");
        let (_, rejection) = all.rejected.clone().unwrap();
        assert!(rejection.reason().starts_with("stages.0.0: the 4x4 map"), "{rejection:?}");
    }

    #[test]
    fn an_estimate_holds_the_count_in_its_interval() {
        let space = space("constraints: {params: {max: 9000}}\n");
        let exact = count(&space, 1000, 0);
        let estimate = count(&space, 100, 2000);
        assert!(!estimate.exact && estimate.judged == 2000);
        let (truth, bounds) = (exact.bounds().count, estimate.bounds());
        assert!(truth > 0 && truth < 288);
        assert!(bounds.low <= truth && truth <= bounds.high, "{truth} {bounds:?}");
        let (low, high) = exact.range(|c| c.params).unwrap();
        assert!(low < high && high <= 9000);
        let (seen_low, seen_high) = estimate.range(|c| c.params).unwrap();
        assert!(low <= seen_low && seen_high <= high);
    }

    #[test]
    fn constraints_that_nothing_satisfies_leave_nothing() {
        let none = count(&space("constraints: {params: {max: 10}}\n"), 1000, 0);
        assert_eq!(none.bounds(), Bounds { count: 0, low: 0, high: 0 });
        assert_eq!(none.range(|c| c.params), None);
        assert!(matches!(none.rejected, Some((0, Rejection::Constraint { .. }))));
    }
}
