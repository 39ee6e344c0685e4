//! Networks that run: a `Network` as a dfdx model on a device. The only room that knows dfdx.
//!
//! dfdx gives the tape, the gradients, the loss and the optimizer. Activations are NHWC and live in pooled buffers of
//! our own; what runs backward over them is on dfdx's tape, their gradients lie in places of our own.

pub mod act;
pub mod foretell;
pub mod grad;
pub mod infer;
pub mod keep;
pub mod latency;
pub mod measure;
pub mod model;
pub mod ops;
pub mod optimizer;
pub mod pool;
pub mod real;
pub mod simd;
pub mod value;
pub mod weights;
pub mod workers;

pub use infer::Inference;
pub use latency::Latency;
pub use model::{Batch, Model, Outcome, units};
pub use optimizer::{Sgd, SgdSettings};
pub use real::Real;
pub use workers::Workers;

/// The libraries whose versions can change a result, for the journal.
pub const BUILT_ON: &str = "dfdx 0.13.0";

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        for library in super::BUILT_ON.split(", ") {
            let (name, version) = library.split_once(' ').expect("a name and a version");
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"");
            assert!(lock.contains(&entry), "{library}");
        }
    }
}
