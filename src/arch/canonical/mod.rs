//! The one text of a network: a candidate read back from the layers that were built.
//!
//! Two candidates that build the same layers become the same candidate here, since nothing but the layers is looked at: widths
//! become `e6` where the expansion is a plain number and `h88` where it is not, a squeeze becomes a ratio such as `se0.25`, blocks
//! that one token can say are said by one. `walk` takes the layers apart into blocks, `stages` joins blocks into stages.

mod guard;
mod ratio;
mod stages;
mod walk;

#[cfg(test)]
mod tests;

use super::build;
use super::network::{Network, Shape};
use crate::space::Candidate;

/// The network of a candidate, and the candidate that its layers spell: the same for every spelling of the network. The
/// layers are named after that one.
///
/// # Errors
/// As [`build::network`].
pub fn network(candidate: &Candidate, input: Shape, classes: usize) -> Result<(Candidate, Network), String> {
    let built = build::network(candidate, input, classes)?;
    let canonical = of(&built);
    if canonical == *candidate {
        return Ok((canonical, built));
    }
    let named = build::network(&canonical, input, classes)?;
    Ok((canonical, named))
}

/// The candidate that the layers of a candidate's network spell.
pub fn of(network: &Network) -> Candidate {
    spelled(network).expect("every network that a candidate builds is read back from its layers")
}

/// The candidate that the layers of a network spell; `None` where no candidate builds them.
pub fn spelled(network: &Network) -> Option<Candidate> {
    let walk::Walked { blocks, head, conv_bias } = walk::walk(network)?;
    let (stem, blocks) = stages::stem(&blocks);
    Some(Candidate { stem, stages: stages::joined(blocks), head, conv_bias })
}
