//! Every candidate of the space, in its order.

use std::sync::Arc;

use super::{Proposal, Strategy};
use crate::error::Result;
use crate::space::SearchSpace;

/// Every candidate, in the order of the space.
#[derive(Debug)]
pub struct Grid {
    space: Arc<SearchSpace>,
    next: u128,
}

impl Grid {
    pub fn new(space: Arc<SearchSpace>) -> Self {
        Self { space, next: 0 }
    }
}

impl Strategy for Grid {
    fn ask(&mut self) -> Result<Option<Proposal>> {
        let drawn = self.space.get(self.next);
        self.next = self.next.saturating_add(1);
        Ok(drawn.map(Proposal::from))
    }
}
