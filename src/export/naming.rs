//! Whose names the tensors of a file have.

use super::{timm, torchvision};
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
    /// timm's, for the networks that it has.
    Timm,
}

impl Naming {
    /// All of them; of those that fit a file equally well the first counts.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Torchvision, Self::Timm];

    /// Name and shape of every slot's tensor.
    ///
    /// # Errors
    /// A sentence where torchvision, or timm, has no such network.
    pub fn entries(self, network: &Network, slots: &[Slot]) -> Result<Vec<Entry>> {
        let (whose, entries) = match self {
            Self::Ours => return Ok(own_entries(network, slots)),
            Self::Torchvision => ("torchvision", torchvision::entries(network, slots)),
            Self::Timm => ("timm", timm::entries(network, slots)),
        };
        entries
            .map_err(|what| Error::request(format!("{}: {whose} has no names for it ({what})", network.name)))
    }
}
