//! Where in a YAML file a mistake stands that shows only when networks are built.

use std::path::Path;

use crate::config::yaml::{Document, KeyPath, Problem, Step};
use crate::cost::Rejection;
use crate::error::Error;

/// A file as the user gave it, with the assignments of `--set`.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub file: &'a Path,
    /// What the file is, for messages.
    pub what: &'a str,
    pub set: &'a [String],
}

impl Place<'_> {
    /// A mistake at `steps`, with file, line and column, or with the assignment that made it.
    pub fn error(&self, steps: &[Step], message: &str) -> Error {
        let mut path = KeyPath::default();
        steps.iter().for_each(|step| path.push(step.clone()));
        // The file was read before; should it have gone since, that is what to say.
        let located = Document::load(self.file, self.what).and_then(|mut document| {
            document.set(self.set)?;
            Ok(document.error(&Problem { path, at_key: false, message: message.to_owned() }))
        });
        located.unwrap_or_else(|error| error)
    }

    /// A mistake under a key of the file itself.
    pub fn key(&self, key: &str, message: &str) -> Error {
        self.error(&[Step::Key(key.to_owned())], message)
    }

    /// A candidate of a search space that cannot be trained, at the stage or constraint that is the reason.
    pub fn rejection(&self, rejection: &Rejection, message: &str) -> Error {
        let key = |name: &str| Step::Key(name.to_owned());
        match rejection {
            Rejection::Constraint(reason) => {
                let cost = reason.split(' ').next().unwrap_or_default();
                self.error(&[key("constraints"), key(cost)], message)
            }
            Rejection::Shape(reason) => self.error(&unit(reason), message),
        }
    }
}

/// The part of a space that a sentence such as `stages.3.0.depthwise: a 7x7 kernel ...` is about.
fn unit(reason: &str) -> Vec<Step> {
    let layer = reason.split(':').next().unwrap_or_default();
    let mut parts = layer.split(['.', '_']);
    let key = |name: &str| Step::Key(name.to_owned());
    match (parts.next(), parts.next().and_then(|part| part.parse().ok())) {
        (Some("stages"), Some(number)) => vec![key("stages"), Step::Item(number)],
        (Some(part @ ("stem" | "head")), _) => vec![key(part)],
        _ => vec![key("input")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_named_where_its_reason_stands() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.yaml");
        let text = "name: t\nstages:\n- {block: ir}\n- {block: cse}\nhead: {channels: 8}\nconstraints:\n  params: 1\n";
        std::fs::write(&file, text).unwrap();
        let place = Place { file: &file, what: "search space file", set: &[] };
        for (rejection, expected) in [
            (Rejection::Shape("stages.1.0.depthwise: too small".into()), ":4:3: stages[1]: none"),
            (Rejection::Shape("head: 7 input channels".into()), ":5:7: head: none"),
            (Rejection::Constraint("params 12 is not at most 3".into()), ":7:11: constraints.params: none"),
        ] {
            let error = place.rejection(&rejection, "none").to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }
}
