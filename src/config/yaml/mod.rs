//! YAML files whose every mistake is a sentence: `path/file.yaml:LINE:COL: stages[3].kernel: 4 is not a kernel size`.
//!
//! `serde_yaml` parses a file into a tree of [`Node`]s; the readers of sections walk it with [`At`], which knows the
//! path of every value. A [`Problem`] names a path, and [`Document`] turns it into file, line and column. This way
//! a wrong type, an unknown key, a value out of range and a contradiction between two sections read alike.

mod depth;
mod document;
mod merge;
mod node;
mod path;
mod read;
mod units;

pub use document::{Document, read_once};
pub use node::Node;
pub use path::{KeyPath, Step};
pub use read::{At, Keys, Problem, Read, nearest};
pub use units::{amount, without_unit};

#[cfg(test)]
mod tests;
