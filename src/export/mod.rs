//! Networks and their weights in the formats of others: safetensors (both ways, with torchvision's and timm's names too) and ONNX.

pub mod about;
pub mod fold;
pub mod naming;
pub mod onnx;
pub mod safetensors;
mod timm;
mod torchvision;
pub mod weights;

pub use about::About;
pub use naming::Naming;
pub use weights::Weights;
