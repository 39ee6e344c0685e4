//! The candidates of an experiment's search, with their networks and costs.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::place::Place;
use super::plan::{Planned, Searched};
use crate::arch::{Network, Shape, build};
use crate::config::{Experiment, SearchConfig, SpaceContent, StrategyKind};
use crate::cost::{self, Rejection, feasible};
use crate::error::{Error, Result};
use crate::report::format;
use crate::search::{self, Proposal, Strategy};
use crate::space::{Candidate, Constraints, Range, SearchSpace};
use crate::study::event::CandidateRecord;

/// What the experiment's strategy proposes beside its `variants`, for images of shape `input` in `classes` classes. The
/// first proposal is made at once, so that a space in which nothing can be trained is refused before anything else
/// begins. A candidate that is one of the variants is trained as that variant, and not again.
///
/// `earlier` are candidates that an extended study has already: those that belong to the space come first, and count.
///
/// # Errors
/// What is wrong with the space, that it is made for other images, or that none of its candidates can be trained.
pub fn candidates(
    experiment: &Experiment,
    variants: &[Planned],
    earlier: &[CandidateRecord],
    input: Shape,
    classes: usize,
) -> Result<Searched> {
    let Some(config) = &experiment.search else {
        return Ok(Searched {
            candidates: Box::new(std::iter::empty()),
            total: Some(0),
            images: (input, classes),
        });
    };
    let space = Arc::new(SearchSpace::load(&config.space)?);
    check_images(config, &space, input, classes)?;
    let mut seen: Seen = variants.iter().map(|(_, network)| network.fingerprint()).collect();
    let total = total(config, &space, seen.clone(), input, classes);
    let kept = kept(&space, earlier, &mut seen, input, classes);
    let total = total.map(|total| total.max(kept.len()));
    let config =
        &SearchConfig { trials: config.trials.map(|n| n.saturating_sub(kept.len())), ..config.clone() };
    let rejected = Arc::new(Mutex::new(Rejected::default()));
    let accept = {
        let (space, rejected) = (Arc::clone(&space), Arc::clone(&rejected));
        move |candidate: &Candidate| -> std::result::Result<(), String> {
            let rejection = match feasible::judge(&space, candidate, input, classes) {
                Ok((network, _)) if seen.insert(network.fingerprint()) => return Ok(()),
                Ok(_) => return Err("the same network as one before, spelled otherwise".into()),
                Err(rejection) => rejection,
            };
            let reason = rejection.reason().to_owned();
            rejected.lock().unwrap_or_else(PoisonError::into_inner).add(rejection);
            Err(reason)
        }
    };
    let mut strategy = search::strategy(config, space, experiment.seed, accept);
    let first = match strategy.ask() {
        Ok(first) => first,
        // There is nothing beside what the study has.
        Err(_) if !kept.is_empty() => None,
        Err(error) => {
            let rejected = rejected.lock().unwrap_or_else(PoisonError::into_inner);
            return Err(rejected.error(config, error));
        }
    };
    let mut ended = first.is_none();
    let rest = std::iter::from_fn(move || {
        let next = if ended { None } else { strategy.ask().transpose() };
        ended = next.is_none();
        next
    });
    let proposals = first.map(Ok).into_iter().chain(rest);
    let candidates = proposals.map(move |proposal| planned(proposal?, input, classes));
    let candidates = Box::new(kept.into_iter().map(Ok).chain(candidates));
    Ok(Searched { candidates, total, images: (input, classes) })
}

/// Candidates of a space that is listed to see whether it has a candidate.
const LISTED: u128 = 100_000;

/// Of candidates that were searched earlier those that still belong to the space, with their networks. A space too large to be
/// listed is asked for their levels alone.
fn kept(
    space: &SearchSpace,
    earlier: &[CandidateRecord],
    seen: &mut Seen,
    input: Shape,
    classes: usize,
) -> Vec<Planned> {
    if earlier.is_empty() {
        return Vec::new();
    }
    let listed: Option<HashSet<String>> =
        (space.size() <= LISTED).then(|| space.iter().map(|drawn| drawn.candidate.text()).collect());
    let factors = space.factors();
    let has_level = |(name, level): &(String, String)| {
        factors.iter().any(|factor| factor.name == *name && factor.levels.contains(level))
    };
    let keep = |record: &CandidateRecord| {
        let belongs = match &listed {
            Some(texts) => texts.contains(&record.text),
            None => record.choices.iter().all(has_level),
        };
        let candidate = crate::space::notation::parse(&record.text).ok().filter(|_| belongs)?;
        let (network, _) = feasible::judge(space, &candidate, input, classes).ok()?;
        seen.insert(network.fingerprint()).then(|| (record.clone(), network))
    };
    earlier.iter().filter_map(keep).collect()
}

