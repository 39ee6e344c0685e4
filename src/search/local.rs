//! Local search (White et al. 2021, "Exploring the Loss Landscape in Neural Architecture Search"; with several objectives
//! the Pareto local search of Paquete et al. 2004).

use std::collections::{HashSet, VecDeque};

use super::breeder::Breeder;
use super::made::Tried;
use super::members::Members;
use super::strategy::{Ask, Strategy, Told};
use crate::error::Result;
use crate::space::Genome;

/// All neighbours of the best candidate whose neighbours are not known yet, one change each; where the neighbours of all on
/// the front are known it starts anew from one by chance.
#[derive(Debug, Default)]
pub struct Local {
    front: Members,
    expanded: HashSet<String>,
    waiting: VecDeque<Genome>,
    /// Proposals of which nothing was told yet.
    open: usize,
}

impl Strategy for Local {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        loop {
            while let Some(genome) = self.waiting.pop_front() {
                if let Tried::Made(made) = breeder.make(&genome) {
                    self.open += 1;
                    return Ok(Ask::Train(made));
                }
            }
            // The next centre is chosen when all of this one's neighbours are known.
            if self.open > 0 {
                return Ok(Ask::Wait);
            }
            match self.next_centre() {
                Some(centre) => self.waiting = breeder.neighbours(&centre).into(),
                None => {
                    let made = breeder.random()?;
                    self.open += usize::from(made.is_some());
                    return Ok(Ask::or_end(made));
                }
            }
        }
    }

    fn tell(&mut self, told: &Told<'_>) {
        self.open = self.open.saturating_sub(1);
        self.front.hear(told);
    }
}

impl Local {
    /// Of the front the first that is not expanded.
    fn next_centre(&mut self) -> Option<Genome> {
        let centre = self.front.first_but(&self.expanded)?;
        self.expanded.insert(centre.hash.clone());
        Some(centre.genome.clone())
    }
}
