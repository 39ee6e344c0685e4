//! What a file of weights says of its network beside the numbers.

use std::collections::{BTreeMap, HashMap};

use crate::arch::Shape;
use crate::config::Precision;
use crate::data::Normalisation;

/// The network of a file of weights, and what its images were like.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// A zoo name with its options, or block notation.
    pub network: String,
    pub input: Shape,
    pub classes: usize,
    /// Empty where nobody said; else one name a class.
    pub class_names: Vec<String>,
    /// What the images were normalised by, where the weights were trained.
    pub normalisation: Option<Normalisation>,
    /// What the products of training were taken in.
    pub precision: Precision,
    /// Batch norm is folded into the layers before it.
    pub folded: bool,
    /// Study and trial that trained them.
    pub trial: Option<(String, usize)>,
}

impl About {
    /// Of a network whose weights nobody trained.
    pub fn new(network: impl Into<String>, input: Shape, classes: usize) -> Self {
        Self {
            network: network.into(),
            input,
            classes,
            class_names: Vec::new(),
            normalisation: None,
            precision: Precision::F32,
            folded: false,
            trial: None,
        }
    }

    /// As keys and texts, the form in which both formats keep it.
    pub fn pairs(&self) -> BTreeMap<String, String> {
        let name =
            |precision| Precision::NAMED.iter().find(|(_, p)| *p == precision).map_or("f32", |(n, _)| n);
        let mut pairs = BTreeMap::new();
        let mut put = |key: &str, value: String| pairs.insert(key.to_owned(), value);
        // Other readers of safetensors ask for this key.
        put("format", "pt".into());
        put("blocksmith", env!("CARGO_PKG_VERSION").into());
        put("network", self.network.clone());
        put("input", self.input.to_string());
        put("classes", self.classes.to_string());
        put("precision", name(self.precision).into());
        put("folded", self.folded.to_string());
        if !self.class_names.is_empty() {
            put("class_names", serde_json::Value::from(self.class_names.clone()).to_string());
        }
        if let Some(Normalisation { mean, std }) = &self.normalisation {
            put("normalisation", serde_json::json!({"mean": mean, "std": std}).to_string());
        }
        if let Some((study, trial)) = &self.trial {
            put("study", study.clone());
            put("trial", trial.to_string());
        }
        pairs
    }

    /// From such keys; `None` where the file is not blocksmith's.
    ///
    /// # Errors
    /// A clause that names the key whose text does not read.
    pub fn read(pairs: &HashMap<String, String>) -> Result<Option<Self>, String> {
        let (Some(_), Some(network)) = (pairs.get("blocksmith"), pairs.get("network")) else {
            return Ok(None);
        };
        let wrong = |key: &str| format!("its metadata has a `{key}` that does not read");
        let text = |key: &str| pairs.get(key).map(String::as_str).unwrap_or_default();
        // What nobody could ask for on the command line, no file can ask for either.
        let is_sane =
            |shape: &Shape| [shape.c, shape.h, shape.w].iter().all(|side| (1..=4096).contains(side));
        let input = Shape::parse(text("input")).filter(is_sane).ok_or_else(|| wrong("input"))?;
        let classes = text("classes").parse().ok().filter(|classes| (2..=1_000_000).contains(classes));
        let mut about = Self::new(network, input, classes.ok_or_else(|| wrong("classes"))?);
        if let Some(names) = pairs.get("class_names") {
            about.class_names = serde_json::from_str(names).map_err(|_| wrong("class_names"))?;
            if about.class_names.len() != about.classes {
                return Err(format!(
                    "its metadata names {} classes of {}",
                    about.class_names.len(),
                    about.classes
                ));
            }
        }
        if let Some(normalisation) = pairs.get("normalisation") {
            let Normalisation { mean, std } =
                serde_json::from_str(normalisation).map_err(|_| wrong("normalisation"))?;
            let given = Normalisation::of_unit_scale(mean, std);
            about.normalisation = Some(given.map_err(|(which, why)| {
                format!("its metadata has a `normalisation` whose {which} is wrong: {why}")
            })?);
        }
        about.folded = text("folded") == "true";
        let precision = Precision::NAMED.iter().find(|(name, _)| *name == text("precision"));
        about.precision = precision.map_or(Precision::F32, |(_, precision)| *precision);
        about.trial = text("trial").parse().ok().map(|trial| (text("study").to_owned(), trial));
        Ok(Some(about))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let about = About {
            class_names: vec!["a \"b\"".into(), "c,d".into()],
            normalisation: Some(Normalisation { mean: [0.4914, 0.1, 1.0 / 3.0], std: [0.2, 0.3, 1.0] }),
            precision: Precision::Bf16,
            folded: true,
            trial: Some(("quickstart".into(), 7)),
            ..About::new("mobilenet_v2 stem=cifar", Shape::new(3, 32, 48), 2)
        };
        let pairs: HashMap<_, _> = about.pairs().into_iter().collect();
        assert_eq!(About::read(&pairs), Ok(Some(about)));
        assert_eq!(About::read(&HashMap::new()), Ok(None));
        let of_bytes = r#"{"mean": [123.675, 116.28, 103.53], "std": [0.229, 0.224, 0.225]}"#;
        for (key, value) in [
            ("input", "3x32"),
            ("classes", "ten"),
            ("class_names", "[]"),
            ("normalisation", "1"),
            ("normalisation", of_bytes),
        ] {
            let mut pairs = pairs.clone();
            pairs.insert(key.into(), value.into());
            assert!(About::read(&pairs).is_err(), "{key}");
        }
    }
}
