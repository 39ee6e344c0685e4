//! How deeply a text nests, found before it is parsed.
//!
//! The time of `serde_yaml`'s parser grows with the number of values times their depth: 100,000 nested brackets take it minutes.
//! `saphyr-parser` gives events as it reads, so the first one that is too deep ends it.

use saphyr_parser::{Event, Parser};

use super::node::BuildError;
use super::path::KeyPath;

/// Most lists and mappings within one another; real files have five.
const DEEPEST: usize = 100;
/// Brackets that any parser can afford, however they nest.
const HARMLESS: usize = 2000;

/// Refuses a text that nests too deeply.
pub(super) fn check(text: &str) -> Result<(), BuildError> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        match event {
            Ok((Event::SequenceStart(..) | Event::MappingStart(..), span)) => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(too_deep(span.start.line(), span.start.col()));
                }
            }
            Ok((Event::SequenceEnd | Event::MappingEnd, _)) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            Err(error) => {
                let (line, column) = (error.marker().line(), error.marker().col());
                if error.info().contains("recursion limit") {
                    return Err(too_deep(line, column));
                }
                // What the other parser makes of it is not known, so it sees no more than it can take.
                let brackets = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
                if brackets > HARMLESS {
                    return Err(refused(format!("not valid YAML: {}", error.info()), line, column));
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

fn too_deep(line: usize, column: usize) -> BuildError {
    refused("lists and mappings are nested too deeply here".into(), line, column)
}

/// `column` counts from 0, as the parser does.
fn refused(message: String, line: usize, column: usize) -> BuildError {
    BuildError { path: KeyPath::default(), message, location: Some((line, column + 1)) }
}