/// Notes in the experiment what its search space holds, so that a study knows it again.
///
/// # Errors
/// What is wrong with the space.
pub fn note_content(experiment: &mut Experiment) -> Result<()> {
    let Some(config) = &mut experiment.search else { return Ok(()) };
    let space = SearchSpace::load(&config.space)?;
    let Constraints { params, madds, activation_memory } = space.constraints;
    let ranges = [("params", params), ("madds", madds), ("activation_memory", activation_memory)];
    let constraint = |(name, range): (&str, Option<Range>)| Some((name.to_owned(), range?.to_string()));
    config.content = Some(SpaceContent {
        factors: space.factors().into_iter().map(|factor| (factor.name, factor.levels)).collect(),
        constraints: ranges.into_iter().filter_map(constraint).collect(),
        first: space.get(0).map_or_else(String::new, |drawn| drawn.candidate.text()),
    });
    Ok(())
}

/// Fingerprints of the networks that are trained already: two texts can spell one network (`e6` and `h96` where 16 channels
/// come in), which is trained once.
type Seen = HashSet<[u8; 32]>;

/// What was rejected before the first candidate that can be trained.
#[derive(Default)]
struct Rejected {
    first: Option<Rejection>,
    count: u64,
    /// Whether some candidate could be built and broke a constraint.
    built: bool,
}

impl Rejected {
    fn add(&mut self, rejection: Rejection) {
        self.count += 1;
        self.built |= matches!(rejection, Rejection::Constraint(_));
        self.first.get_or_insert(rejection);
    }

    /// The strategy's complaint that there is no candidate, with the place of the reason.
    fn error(&self, config: &SearchConfig, error: Error) -> Error {
        let Some(first) = &self.first else { return error };
        let place = place(config);
        if self.built {
            return place.key("constraints", &error.to_string());
        }
        let count = format::thousands(self.count);
        let message =
            format!("none of the {count} candidates tried can be built (the first: {})", first.reason());
        place.rejection(first, &message)
    }
}

fn place(config: &SearchConfig) -> Place<'_> {
    Place { file: &config.space, what: "search space file", set: &[] }
}

/// A space names the images it is made for; shapes and counts would be others for any other.
fn check_images(config: &SearchConfig, space: &SearchSpace, input: Shape, classes: usize) -> Result<()> {
    let [c, h, w] = space.input;
    if Shape::new(c, h, w) == input && space.classes == classes {
        return Ok(());
    }
    let key = if Shape::new(c, h, w) == input { "classes" } else { "input" };
    let message = format!(
        "the space is for {c}x{h}x{w} images in {} classes, but the data has {input} in {classes}; \
         change `input` and `classes` of the space, or `data.side`",
        space.classes
    );
    Err(place(config).key(key, &message))
}

/// Candidates of a space small enough to be judged one by one before the first is trained.
const JUDGED: u128 = 2_000;

/// How many candidates there will be: exactly in a small space; else, where constraints leave that open, the most there
/// can be.
fn total(
    config: &SearchConfig,
    space: &SearchSpace,
    mut seen: Seen,
    input: Shape,
    classes: usize,
) -> Option<usize> {
    if space.size() <= JUDGED {
        let trained = |number| {
            let candidate = space.get(number)?.candidate;
            let (network, _) = feasible::judge(space, &candidate, input, classes).ok()?;
            seen.insert(network.fingerprint()).then_some(())
        };
        return Some((0..space.size()).filter_map(trained).take(config.trials.unwrap_or(usize::MAX)).count());
    }
    let size = usize::try_from(space.size()).ok();
    match (config.strategy, config.trials) {
        (StrategyKind::Grid, None) if !space.constraints.is_empty() => None,
        (_, trials) => match (size, trials) {
            (Some(size), Some(trials)) => Some(size.min(trials)),
            (size, trials) => size.or(trials),
        },
    }
}

