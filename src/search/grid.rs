//! Every candidate of the space, in its order.

use super::breeder::Breeder;
use super::strategy::{Ask, Strategy};
use crate::error::Result;

/// Rejections in a row after which it gives up: neighbours are alike in a grid, and long runs are normal.
const PATIENCE: u64 = 200_000;

/// Every candidate, in the order of the space.
#[derive(Debug, Default)]
pub struct Grid {
    next: u128,
    made: bool,
}

impl Strategy for Grid {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        let size = breeder.space().size();
        for _ in 0..PATIENCE {
            if self.next >= size {
                return if self.made { Ok(Ask::End) } else { Err(breeder.unsatisfiable()) };
            }
            let made = breeder.numbered(self.next);
            self.next += 1;
            if let Some(made) = made {
                self.made = true;
                return Ok(Ask::Train(Box::new(made)));
            }
            breeder.look()?;
        }
        Err(breeder.unsatisfiable())
    }
}
