//! Files of others, read without surprises: nothing is waited for, no device is read by mistake, text is text.
//!
//! [`open`] and [`read`] take regular files alone. [`stream`] takes pipes too, for what is read once from start to end:
//! `blocksmith run <(generate)`. [`text`] passes over a byte order mark.

mod input;
mod text;

pub use input::{kind, open, read, stream};
pub use text::{NotText, text};
