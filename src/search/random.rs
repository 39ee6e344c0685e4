//! Candidates drawn uniformly, each at most once.

use super::breeder::Breeder;
use super::strategy::{Ask, Strategy};
use crate::error::Result;

/// Uniform draws without repeats.
#[derive(Debug)]
pub struct Random;

impl Strategy for Random {
    fn ask(&mut self, breeder: &mut Breeder) -> Result<Ask> {
        breeder.random().map(Ask::or_end)
    }
}
