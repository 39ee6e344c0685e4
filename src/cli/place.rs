//! Where in a YAML file a mistake stands that shows only when networks are built.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::phases::{self, Phase};
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
    /// The phase of the experiment that is under way, and what earlier ones found.
    pub phase: Option<(&'a Phase, &'a BTreeMap<String, String>)>,
}

impl Place<'_> {
    /// A mistake at `steps`, with file, line and column, or with the assignment that made it.
    pub fn error(&self, steps: &[Step], message: &str) -> Error {
        let mut path = KeyPath::default();
        steps.iter().for_each(|step| path.push(step.clone()));
        // The file was read before; should it have gone since, that is what to say.
        let document = match self.phase {
            Some((phase, found)) => phases::document(self.file, self.set, phase, found),
            None => Document::load(self.file, self.what).and_then(|mut document| {
                document.set(self.set)?;
                Ok(document)
            }),
        };
        let located = document
            .map(|document| document.error(&Problem { path, at_key: false, message: message.to_owned() }));
        located.unwrap_or_else(|error| error)
    }

    /// A mistake under a key of the file itself.
    pub fn key(&self, key: &str, message: &str) -> Error {
        self.error(&[Step::Key(key.to_owned())], message)
    }

    /// An error that begins with a key of the `data` section (`data.limit.train: 3 is less than ...`), or with what `netadapt`
    /// shrinks and how far, with that key's place; any other error as it is.
    pub fn located(&self, error: Error) -> Error {
        let Error::Request(text) = &error else { return error };
        let Some((key, message)) = text.split_once(": ") else { return error };
        // `data.tar: truncated` begins with a file.
        let parts: Vec<&str> = key.split('.').collect();
        match parts[..] {
            ["data", "path" | "side" | "validation" | "limit" | "augment", ..]
            | ["search", "from" | "target"] => {
                let steps: Vec<Step> = parts.into_iter().map(|part| Step::Key(part.to_owned())).collect();
                self.error(&steps, message)
            }
            _ => error,
        }
    }

    /// A candidate of a search space that cannot be trained, at the stage or constraint that is the reason.
    pub fn rejection(&self, rejection: &Rejection, message: &str) -> Error {
        let key = |name: &str| Step::Key(name.to_owned());
        match rejection {
            Rejection::Constraint { reason, .. } => {
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
    fn an_error_about_a_key_is_given_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, "name: e\ndata:\n  format: shapes\n  limit:\n    train: 3\n").unwrap();
        let set = ["data.validation=0.9".to_owned()];
        let place = Place { file: &file, what: "experiment file", set: &set, phase: None };
        let located = |text: &str| place.located(Error::request(text)).to_string();
        let file = file.display();
        assert_eq!(
            located("data.limit.train: 3 is too few"),
            format!("{file}:5:12: data.limit.train: 3 is too few")
        );
        // What is not in the file stands where its section does.
        assert_eq!(located("data.path: missing"), format!("{file}:3:3: data.path: missing"));
        let set = "--set data.validation=0.9: data.validation: too many";
        assert_eq!(located("data.validation: too many"), set);
        for other in ["folder/a.b: cannot be opened: no", "a sentence: with a colon", "data.tar: truncated"] {
            assert_eq!(located(other), other);
        }
    }

    #[test]
    fn a_rejection_is_named_where_its_reason_stands() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.yaml");
        let text = "name: t\nstages:\n- {block: ir}\n- {block: cse}\nhead: {channels: 8}\nconstraints:\n  params: 1\n";
        std::fs::write(&file, text).unwrap();
        let place = Place { file: &file, what: "search space file", set: &[], phase: None };
        for (rejection, expected) in [
            (Rejection::Shape("stages.1.0.depthwise: too small".into()), ":4:3: stages[1]: none"),
            (Rejection::Shape("head: 7 input channels".into()), ":5:7: head: none"),
            (
                Rejection::Constraint { reason: "params 12 is not at most 3".into(), excess: 3.0 },
                ":7:11: constraints.params: none",
            ),
        ] {
            let error = place.rejection(&rejection, "none").to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }
}
