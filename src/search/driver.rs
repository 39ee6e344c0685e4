//! A search from its first order to its last: strategy, breeder and rungs put together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::breeder::{Breeder, Judge, Made};
use super::dominance::Point;
use super::evolution::Evolution;
use super::grid::Grid;
use super::local::Local;
use super::mnas::{Mnas, Reward};
use super::netadapt::NetAdapt;
use super::nsga2::Nsga2;
use super::random::Random;
use super::rungs::{Ladder, Next, Rungs};
use super::strategy::{Ask, Strategy, Told};
use super::tpe::Tpe;
use crate::config::{BudgetKind, Objective, RewardConfig, SearchConfig, StrategyKind};
use crate::error::Result;
use crate::space::SearchSpace;

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

/// What became of a candidate: means over its seeds; `None` where no trial of it finished.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Validation accuracy, percent.
    pub accuracy: f64,
    /// Validation loss.
    pub loss: f64,
    /// Measured seconds of one image, where the search asks for it.
    pub latency: Option<f64>,
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
    objectives: Vec<Objective>,
    reward: Option<(Reward, Objective)>,
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
}

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
            StrategyKind::Nsga2 | StrategyKind::ShEmoa => Box::new(Nsga2::new(config.population)),
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
            BudgetKind::Full | BudgetKind::Asha => Rungs::asha(ladder),
        };
        let reward = config.reward.as_ref().map(|RewardConfig { cost, target, alpha, beta }| {
            (Reward { target: *target, alpha: *alpha, beta: *beta }, *cost)
        });
        Self {
            breeder: Breeder::new(space, seed, judge),
            strategy,
            rungs,
            objectives: config.objectives.clone(),
            reward,
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
        }
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
            match self.rungs.decide() {
                Next::New(epochs) => match self.strategy.ask(&mut self.breeder)? {
                    Ask::Train(made) => {
                        self.left -= 1;
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
        let point = self.point(made, figures);
        self.rungs.tell(&hash, epochs, &point);
        self.strategy.tell(&Told { made, epochs, point: &point });
        true
    }

    /// The objectives of a candidate, to be minimised.
    fn point(&self, made: &Made, figures: Option<Figures>) -> Point {
        let values: Vec<f64> = match &self.reward {
            Some((reward, cost)) => {
                let accuracy = figures.map_or(f64::NAN, |figures| figures.accuracy);
                vec![-reward.of(accuracy, value(*cost, made, figures))]
            }
            None => self.objectives.iter().map(|objective| value(*objective, made, figures)).collect(),
        };
        let sound = figures.is_some() && values.iter().all(|value| value.is_finite());
        Point { values, violation: if sound { 0.0 } else { f64::INFINITY } }
    }
}

/// An objective's value, to be minimised; NaN where it is not known.
fn value(objective: Objective, made: &Made, figures: Option<Figures>) -> f64 {
    let of = |value: fn(Figures) -> f64| figures.map_or(f64::NAN, value);
    match objective {
        Objective::Accuracy => -of(|figures| figures.accuracy),
        Objective::Loss => of(|figures| figures.loss),
        Objective::Params => made.costs.params as f64,
        Objective::Madds => made.costs.madds as f64,
        Objective::ActivationMemory => made.costs.activation_memory as f64,
        Objective::Size => made.costs.size as f64,
        Objective::Latency => of(|figures| figures.latency.unwrap_or(f64::NAN)),
    }
}
