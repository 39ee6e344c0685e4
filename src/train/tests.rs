//! The epoch loop on a few of the built-in images.

use std::sync::Arc;

use super::watch::Watch;
use super::{Memory, NetworkTrainer, Trainer, TrialEnd, TrialTask};
use crate::arch::{Network, Shape, zoo};
use crate::config::{Augment, DataConfig, DataFormat, Limit, Schedule, TrainConfig};
use crate::data::{Data, shapes};
use crate::engine::{Model, Workers};
use crate::study::event::EpochMetrics;

const SIDE: usize = 16;
const NETWORK: &str = "stem_c8_s2 ir_s2_e2_c12 cse_s2_c16_cap4_rr4";

fn data() -> Arc<Data> {
    let config = DataConfig {
        format: DataFormat::Shapes,
        path: None,
        side: Some(SIDE),
        validation: 40.0,
        limit: Limit::default(),
        augment: Augment { pad_crop: 2, ..Augment::USUAL },
    };
    Arc::new(Data::new(shapes::generate(3, 200, 50, SIDE).unwrap(), &config, 1).unwrap())
}

fn recipe(lr: f64) -> TrainConfig {
    TrainConfig {
        epochs: 2,
        batch: 32,
        lr,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 1e-4,
        decay_norm_and_bias: false,
        warmup: 0.0,
        schedule: Schedule::Cosine,
        label_smoothing: 0.1,
        drop_last: None,
        precision: Default::default(),
        weights: None,
        classifier: Default::default(),
        timeout: None,
    }
}

fn trainer(lr: f64, threads: usize) -> NetworkTrainer {
    let augment = Augment { pad_crop: 2, ..Augment::USUAL };
    let (memory, start) = (Memory::default(), None);
    NetworkTrainer { data: data(), config: recipe(lr), augment, threads, memory, start, rungs: Vec::new() }
}

fn network(side: usize, classes: usize) -> Network {
    let input = Some(Shape::new(3, side, side));
    zoo::network(NETWORK, &zoo::Options { classes: Some(classes), input, ..Default::default() }).unwrap()
}

fn task(network: Network, seed: u64) -> TrialTask {
    TrialTask {
        trial: 1,
        network,
        text: NETWORK.into(),
        candidate_hash: "a".into(),
        study_seed: 1,
        seed,
        until: None,
        fine_tune: None,
    }
}

fn stopping(after_steps: usize) -> Watch {
    Watch { stop_after_steps: Some(after_steps), ..Watch::default() }
}

