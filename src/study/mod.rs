//! The journal of a study, and the runner that writes it.

pub mod event;
