//! What a search is after.

use serde::{Deserialize, Serialize};

use super::yaml::{At, Read};

/// Something to be as good as possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Of the validation split; the one that is to be high.
    Accuracy,
    /// Of the validation split.
    Loss,
    Params,
    Madds,
    ActivationMemory,
    /// Bytes of the weights in a file.
    Size,
    /// Measured seconds of one image: those of a batch, divided by its images.
    Latency,
}

impl Objective {
    /// Names in files.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("accuracy", Self::Accuracy),
        ("loss", Self::Loss),
        ("params", Self::Params),
        ("madds", Self::Madds),
        ("activation_memory", Self::ActivationMemory),
        ("size", Self::Size),
        ("latency", Self::Latency),
    ];

    /// Whether it is known before training.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Accuracy | Self::Loss | Self::Latency)
    }

    /// Whether only training tells it.
    pub(super) fn is_trained(self) -> bool {
        matches!(self, Self::Accuracy | Self::Loss)
    }

    /// The objectives, and which of them are sought the other way than is natural.
    pub(super) fn read_list(at: &At<'_>) -> Read<(Vec<Self>, Vec<Self>)> {
        let (mut objectives, mut turned) = (Vec::new(), Vec::new());
        for at in at.list("objectives, such as [accuracy, params]")? {
            let (objective, is_turned) = Self::read(&at)?;
            if objectives.contains(&objective) {
                return Err(at.problem("this objective is in the list already"));
            }
            objectives.push(objective);
            turned.extend(is_turned.then_some(objective));
        }
        if objectives.is_empty() {
            return Err(at.problem("a search needs an objective, such as accuracy"));
        }
        if !objectives.iter().any(|objective| objective.is_trained()) {
            return Err(at.problem("all of these are known without training: add accuracy or loss, or list the space with `enumerate`"));
        }
        Ok((objectives, turned))
    }

    /// A name, or `{params: max}`, or `{name: params, direction: max}`; true where the direction is not the natural one.
    pub(super) fn read(at: &At<'_>) -> Read<(Self, bool)> {
        let directions = [("min", false), ("max", true)];
        let Ok(keys) = at.any_keys("an objective") else {
            return Ok((at.one_of("an objective", &Self::NAMES)?, false));
        };
        let known = [("name", ()), ("direction", ())];
        let pair = keys.iter().next().filter(|(key, _)| known.iter().all(|(name, ())| name != key));
        let (objective, is_max) = if let Some((key, direction)) = pair {
            let names = Self::NAMES.map(|(name, _)| name);
            at.keys("an objective", &names)?;
            if keys.iter().count() > 1 {
                return Err(at.problem("one objective has one direction: write each in braces of its own"));
            }
            let named = Self::NAMES.iter().find(|(name, _)| *name == key);
            let objective = named.ok_or_else(|| at.is_not("an objective"))?.1;
            (objective, direction.one_of("a direction", &directions)?)
        } else {
            let keys = at.keys("an objective", &["name", "direction"])?;
            let objective = keys.required("name", "name: params")?.one_of("an objective", &Self::NAMES)?;
            let is_max = keys
                .or("direction", objective == Self::Accuracy, |at| at.one_of("a direction", &directions))?;
            (objective, is_max)
        };
        Ok((objective, is_max != (objective == Self::Accuracy)))
    }
}
