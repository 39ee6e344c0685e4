//! The candidates of an experiment's search, with their networks and costs.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::place::Place;
use super::plan::{Planned, Searched};
use super::recorded::{Known, Recorded};
use crate::arch::{Shape, build, canonical};
use crate::config::{Experiment, SearchConfig, SpaceContent, StrategyKind};
use crate::cost::feasible::{self, Counting, Feasible};
use crate::cost::spellings::{self, Spellings};
use crate::cost::{Cost, Rejection};
use crate::error::{Error, Result};
use crate::search::{self, Costs, Judged, Made, Proposal, Search};
use crate::space::{Candidate, Constraints, Range, SearchSpace};
use crate::study::event::CandidateRecord;
use crate::text::hex;

/// What the experiment's strategy proposes beside its `variants`, for images of shape `input` in `classes` classes. The
/// first proposal is made at once, so that a space in which nothing can be trained is refused before anything else
/// begins. A candidate that is one of the variants is trained as that variant, and not again.
///
/// `earlier` is what a study that exists has: candidates of an extended one that belong to the space come first, and count;
/// `recorded` are those of a study that knows networks by their texts, and continues to.
///
/// # Errors
/// What is wrong with the space, that it is made for other images, or that none of its candidates can be trained.
pub fn candidates(
    experiment: &Experiment,
    variants: &[Planned],
    (earlier, recorded): (&Earlier, &Recorded),
    input: Shape,
    classes: usize,
) -> Result<Searched> {
    let images = (input, classes);
    let none = |total| Searched { kept: Vec::new(), search: None, total, images, recorded: recorded.clone() };
    let Some(config) = &experiment.search else {
        return Ok(none(Some(0)));
    };
    if config.netadapt.is_some() {
        return Ok(Searched { search: Some(shrunk(experiment, config, recorded, images)?), ..none(None) });
    }
    let space = Arc::new(SearchSpace::load(&config.space)?);
    check_images(config, &space, input, classes)?;
    let mut trained: HashSet<String> = variants.iter().map(|(_, network)| network.hash()).collect();
    let mut known = recorded.known(&trained);
    let total = total(config, &space, (trained.clone(), known.clone()), images);
    let candidates = if config.listens() { &[][..] } else { &earlier.candidates };
    let kept = kept(&space, candidates, (&mut trained, &mut known), images);
    let total = total.map(|total| total.max(kept.len()));
    let rejected = Arc::new(Mutex::new(None));
    let judge = {
        let (space, rejected) = (Arc::clone(&space), Arc::clone(&rejected));
        Box::new(move |candidate: &Candidate| match feasible::judge(&space, candidate, input, classes) {
            Ok((network, cost)) => Judged::Fits(costs(&cost), known.hash(candidate, &network)),
            Err(rejection) => {
                let reason = rejection.reason().to_owned();
                let judged = match rejection.excess() {
                    Some(excess) => Judged::Breaks { excess, reason },
                    None => Judged::NoNetwork { reason },
                };
                rejected.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(rejection);
                judged
            }
        })
    };
    let trials = config.trials.map(|trials| trials.saturating_sub(kept.len()));
    let config = &SearchConfig { trials, ..config.clone() };
    let settings = search::Settings {
        config,
        space: Arc::clone(&space),
        seed: experiment.seed,
        epochs: experiment.train.epochs,
        judge,
    };
    let mut search = Search::new(settings).without(trained);
    search.recall(earlier.proposals.clone());
    // What such a study heard of a network, it heard of the choices alone by which it was proposed.
    if recorded.is_empty() {
        let mut spellings = None;
        let thorough = experiment.trainer.is_network();
        search = search.merging(Box::new(move |genome, hash| {
            let new = || Spellings::new(Arc::clone(&space), images, thorough);
            spellings.get_or_insert_with(new).of(genome, hash)
        }));
    }
    // At once, so that a space in which nothing can be trained is refused before anything else begins.
    match search.look() {
        // There is nothing beside what the study has.
        Err(_) if !kept.is_empty() => return Ok(Searched { kept, ..none(total) }),
        Err(error) => {
            let rejected = rejected.lock().unwrap_or_else(PoisonError::into_inner);
            return Err(refusal(config, &search, rejected.as_ref(), &error));
        }
        Ok(()) => {}
    }
    Ok(Searched { kept, search: Some(search), ..none(total) })
}

