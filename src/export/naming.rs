//! Whose names the tensors of a file have.

use super::torchvision;
use crate::arch::Network;
use crate::engine::weights::{Entry, Slot, own_entries};
use crate::error::{Error, Result};

/// Whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// The layers' own.
    #[default]
    Ours,
    /// torchvision's, for the networks that it has.
    Torchvision,
}

impl Naming {
    /// Name and shape of every slot's tensor.
    ///
    /// # Errors
    /// A sentence where torchvision has no such network.
    pub fn entries(self, network: &Network, slots: &[Slot]) -> Result<Vec<Entry>> {
        match self {
            Self::Ours => Ok(own_entries(network, slots)),
            Self::Torchvision => torchvision::entries(network, slots).map_err(|what| {
                Error::request(format!("{}: torchvision has no names for it ({what})", network.name))
            }),
        }
    }
}
