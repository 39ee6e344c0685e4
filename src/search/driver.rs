//! A search from its first order to its last: strategy, breeder and rungs put together.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::breeder::Breeder;
use super::evolution::Evolution;
use super::grid::Grid;
use super::local::Local;
use super::made::{Judge, Made, Proposal};
use super::mnas::Mnas;
use super::netadapt::NetAdapt;
use super::nsga2::Nsga2;
use super::objectives::{Figures, Objectives, Timed};
use super::random::Random;
use super::rungs::{Ladder, Next, Rungs};
use super::sh_emoa::ShEmoa;
use super::strategy::{Ask, Strategy, Told};
use super::tpe::Tpe;
use crate::config::{BudgetKind, SearchConfig, StrategyKind};
use crate::error::Result;
use crate::space::{Merged, SearchSpace};

/// What is to be trained next.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// A new candidate, for so many epochs.
    Train(Box<Made>, usize),
    /// The candidate with this hash goes on to so many epochs.
    Continue(String, usize),
    /// Nothing before the outcome of an earlier order is known.
    Wait,
    End,
}

/// All that a search needs to know.
pub struct Settings<'a> {
    pub config: &'a SearchConfig,
    pub space: Arc<SearchSpace>,
    pub seed: u64,
    /// Of a whole training.
    pub epochs: usize,
    pub judge: Judge,
}

/// A search. Its orders depend on its settings and the outcomes of earlier orders alone, in the order in which these were
/// given: an order is made when exactly all but the last `ahead - 1` before it are known, whatever else has ended by then.
pub struct Search {
    breeder: Breeder,
    strategy: Box<dyn Strategy>,
    rungs: Rungs,
    objectives: Objectives,
    /// New candidates that are still to come.
    left: usize,
    /// Orders that may be open at once.
    ahead: usize,
    /// Epochs of candidates that inherit their weights.
    fine_tune: Option<usize>,
    made: HashMap<String, Made>,
    /// Orders in their order whose outcomes the strategy has not heard.
    open: VecDeque<(String, usize)>,
    arrived: HashMap<(String, usize), Option<Figures>>,
    /// An order that was made before its turn.
    first: Option<Order>,
    /// What an earlier run proposed and this one has not.
    recalled: VecDeque<Option<Proposal>>,
    /// Finds the other choices that lead to a candidate's network.
    merging: Option<Merging>,
}