/// What a study has of its search before this run.
#[derive(Debug, Default)]
pub struct Earlier {
    /// Of an extended study.
    pub candidates: Vec<CandidateRecord>,
    /// Of one that goes on, as far as its journal says how the search stood.
    pub proposals: Vec<Option<Proposal>>,
}

/// What `netadapt` proposes. Its first network is trained whether or not a variant is the same: the others inherit from its
/// trials.
fn shrunk(
    experiment: &Experiment,
    config: &SearchConfig,
    recorded: &Recorded,
    (input, classes): (Shape, usize),
) -> Result<Search> {
    let space = Arc::new(SearchSpace::fixed([input.c, input.h, input.w], classes)?);
    let mut known = recorded.known(&HashSet::new());
    let judge = Box::new(move |candidate: &Candidate| match build::network(candidate, input, classes) {
        Ok(network) => {
            let hash = known.hash(candidate, &network);
            Judged::Fits(costs(&crate::cost::of(&network)), hash)
        }
        Err(reason) => Judged::NoNetwork { reason },
    });
    let settings =
        search::Settings { config, space, seed: experiment.seed, epochs: experiment.train.epochs, judge };
    let mut search = Search::new(settings);
    search.look()?;
    Ok(search)
}

/// What a candidate costs, as far as a search cares.
fn costs(cost: &Cost) -> Costs {
    let Cost { params, madds, activation_memory, size } = *cost;
    Costs { params, madds, activation_memory, size }
}

/// The complaint that there is no candidate, with the place of the reason.
fn refusal(config: &SearchConfig, search: &Search, first: Option<&Rejection>, error: &Error) -> Error {
    let place = place(config);
    match first {
        Some(first) if !search.breeder().built_any() => place.rejection(first, &error.to_string()),
        _ => place.key("constraints", &error.to_string()),
    }
}

/// Candidates of a space that is listed to see whether it has a network.
const LISTED: u128 = 100_000;

/// Of candidates that were searched earlier those that still belong to the space, with their networks. A space too large to be
/// listed is asked for their levels alone.
fn kept(
    space: &SearchSpace,
    earlier: &[CandidateRecord],
    (trained, known): (&mut HashSet<String>, &mut Known),
    (input, classes): (Shape, usize),
) -> Vec<Planned> {
    if earlier.is_empty() {
        return Vec::new();
    }
    let listed: Option<HashSet<String>> = (space.size() <= LISTED)
        .then(|| spellings::all(space, (input, classes)).into_iter().map(|(_, hash)| hash).collect());
    let factors = space.factors();
    let has_level = |(name, level): &(String, String)| {
        factors.iter().any(|factor| factor.name == *name && factor.levels.contains(level))
    };
    let keep = |record: &CandidateRecord| {
        let candidate = crate::space::notation::parse(&record.text).ok()?;
        let (network, _) = feasible::judge(space, &candidate, input, classes).ok()?;
        let belongs = match &listed {
            Some(networks) => networks.contains(&network.hash()),
            None => record.choices.iter().all(has_level),
        };
        if !belongs {
            return None;
        }
        trained.insert(known.hash(&candidate, &network)).then(|| (record.clone(), network))
    };
    earlier.iter().filter_map(keep).collect()
}

/// Candidates that a new study looks at to say what of its space cannot be built: all of a space of so many, else a sample. A
/// tenth of a second.
const COUNTED: Counting = Counting { list: 5_000, sample: 2_000, seed: 0 };

