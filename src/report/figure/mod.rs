//! Figures: a picture is laid out once, then drawn as SVG and as PNG.

pub mod ablation;
pub mod axis;
pub mod canvas;
pub mod curves;
pub mod effects;
pub mod font;
pub mod labels;
pub mod race;
pub mod scatter;
pub mod scene;
pub mod style;

pub use scene::Scene;