/// Finds all the choices that lead to the network of a genome, given what it is known by, where they are several.
pub type Merging = Box<dyn FnMut(&[usize], &str) -> Option<Merged> + Send>;

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search")
            .field("breeder", &self.breeder)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Search {
    pub fn new(settings: Settings<'_>) -> Self {
        let Settings { config, space, seed, epochs, judge } = settings;
        let strategy: Box<dyn Strategy> = match config.strategy {
            StrategyKind::Grid => Box::new(Grid::default()),
            StrategyKind::Random => Box::new(Random),
            StrategyKind::Local => Box::new(Local::default()),
            StrategyKind::Evolution => Box::new(Evolution::new(config.population)),
            StrategyKind::Nsga2 => Box::new(Nsga2::new(config.population)),
            StrategyKind::ShEmoa => {
                Box::new(ShEmoa::new(config.population, &config.objectives, &config.turned, epochs))
            }
            StrategyKind::Tpe => Box::new(Tpe::default()),
            StrategyKind::Mnas => Box::new(Mnas::default()),
            StrategyKind::NetAdapt => match &config.netadapt {
                Some(config) => Box::new(NetAdapt::new(config.clone())),
                None => Box::new(Random),
            },
        };
        let ladder = Ladder::new(config.budget.epochs(epochs), config.budget.eta);
        let rungs = match config.budget.kind {
            BudgetKind::SuccessiveHalving => Rungs::halving(ladder),
            // With one rung it is plain training.
            BudgetKind::Full | BudgetKind::Asha => {
                Rungs::asha(ladder, config.strategy == StrategyKind::ShEmoa)
            }
        };
        Self {
            breeder: Breeder::new(space, seed, judge),
            strategy,
            rungs,
            objectives: Objectives::new(config),
            left: config.trials.unwrap_or(usize::MAX),
            ahead: match config.strategy {
                // A step's proposals know nothing of each other, and it waits for all of them.
                StrategyKind::NetAdapt => usize::MAX - 1,
                _ if config.listens() => config.ahead.max(1),
                _ => usize::MAX,
            },
            fine_tune: config.netadapt.as_ref().map(|netadapt| netadapt.fine_tune),
            made: HashMap::new(),
            open: VecDeque::new(),
            arrived: HashMap::new(),
            first: None,
            recalled: VecDeque::new(),
            merging: None,
        }
    }

    /// Has it look for the other choices that lead to each candidate's network, so that the network counts for all of them.
    pub fn merging(mut self, merging: Merging) -> Self {
        self.merging = Some(merging);
        self
    }

    /// Has it propose none of these networks, by their hashes, since they are trained already.
    pub fn without(mut self, networks: HashSet<String>) -> Self {
        self.breeder.leave_out(networks);
        self
    }

    /// Whether what it orders depends on how earlier trials ended.
    pub fn listens(&self) -> bool {
        self.ahead < usize::MAX
    }

    /// The breeder, for what is to be said of it.
    pub fn breeder(&self) -> &Breeder {
        &self.breeder
    }

    /// Makes the first order, which then comes with [`order`](Self::order).
    ///
    /// # Errors
    /// As [`order`](Self::order).
    pub fn look(&mut self) -> Result<()> {
        if self.first.is_none() {
            self.first = Some(self.order()?);
        }
        Ok(())
    }

    /// The next order.
    ///
    /// # Errors
    /// A sentence where nothing keeps to the constraints.
    pub fn order(&mut self) -> Result<Order> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        while self.open.len() >= self.ahead {
            if !self.hear() {
                return Ok(Order::Wait);
            }
        }
        loop {
            if self.left == 0 {
                self.rungs.end_new();
            }
            match self.rungs.decide(&mut |hash, point| self.strategy.belief(hash, point)) {
                Next::New(epochs) => match self.ask()? {
                    Ask::Train(mut made) => {
                        self.left -= 1;
                        if let Some(merging) = &mut self.merging {
                            made.merged = merging(&made.genome, &made.hash);
                        }
                        if self.strategy.skips() {
                            made.proposal = Some(Box::new(self.breeder.proposal(&made.genome)));
                        }
                        let inherits = made.adapted.is_some();
                        let epochs = self.fine_tune.filter(|_| inherits).unwrap_or(epochs);
                        // A search that does not listen is never told, and may have millions of candidates.
                        if self.listens() {
                            // What inherits is on no rung.
                            if !inherits {
                                self.rungs.sent_new();
                            }
                            self.open.push_back((made.hash.clone(), epochs));
                            self.made.insert(made.hash.clone(), (*made).clone());
                        }
                        return Ok(Order::Train(made, epochs));
                    }
                    Ask::End => {
                        self.left = 0;
                        self.rungs.exhaust();
                    }
                    // A strategy that waits for nothing will never go on.
                    Ask::Wait if self.open.is_empty() => self.left = 0,
                    Ask::Wait if self.hear() => {}
                    Ask::Wait => return Ok(Order::Wait),
                },
                Next::Continue(hash, epochs) => {
                    self.open.push_back((hash.clone(), epochs));
                    return Ok(Order::Continue(hash, epochs));
                }
                Next::Wait if self.hear() => {}
                Next::Wait => return Ok(Order::Wait),
                Next::End => return Ok(Order::End),
            }
        }
    }

    /// What an earlier run of the same search proposed, first to last: it is not computed again, as far as the strategy can go
    /// on without having computed it. Outcomes are still to be told.
    pub fn recall(&mut self, proposals: Vec<Option<Proposal>>) {
        self.recalled = proposals.into();
    }

    /// What the strategy wants next; of an earlier run where that is known.
    fn ask(&mut self) -> Result<Ask> {
        if let Some(Some(proposal)) = self.recalled.pop_front()
            && self.strategy.skips()
            && let Some(made) = self.breeder.recall(&proposal)
        {
            self.strategy.skip();
            return Ok(Ask::Train(Box::new(made)));
        }
        self.strategy.ask(&mut self.breeder)
    }

    /// Whether a candidate of such a latency is not to be trained.
    pub fn rejects(&self, latency: Timed) -> bool {
        self.objectives.rejects(latency)
    }

    /// Takes what became of an order.
    pub fn tell(&mut self, hash: &str, epochs: usize, figures: Option<Figures>) {
        self.arrived.insert((hash.to_owned(), epochs), figures);
    }

    /// Lets the strategy hear of the oldest open order; false where its outcome is not known yet.
    fn hear(&mut self) -> bool {
        let Some(first) = self.open.front() else { return false };
        let Some(figures) = self.arrived.remove(first) else { return false };
        let Some((hash, epochs)) = self.open.pop_front() else { return false };
        let Some(made) = self.made.get(&hash) else { return true };
        if let Some(latency) = figures.and_then(|figures| figures.latency) {
            self.objectives.learn_grain(latency);
        }
        let point = self.objectives.point(made, figures);
        self.rungs.tell(&hash, epochs, &point);
        self.strategy.tell(&Told { made, epochs, point: &point });
        self.rungs.renew(&mut |hash, point| self.strategy.belief(hash, point));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Objective;
    use crate::search::{Costs, Judged};
    use crate::space::Candidate;

    fn search(change: impl FnOnce(&mut SearchConfig)) -> (Search, Made) {
        let text =
            "name: t\ninput: 3x32x32\nclasses: 10\nstages: [{block: ir, expand: 6, channels: [8, 16]}]\n";
        let space = Arc::new(SearchSpace::parse("s.yaml", text).unwrap());
        let mut config = SearchConfig::new("s.yaml".into(), StrategyKind::Nsga2, Some(9));
        change(&mut config);
        let costs = Costs { params: 7, madds: 5, activation_memory: 3, size: 28 };
        let judge = Box::new(move |candidate: &Candidate| {
            Judged::Fits(costs, crate::space::text_hash(&candidate.text()))
        });
        let mut search = Search::new(Settings { config: &config, space, seed: 1, epochs: 9, judge });
        let Order::Train(made, _) = search.order().unwrap() else { panic!("it begins with a candidate") };
        (search, *made)
    }

    fn figures(accuracy: f64, seconds: f64) -> Figures {
        Figures { accuracy, loss: 1.0, latency: Some(Timed { seconds, floor: 0.25 * seconds }) }
    }

    /// The first that is heard of has a quarter of noise, so latencies are powers of 1.25: 1, 1.25, 1.5625.
    #[test]
    fn latencies_within_the_first_noise_floor_are_equal() {
        let (mut search, made) =
            search(|config| config.objectives = vec![Objective::Accuracy, Objective::Latency]);
        let latency =
            |search: &Search, seconds| search.objectives.point(&made, Some(figures(50.0, seconds))).values[1];
        assert_eq!(latency(&search, 1.1), 1.1);
        search.tell(&made.hash, 9, Some(figures(50.0, 1.0)));
        assert!(search.hear());
        for (seconds, expected) in [(1.0, 1.0), (0.9, 1.0), (1.1, 1.0), (1.15, 1.25), (1.5, 1.5625)] {
            assert!((latency(&search, seconds) - expected).abs() < 1e-12, "{seconds}");
        }
        assert_eq!(latency(&search, 0.9), latency(&search, 1.1));
        // Later noise changes nothing.
        let later = Figures { latency: Some(Timed { seconds: 1.0, floor: 100.0 }), ..figures(50.0, 1.0) };
        search.open.push_back((made.hash.clone(), 9));
        search.tell(&made.hash, 9, Some(later));
        assert!(search.hear());
        assert!((latency(&search, 1.5) - 1.5625).abs() < 1e-12);
        // What was not measured is no latency.
        assert_eq!(
            search.objectives.point(&made, Some(Figures { latency: None, ..later })).violation,
            f64::INFINITY
        );
    }

    #[test]
    fn who_is_over_the_limit_is_behind_who_is_not() {
        let (search, made) = search(|config| config.max_latency = Some(1.0));
        let over = Timed { seconds: 1.5, floor: 0.1 };
        assert!(search.rejects(over) && !search.rejects(Timed { seconds: 1.0, floor: 0.1 }));
        let untrained = search.objectives.point(&made, Some(Figures::untrained(over)));
        assert!((untrained.violation - 0.5).abs() < 1e-12, "half of the limit above it");
        assert!(untrained.values.iter().all(|value| value.is_finite()));
        let trained = search.objectives.point(&made, Some(figures(1.0, 0.9)));
        let failed = search.objectives.point(&made, None);
        assert_eq!((trained.violation, failed.violation), (0.0, f64::INFINITY));
        assert!(trained.dominates(&untrained) && untrained.dominates(&failed));
        let further =
            search.objectives.point(&made, Some(Figures::untrained(Timed { seconds: 2.0, floor: 0.1 })));
        assert!(untrained.dominates(&further));
    }

    #[test]
    fn a_direction_turns_an_objective_round() {
        let (search, made) = search(|config| config.turned = vec![Objective::Params]);
        assert_eq!(search.objectives.point(&made, Some(figures(50.0, 1.0))).values, [-50.0, -7.0]);
    }
}
