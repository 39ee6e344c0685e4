//! Files of others, read without surprises: nothing is waited for, no device is read by mistake, text is text.
//!
//! Reading: [`open`] and [`read`] take regular files alone. [`stream`] takes pipes too, for what is read once from start to end:
//! `blocksmith run <(generate)`. `text` passes over a byte order mark. Writing: [`Output`].

mod input;
mod output;
mod temporary;
mod text;

pub use input::{is_stream, kind, open, read, stream};
pub use output::{Output, own};
pub use temporary::{is_temporary, left_behind, lives, temporary_name};
pub use text::{MARK, NotText, str, text};