fn weights(end: TrialEnd) -> Vec<u8> {
    match end {
        TrialEnd::Finished { weights } => weights,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_diverging_trial_fails_with_its_reason() {
    let mut watch = Watch::default();
    let end = trainer(1e9, 1).train(&task(network(SIDE, 10), 1), &mut watch).unwrap();
    let TrialEnd::Failed { epoch, reason } = end else { panic!("{end:?}") };
    assert!((1..=2).contains(&epoch), "{epoch}");
    assert!(reason.contains("diverged") && reason.contains("lower train.lr"), "{reason}");
    // No epoch that failed counts as one that was trained.
    assert_eq!(watch.epochs.len(), epoch - 1);
}

#[test]
fn a_network_for_other_images_is_refused() {
    let trainer = trainer(0.05, 1);
    for (network, expected) in [
        (
            network(32, 10),
            "takes 3x32x32 and tells 10 classes apart, but the images are 3x16x16 in 10 classes",
        ),
        (
            network(SIDE, 7),
            "takes 3x16x16 and tells 7 classes apart, but the images are 3x16x16 in 10 classes",
        ),
    ] {
        let task = task(network, 1);
        let error = trainer.train(&task, &mut Watch::default()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(trainer.test(&task, &[], &|| false).unwrap_err(), error);
    }
}

#[test]
fn the_same_task_gives_the_same_bytes_on_any_number_of_threads() {
    let train = |threads, seed| {
        let mut watch = Watch::default();
        let end = trainer(0.05, threads).train(&task(network(SIDE, 10), seed), &mut watch).unwrap();
        let numbers: Vec<_> = watch.epochs.iter().map(|e| (e.lr, e.train, e.validation)).collect();
        (weights(end), numbers)
    };
    let once = train(1, 1);
    assert_eq!(once.1.len(), 2);
    assert!(once == train(1, 1), "the same task again");
    assert!(once == train(2, 1), "two threads");
    assert!(once.0 != train(1, 2).0, "another seed");
}

#[test]
fn the_test_split_is_what_the_returned_weights_say_of_it() {
    let trainer = trainer(0.05, 1);
    let task = task(network(SIDE, 10), 1);
    let weights = weights(trainer.train(&task, &mut Watch::default()).unwrap());
    let test = trainer.test(&task, &weights, &|| false).unwrap().unwrap();
    assert_eq!(trainer.test(&task, &weights, &|| true).unwrap(), None, "it stops between two batches");

    // Another model, loaded with the bytes, asked for the logits of one image at a time.
    let mut model = Model::<f32>::new(task.network.clone(), [9; 32], Arc::new(Workers::new(1).unwrap()));
    model.load_safetensors(&weights).unwrap();
    let split = trainer.data.test.open_test();
    let (mut loss, mut right) = (0.0, 0);
    for index in 0..split.len() {
        let normalise = split.normalisation();
        let pixels: Vec<f32> = split
            .image(index)
            .iter()
            .enumerate()
            .map(|(i, &byte)| {
                ((f64::from(byte) / 255.0 - normalise.mean[i % 3]) / normalise.std[i % 3]) as f32
            })
            .collect();
        let logits: Vec<f64> = model.logits(&pixels).into_iter().map(f64::from).collect();
        let label = split.label(index) as usize;
        let sum: f64 = logits.iter().map(|l| l.exp()).sum();
        loss += sum.ln() - logits[label];
        right += usize::from((0..10).all(|other| other == label || logits[other] < logits[label]));
    }
    assert_eq!(test.images, 50);
    assert_eq!(test.accuracy, 100.0 * right as f64 / 50.0);
    assert!((test.loss - loss / 50.0).abs() < 1e-4, "{} {}", test.loss, loss / 50.0);
    assert!(trainer.test(&task, &weights[..weights.len() / 2], &|| false).is_err(), "half a checkpoint");
}

#[test]
fn a_trial_stops_when_asked() {
    let task = task(network(SIDE, 10), 1);
    for (steps, epochs) in [(0, 0), (3, 0), (7, 1)] {
        let mut watch = stopping(steps);
        let end = trainer(0.05, 1).train(&task, &mut watch).unwrap();
        assert_eq!(end, TrialEnd::Interrupted);
        assert_eq!((watch.steps.len(), watch.epochs.len()), (steps, epochs));
    }
}

/// Stopped after every possible step, and twice: the bytes and figures of one that never stopped.
#[test]
fn a_stopped_trial_goes_on_to_the_same_bits() {
    let task = task(network(SIDE, 10), 1);
    let figures = |epochs: &[EpochMetrics]| -> Vec<_> {
        epochs.iter().map(|e| (e.epoch, e.lr, e.train, e.validation)).collect()
    };
    let mut whole = Watch::default();
    let expected = weights(trainer(0.05, 1).train(&task, &mut whole).unwrap());
    for first in 0..=10 {
        let mut watch = stopping(first);
        for stop in [first, first + 2, usize::MAX] {
            watch.stop_after_steps = Some(stop);
            match trainer(0.05, 1).train(&task, &mut watch).unwrap() {
                TrialEnd::Interrupted => assert!(watch.kept.is_some()),
                end => {
                    assert!(weights(end) == expected, "other weights after a stop at step {first}");
                    assert_eq!(figures(&watch.epochs), figures(&whole.epochs));
                    break;
                }
            }
        }
        assert_eq!(watch.steps.len(), 10, "no step is run twice");
    }
}

#[test]
fn what_is_no_checkpoint_of_the_network_is_refused() {
    let task = task(network(SIDE, 10), 1);
    let mut watch = stopping(3);
    trainer(0.05, 1).train(&task, &mut watch).unwrap();
    let kept = watch.kept.unwrap();
    for bytes in [&kept[..0], &kept[..40], &kept[..kept.len() - 1], &[kept.as_slice(), &[0; 4]].concat()] {
        let mut watch = Watch { kept: Some(bytes.to_vec()), ..Watch::default() };
        assert_eq!(trainer(0.05, 1).train(&task, &mut watch).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn every_epoch_reports_all_its_images() {
    let mut watch = Watch::default();
    trainer(0.05, 1).train(&task(network(SIDE, 10), 1), &mut watch).unwrap();
    let images: Vec<_> =
        watch.epochs.iter().map(|e| (e.epoch, e.train.images, e.validation.images)).collect();
    assert_eq!(images, [(1, 160, 40), (2, 160, 40)]);
    // In batches of 32.
    let steps: Vec<_> = (1..=2).flat_map(|epoch| (1..=5).map(move |done| (epoch, done, 5))).collect();
    assert_eq!(watch.steps, steps);
    assert!(watch.epochs[1].train.loss < watch.epochs[0].train.loss);
}

/// Such a trial ends alone, before its first step; one that waits for memory can be stopped.
#[test]
fn a_trial_beyond_the_memory_budget_fails_with_its_need() {
    let mut trainer = trainer(0.05, 1);
    let task = task(network(SIDE, 10), 1);
    let need = super::memory::trial_bytes(&task.network, 32, &trainer.data);
    trainer.memory = Memory::new(Some(need - 1));
    let mut watch = Watch::default();
    let TrialEnd::Failed { epoch: 1, reason } = trainer.train(&task, &mut watch).unwrap() else { panic!() };
    assert!(reason.starts_with("not started: it needs ") && reason.contains("at batch 32"), "{reason}");
    assert!(reason.contains("lower train.batch, or give a larger --memory"), "{reason}");
    assert_eq!(watch.steps.len(), 0);

    trainer.memory = Memory::new(Some(need));
    let taken = trainer.memory.reserve(1, || false);
    assert_eq!(trainer.train(&task, &mut stopping(0)).unwrap(), TrialEnd::Interrupted);
    drop(taken);
    assert!(matches!(trainer.train(&task, &mut watch).unwrap(), TrialEnd::Finished { .. }));
}
