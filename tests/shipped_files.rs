//! Every YAML file that comes with blocksmith loads, and is what its comments say.

use std::path::{Path, PathBuf};

use blocksmith::arch::{Shape, build, zoo};
use blocksmith::config::netadapt::Origin;
use blocksmith::config::{Experiment, Schedule, phases};
use blocksmith::cost;
use blocksmith::space::SearchSpace;
use rand::SeedableRng;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap();
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect()
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_space_loads_and_its_first_candidate_builds() {
    let spaces = files("search-spaces");
    assert!(spaces.len() >= 2);
    for path in spaces {
        let space = SearchSpace::load(&path).unwrap();
        let [c, h, w] = space.input;
        let first = space.get(0).unwrap().candidate;
        build::network(&first, Shape::new(c, h, w), space.classes).unwrap();
    }
}

#[test]
fn every_experiment_loads_with_its_space_and_networks() {
    let experiments = files("experiments");
    assert!(experiments.len() >= 3);
    for path in experiments {
        let loaded = match phases::phases(&path, &[]).unwrap() {
            Some(all) => {
                let load = |phase| all.load(phase, &all.stand_ins()).unwrap();
                all.list.iter().map(load).collect()
            }
            None => vec![Experiment::load(&path, &[]).unwrap()],
        };
        loaded.iter().for_each(check);
    }
}

fn check(experiment: &Experiment) {
    match experiment.search.as_ref().map(|search| (&search.space, &search.netadapt)) {
        Some((_, Some(netadapt))) => {
            if let Origin::Network(network) = &netadapt.origin {
                zoo::resolve(network, &zoo::Options::default()).unwrap();
            }
        }
        Some((space, None)) => assert!(SearchSpace::load(space).is_ok()),
        None => {}
    }
    for variant in &experiment.variants {
        let options = zoo::Options { set: variant.set.clone(), ..Default::default() };
        zoo::resolve(&variant.network, &options).unwrap();
    }
    let json = serde_json::to_string(&experiment).unwrap();
    assert_eq!(serde_json::from_str::<Experiment>(&json).unwrap(), *experiment);
}

/// NetAdapt's target is the cost of the network that the last phase compares with.
#[test]
fn the_search_ends_at_the_cost_of_mobilenet_v3_small() {
    let path = file("experiments/mobilenet-v3-search.yaml");
    let all = phases::phases(&path, &[]).unwrap().unwrap();
    let load = |number: usize| all.load(&all.list[number], &all.stand_ins()).unwrap();
    let target = load(1).search.unwrap().netadapt.unwrap().target;
    let variant = &load(2).variants[0];
    let input = Some(Shape::new(3, 32, 32));
    let options = zoo::Options { set: variant.set.clone(), input, classes: Some(10) };
    let network = zoo::resolve(&variant.network, &options).unwrap().network;
    assert_eq!(cost::of(&network).madds as f64, target);
}

#[test]
fn every_quickstart_candidate_is_as_small_as_its_comment_says() {
    let space = SearchSpace::load(&file("search-spaces/quickstart.yaml")).unwrap();
    assert_eq!(space.size(), 24);
    for drawn in space.iter() {
        let network = build::network(&drawn.candidate, Shape::new(3, 32, 32), 10).unwrap();
        let params = cost::of(&network).params;
        assert!((6_000..=25_000).contains(&params), "{}: {params}", drawn.candidate.text());
    }
}

#[test]
fn the_first_candidate_of_the_mix_space_is_the_mix_model() {
    let space = SearchSpace::load(&file("search-spaces/mix-cifar10.yaml")).unwrap();
    let first = space.get(0).unwrap().candidate;
    let network = build::network(&first, Shape::new(3, 32, 32), 10).unwrap();
    let cost = cost::of(&network);
    // The paper's printed count, and the multiply-adds of its definition.
    assert_eq!((cost.params, cost.madds), (362_992, 81_434_112));
    assert_eq!(space.constraints.violation(cost.params, cost.madds, cost.activation_memory, cost.size), None);
    assert_eq!(first.text(), zoo::resolve("mix", &zoo::Options::default()).unwrap().text);
    assert!(space.size() > 10u128.pow(12), "{}", space.size());
}

#[test]
fn the_mix_space_builds_everywhere_and_its_constraints_leave_enough() {
    let space = SearchSpace::load(&file("search-spaces/mix-cifar10.yaml")).unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let accepted = (0..500)
        .filter(|_| {
            let candidate = space.sample(&mut rng).unwrap().candidate;
            let cost = cost::of(&build::network(&candidate, Shape::new(3, 32, 32), 10).unwrap());
            space.constraints.violation(cost.params, cost.madds, cost.activation_memory, cost.size).is_none()
        })
        .count();
    assert!((50..450).contains(&accepted), "{accepted} of 500");
}

#[test]
fn the_ablation_has_the_papers_recipe() {
    let experiment = Experiment::load(&file("experiments/mix-ablation.yaml"), &[]).unwrap();
    let train = &experiment.train;
    assert_eq!((train.epochs, train.batch, train.lr, train.momentum), (200, 16, 0.045, 0.9));
    assert_eq!((train.weight_decay, &train.schedule), (4e-5, &Schedule::Exponential { gamma: 0.98 }));
    let published: Vec<_> = experiment
        .variants
        .iter()
        .map(|variant| (variant.name.as_str(), variant.published.unwrap()))
        .map(|(name, figures)| (name, figures.params.unwrap(), figures.accuracy.unwrap()))
        .collect();
    // Table 5 of the CSE paper.
    assert_eq!(
        published,
        [
            ("baseline", 2_253_000.0, 91.74),
            ("optimized", 425_000.0, 90.01),
            ("cse_only", 228_000.0, 88.13),
            ("mix", 363_000.0, 90.03),
        ]
    );
}