/// A proposal as a candidate with its network.
///
/// # Errors
/// Why it is no network for such images.
pub fn planned(proposal: Proposal, input: Shape, classes: usize) -> Result<Planned> {
    let Proposal { candidate, choices } = proposal;
    let network: Network = build::network(&candidate, input, classes).map_err(Error::Request)?;
    let cost = cost::of(&network);
    let record = CandidateRecord {
        label: label(&choices, &candidate),
        is_variant: false,
        text: candidate.text(),
        hash: candidate.hash(),
        choices,
        params: cost.params,
        madds: cost.madds,
        activation_memory: cost.activation_memory,
    };
    Ok((record, network))
}

/// Most characters of a label: what a table column, a bar and a point of a picture have room for.
const LONGEST_LABEL: usize = 40;

/// The levels in the order of the factors, each marked as the block notation does, such as `e4 k5 r1 cse cap16`; the first
/// half of the hash where nothing was chosen, and where there are too many choices for anybody to read them in a name.
pub fn label(choices: &[(String, String)], candidate: &Candidate) -> String {
    let level = |(factor, level): &(String, String)| match factor.rsplit('.').next().unwrap_or(factor) {
        "block" | "activation" | "form" | "stem" | "head" => level.clone(),
        "expand" | "hidden" if level.starts_with('h') => level.clone(),
        "expand" => format!("e{level}"),
        "hidden" => format!("h{level}"),
        "kernel" => format!("k{level}"),
        "stride" => format!("s{level}"),
        "channels" => format!("c{level}"),
        "repeats" => format!("r{level}"),
        "groups" => format!("g{level}"),
        "reduction" => format!("rr{level}"),
        // A space's own list says `none`; a shared choice says what its file says.
        name @ ("cap" | "se") if ["none", "off", "false"].contains(&level.as_str()) => format!("no-{name}"),
        name @ ("cap" | "se") => format!("{name}{level}"),
        name => format!("{name}={level}"),
    };
    let label = choices.iter().map(level).collect::<Vec<_>>().join(" ");
    if label.is_empty() || label.chars().count() > LONGEST_LABEL {
        return candidate.hash().chars().take(8).collect();
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_like_the_block_notation() {
        let choices = [
            ("expand", "4"),
            ("stages[1].kernel", "5"),
            ("stages[1].se", "none"),
            ("stages[2].block", "cse"),
            ("stages[2].cap", "16"),
            ("conv_bias", "true"),
        ];
        let choices = choices.map(|(factor, level)| (factor.to_string(), level.to_string()));
        let candidate = crate::space::notation::parse("ir_e4_c8").unwrap();
        assert_eq!(label(&choices, &candidate), "e4 k5 no-se cse cap16 conv_bias=true");
        let hash = candidate.hash();
        assert_eq!(label(&[], &candidate), hash[..8]);
        let many: Vec<_> = choices.iter().cycle().take(12).cloned().collect();
        assert_eq!(label(&many, &candidate), hash[..8]);
    }

    /// `e2` and `h32` are one network where 16 channels come in; a variant that is the same network is trained already, and
    /// another candidate takes its place.
    #[test]
    fn one_network_is_proposed_once_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let space = folder.path().join("space.yaml");
        let text = "name: s\ninput: 3x32x32\nclasses: 10\nstem: {channels: 16}\nhead: none\n\
                    stages:\n- {block: ir, expand: [2, h32, 3, 4], channels: 16}\n";
        std::fs::write(&space, text).unwrap();
        let mut experiment = crate::study::simulated::experiment(&[], &[1]);
        let config = SearchConfig { space, strategy: StrategyKind::Grid, trials: None, content: None };
        experiment.search = Some(config);
        let (input, classes) = (Shape::new(3, 32, 32), 10);
        let texts = |variants: &[Planned], experiment: &Experiment| -> (Option<usize>, Vec<String>) {
            let searched = candidates(experiment, variants, &[], input, classes).unwrap();
            (searched.total, searched.candidates.map(|c| c.unwrap().0.text).collect())
        };
        let block = |width: &str| format!("stem_k3_s1_c16 ir_r1_k3_s1_{width}_c16");
        assert_eq!(texts(&[], &experiment), (Some(3), vec![block("e2"), block("e3"), block("e4")]));
        let candidate = crate::space::notation::parse(&block("h48")).unwrap();
        let network = build::network(&candidate, input, classes).unwrap();
        let variant = (crate::study::simulated::plan(&experiment_of_one()).remove(0).candidate, network);
        assert_eq!(texts(&[variant], &experiment), (Some(2), vec![block("e2"), block("e4")]));
    }

    fn experiment_of_one() -> Experiment {
        crate::study::simulated::experiment(&["mix"], &[1])
    }
}
