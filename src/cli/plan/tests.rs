//! Tests of plans.

use std::path::Path;

use super::*;
use crate::cli::place::Place;
use crate::study::simulated;

fn nowhere() -> Place<'static> {
    Place { file: Path::new(""), what: "experiment file", set: &[], phase: None }
}

fn searched(total: Option<usize>) -> Searched {
    let experiment = simulated::experiment(&["drawn"], &[0]);
    let trial = simulated::plan(&experiment).remove(0);
    let kept = vec![(trial.candidate, trial.network)];
    Searched { kept, search: None, total, images: (Shape::new(3, 32, 32), 10), recorded: Recorded::default() }
}

fn all(plan: &mut ExperimentPlan) -> Vec<PlannedTrial> {
    let mut trials = Vec::new();
    while let Next::New(trial) = plan.next().unwrap() {
        trials.push(trial);
    }
    assert_eq!(plan.next().unwrap(), Next::End);
    trials
}

#[test]
fn variants_come_first_each_with_every_seed() {
    let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
    let variants =
        || variants(&experiment, nowhere(), (Shape::new(3, 32, 32), 10), &Recorded::default()).unwrap();
    let mut plan = ExperimentPlan::new(&experiment.seeds, 3, variants(), searched(Some(1)));
    assert_eq!(plan.total(), Some(6));
    // Looking changes nothing.
    let mut ahead = |most| plan.look_ahead(most).map(|(c, _)| c.label.clone()).collect::<Vec<_>>();
    assert_eq!(ahead(4), ["mix", "cse_only"]);
    assert_eq!(ahead(100), ["mix", "cse_only", "drawn"]);
    assert_eq!(plan.total(), Some(6));
    let mut seen = Vec::new();
    for trial in all(&mut plan) {
        if trial.candidate.label == "mix" {
            // Counted from the original definition of the CSE paper's Mix model.
            assert_eq!((trial.candidate.params, trial.candidate.madds), (362_992, 81_434_112));
        }
        seen.push((trial.candidate.label, trial.seed));
    }
    let expected = ["mix", "cse_only", "drawn"].map(|l| [(l.to_owned(), 3), (l.to_owned(), 5)]);
    assert_eq!(seen, expected.concat());
    let endless = ExperimentPlan::new(&experiment.seeds, 3, variants(), searched(None));
    assert_eq!(endless.total(), None);
}

#[test]
fn networks_can_be_had_again() {
    let experiment = simulated::experiment(&["mix", "cse_only"], &[3, 5]);
    let images = (Shape::new(3, 32, 32), 10);
    let candidate = notation::parse("stem_s2_c16_k3 ir_e2_k3_s2_c16_r1").unwrap();
    let network = build::network(&candidate, images.0, images.1).unwrap();
    let record = simulated::plan(&simulated::experiment(&["drawn"], &[0])).remove(0).candidate;
    let record =
        CandidateRecord { text: candidate.text(), hash: network.hash(), is_variant: false, ..record };
    let recorded = Recorded::default();
    let searched = Searched { kept: vec![(record, network)], search: None, total: Some(1), images, recorded };
    let variants = variants(&experiment, nowhere(), images, &Recorded::default()).unwrap();
    let mut plan = ExperimentPlan::new(&experiment.seeds, 3, variants, searched);
    let trials = all(&mut plan);
    assert_eq!(trials.len(), 6);
    for trial in trials {
        assert_eq!(plan.network(&trial.candidate), Some(trial.network), "{}", trial.candidate.label);
    }
}

#[test]
fn a_wrong_variant_is_named() {
    let experiment = simulated::experiment(&["mux"], &[0]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("e.yaml");
    std::fs::write(&file, "name: e\nvariants:\n- name: mux\n  network: mux\n").unwrap();
    let place = Place { file: &file, ..nowhere() };
    let error = variants(&experiment, place, (Shape::new(3, 32, 32), 10), &Recorded::default()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let expected = format!("{}:4:12: variants[0].network: variant mux: ", file.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn two_spellings_of_one_network_are_refused_as_variants() {
    let mut experiment = simulated::experiment(&["wide", "again"], &[0]);
    experiment.variants[0].network = "stem_c16_s2 ir_s2_e2_c16".into();
    experiment.variants[1].network = "stem_s2_c16_k3 ir_e2_k3_s2_c16_r1".into();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("e.yaml");
    std::fs::write(&file, "variants:\n- {name: wide, network: a}\n- {name: again, network: b}\n").unwrap();
    let place = Place { file: &file, ..nowhere() };
    let error = variants(&experiment, place, (Shape::new(3, 32, 32), 10), &Recorded::default()).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let error = error.to_string();
    assert!(error.contains(":3:26: variants[1].network: "), "{error}");
    assert!(error.contains("again is the same network as variant wide"), "{error}");
    assert!(error.contains("build the same layers, `stem_k3_s2_c16 ir_r1_k3_s2_e2_c16`)"), "{error}");
}

/// Each pair builds the same layers by the rules of the notation, however far apart the texts are.
#[test]
fn equal_networks_are_refused_as_variants_whatever_they_say() {
    for (one, other) in [
        ("stem_c8 ir_e2_c8_se0.125", "stem_c8 ir_h16_c8_se0.5"),
        ("stem_c8 ir_e2.1_c16", "stem_c8 ir_e2.15_c16"),
        ("stem_c16 ir_r2_e6_c24", "stem_c16 ir_e6_c24 ir_h144_c24"),
        ("cn_r2_c8", "stem_c8 cn_c8"),
        ("stem_c8 dsa_c16", "stem_c8 ir_e1_c16_nonlinear"),
        ("mobilenet_v3_small width=0.5", "mobilenet_v3_small width=0.501"),
        ("mix", "mix cap_mode=min"),
    ] {
        let mut experiment = simulated::experiment(&["a", "b"], &[0]);
        experiment.variants[0].network = one.into();
        experiment.variants[1].network = other.into();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("e.yaml");
        std::fs::write(&file, "variants:\n- {name: a, network: a}\n- {name: b, network: b}\n").unwrap();
        let place = Place { file: &file, ..nowhere() };
        let found = variants(&experiment, place, (Shape::new(3, 32, 32), 10), &Recorded::default());
        let error = found.expect_err(other).to_string();
        assert!(error.contains("variant b is the same network as variant a"), "{error}");
    }
}