/// Notes in the experiment what its search space holds, so that a study knows it again; with `count`, also what of it cannot be
/// built.
///
/// # Errors
/// What is wrong with the space.
pub fn note_content(experiment: &mut Experiment, count: bool) -> Result<()> {
    let Some(config) = experiment.search.as_mut().filter(|search| search.netadapt.is_none()) else {
        return Ok(());
    };
    let space = SearchSpace::load(&config.space)?;
    let Constraints { params, madds, activation_memory, size } = space.constraints;
    let ranges =
        [("params", params), ("madds", madds), ("activation_memory", activation_memory), ("size", size)];
    let constraint = |(name, range): (&str, Option<Range>)| Some((name.to_owned(), range?.to_string()));
    config.content = Some(SpaceContent {
        factors: space.factors().into_iter().map(|factor| (factor.name, factor.levels)).collect(),
        constraints: ranges.into_iter().filter_map(constraint).collect(),
        first: space.get(0).map_or_else(String::new, |drawn| drawn.candidate.text()),
        unbuildable: count
            .then(|| Feasible::count(&space, COUNTED).unbuildable)
            .filter(|unbuildable| unbuildable.count > 0),
        // A pipe has been read, and has no text that is there again.
        digest: crate::file::read(&config.space)
            .map_or_else(|_| String::new(), |text| hex(&Sha256::digest(text))),
    });
    Ok(())
}

fn place(config: &SearchConfig) -> Place<'_> {
    Place { file: &config.space, what: "search space file", set: &[], phase: None }
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
    (mut trained, mut known): (HashSet<String>, Known),
    (input, classes): (Shape, usize),
) -> Option<usize> {
    if space.size() <= JUDGED {
        let is_new = |number| {
            let candidate = space.get(number)?.candidate;
            let (network, _) = feasible::judge(space, &candidate, input, classes).ok()?;
            trained.insert(known.hash(&candidate, &network)).then_some(())
        };
        return Some((0..space.size()).filter_map(is_new).take(config.trials.unwrap_or(usize::MAX)).count());
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

/// A proposal as a candidate with its network, its text that of the layers, or as it is written where the
/// study goes by that.
///
/// # Errors
/// Why it is no network for such images.
pub fn planned(made: Made, (input, classes): (Shape, usize), recorded: &Recorded) -> Result<Planned> {
    let Made { candidate, choices, merged, hash, costs, adapted, .. } = made;
    let (candidate, network) = if recorded.is_empty() {
        canonical::network(&candidate, input, classes).map_err(Error::Request)?
    } else {
        let network = build::network(&candidate, input, classes).map_err(Error::Request)?;
        (candidate, network)
    };
    let Costs { params, madds, activation_memory, .. } = costs;
    let label = match &adapted {
        Some(adapted) => format!("step {}: {}", adapted.step, adapted.change),
        None => label(&choices, &hash),
    };
    let record = CandidateRecord {
        label,
        is_variant: false,
        text: candidate.text(),
        hash,
        choices,
        merged: merged.map(Box::new),
        params,
        madds,
        activation_memory,
        adapted,
    };
    Ok((record, network))
}

/// Most characters of a label: what a table column, a bar and a point of a picture have room for.
const LONGEST_LABEL: usize = 40;

/// The levels in the order of the factors, each marked as the block notation does, such as `e4 k5 r1 cse cap16`; the first
/// half of the hash where nothing was chosen, and where there are too many choices for anybody to read them in a name.
pub fn label(choices: &[(String, String)], hash: &str) -> String {
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
        return hash.chars().take(8).collect();
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Order;

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
        let hash = "0123456789abcdef";
        assert_eq!(label(&choices, hash), "e4 k5 no-se cse cap16 conv_bias=true");
        assert_eq!(label(&[], hash), hash[..8]);
        let many: Vec<_> = choices.iter().cycle().take(12).cloned().collect();
        assert_eq!(label(&many, hash), hash[..8]);
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
        experiment.search = Some(SearchConfig::new(space, StrategyKind::Grid, None));
        let (input, classes) = (Shape::new(3, 32, 32), 10);
        let texts = |variants: &[Planned], experiment: &Experiment| -> (Option<usize>, Vec<String>) {
            let earlier = (&Earlier::default(), &Recorded::default());
            let mut searched = candidates(experiment, variants, earlier, input, classes).unwrap();
            let mut texts = Vec::new();
            while let Order::Train(made, _) = searched.search.as_mut().unwrap().order().unwrap() {
                texts.push(made.candidate.text());
            }
            (searched.total, texts)
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
