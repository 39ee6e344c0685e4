//! Random streams named by what they are for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The stream of (`purpose`, `seed`, `index`): the same whoever asks, in whatever order, on whatever thread.
///
/// The key is a hash of all three, so neighbouring seeds and indices give unrelated streams.
pub(super) fn stream(purpose: &str, seed: u64, index: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(b"blocksmith data stream\0");
    hash.update(seed.to_le_bytes());
    hash.update(index.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// An integer below `n` from the 32 random bits `bits`: their product's high half. For `n` below 2^16 no value is
/// favoured by more than one part in 2^16, far under what augmentation could show.
pub(super) fn below(bits: u32, n: usize) -> usize {
    ((u64::from(bits) * n as u64) >> 32) as usize
}
