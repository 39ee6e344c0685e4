//! The live display of a study on standard error: bars on a terminal, plain lines elsewhere.

mod bars;
mod lines;
pub mod tally;
#[cfg(test)]
mod tests;
pub mod text;

use std::io::IsTerminal;

use super::output::standard_error;
use crate::study::Display;

/// The display that suits standard error.
pub fn display() -> Box<dyn Display> {
    let err = standard_error();
    if err.is_terminal() { Box::new(bars::Bars::new()) } else { Box::new(lines::Lines::new(err)) }
}
