//! Experiment files: defaults, forms, assignments, and every message to the letter.

use super::*;

/// A folder with an empty space file and an experiment file of this text.
fn load(text: &str, set: &[&str]) -> crate::error::Result<Experiment> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("space.yaml"), "name: s\n").unwrap();
    let path = folder.path().join("e.yaml");
    std::fs::write(&path, text).unwrap();
    let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
    let prefix = format!("{}/", folder.path().display());
    Experiment::load(&path, &set)
        .map_err(|error| crate::error::Error::request(error.to_string().replace(&prefix, "")))
}

const SMALL: &str = "\
name: small
data: {format: shapes}
train: {epochs: 3}
variants:
- {name: a, network: mix}
";

fn with(train: &str) -> String {
    SMALL.replace("{epochs: 3}", train)
}

fn message(text: &str, set: &[&str]) -> String {
    let error = load(text, set).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn defaults_fill_what_is_left_out() {
    let experiment = load(SMALL, &[]).unwrap();
    assert_eq!((experiment.seed, experiment.seeds), (1, vec![1]));
    assert_eq!(experiment.data.validation, 0.1);
    assert_eq!(experiment.data.augment, Augment::OFF);
    let train = experiment.train;
    assert_eq!((train.batch, train.lr, train.momentum, train.schedule), (64, 0.05, 0.9, Schedule::Cosine));
    let cifar = load(&SMALL.replace("shapes", "cifar10"), &[]).unwrap();
    assert_eq!(cifar.data.augment, Augment::USUAL);
    let named_by_file = load(SMALL.strip_prefix("name: small\n").unwrap(), &[]).unwrap();
    assert_eq!(named_by_file.name, "e");
}

#[test]
fn checkpoints_say_what_is_kept() {
    let checkpoints = |text: &str| load(&format!("{SMALL}checkpoints: {text}\n"), &[]).unwrap().checkpoints;
    assert_eq!(load(SMALL, &[]).unwrap().checkpoints, Checkpoints { keep: Keep::All, disk_budget: None });
    assert_eq!(checkpoints("{keep: front}"), Checkpoints { keep: Keep::Front, disk_budget: None });
    let both = Checkpoints { keep: Keep::Best, disk_budget: Some(3 << 29) };
    assert_eq!(checkpoints("{keep: best, disk_budget: 1.5GiB}"), both);
    assert_eq!(load(SMALL, &["checkpoints.keep=last"]).unwrap().checkpoints.keep, Keep::Last);
    let wrong = |text: &str| message(&format!("{SMALL}checkpoints: {text}\n"), &[]);
    assert_eq!(
        wrong("{keep: bests}"),
        "e.yaml:6:21: checkpoints.keep: `bests` is not what to keep (all, best, last, front); did you mean `best`?"
    );
    assert_eq!(
        wrong("{disk_budget: 0}"),
        "e.yaml:6:28: checkpoints.disk_budget: a disk budget is from 1 byte; leave it out for none"
    );
    assert!(
        wrong("{disk_budget: lots}").contains("is not a size on the disk (such as 2GiB, 500MB or 1000000)")
    );
}

#[test]
fn forms_of_seeds_schedules_and_augmentation() {
    let schedule =
        |text: &str| load(&with(&format!("{{epochs: 9, schedule: {text}}}")), &[]).unwrap().train.schedule;
    assert_eq!(schedule("constant"), Schedule::Constant);
    assert_eq!(schedule("{exponential: {gamma: 0.98}}"), Schedule::Exponential { gamma: 0.98 });
    assert_eq!(
        schedule("{step: {milestones: [3, 6], gamma: 0.1}}"),
        Schedule::Step { milestones: vec![3, 6], gamma: 0.1 }
    );
    assert_eq!(load(SMALL, &["seeds=3"]).unwrap().seeds, [1, 2, 3]);
    assert_eq!(load(SMALL, &["seeds=[7, 0]"]).unwrap().seeds, [7, 0]);
    let off = load(SMALL, &["data.format=cifar10", "data.augment=off"]).unwrap();
    assert_eq!(off.data.augment, Augment::OFF);
    let part = load(SMALL, &["data.format=cifar10", "data.augment.flip=false"]).unwrap();
    assert_eq!(part.data.augment, Augment { flip: false, ..Augment::USUAL });
}

#[test]
fn assignments_change_the_file() {
    let set = [
        "train.epochs=5",
        "train.schedule.exponential.gamma=0.9",
        "variants[0].set.stem=cifar",
        "variants[0].set.conv_bias=true",
    ];
    let experiment = load(SMALL, &set).unwrap();
    assert_eq!(experiment.train.epochs, 5);
    assert_eq!(experiment.train.schedule, Schedule::Exponential { gamma: 0.9 });
    assert_eq!(experiment.variants[0].set["stem"], "cifar");
    assert_eq!(experiment.variants[0].set["conv_bias"], "true");
}

#[test]
fn the_space_and_the_data_are_found_from_the_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("experiments");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(folder.path().join("s.yaml"), "name: s\n").unwrap();
    let path = inner.join("e.yaml");
    let text = "data: {format: images, path: ../pictures}\ntrain: {epochs: 1}\nsearch: {space: ../s.yaml, strategy: grid}\n";
    std::fs::write(&path, text).unwrap();
    let experiment = Experiment::load(&path, &[]).unwrap();
    assert_eq!(experiment.search.unwrap().space, folder.path().join("s.yaml"));
    // A path that does not exist stays as it was written.
    assert_eq!(experiment.data.path, Some(inner.join("../pictures")));
}

/// What a format has no use for is refused, not passed over.
#[test]
fn keys_that_do_nothing_are_refused() {
    for (keys, part) in [
        (
            "background: black",
            "data.background: only `format: images` has transparent pictures: leave this key out",
        ),
        ("test: 0.2", "data.test: only `format: images` may lack a test split"),
    ] {
        let text = SMALL.replace("shapes", &format!("shapes, {keys}"));
        let error = message(&text, &[]);
        assert!(error.contains(part), "{error}");
    }
}

/// Numbers that are right in another unit are refused with what to write; a text with `%` says which unit is meant.
#[test]
fn numbers_of_another_unit_are_refused_with_the_right_one() {
    let published = |figures: &str| {
        format!("{} published: {{{figures}}}}}\n", SMALL.trim_end().trim_end_matches('}').to_owned() + ",")
    };
    let data = |keys: &str| SMALL.replace("shapes", &format!("shapes, {keys}"));
    let netadapt =
        |keys: &str| format!("{SMALL}search: {{strategy: netadapt, from: mix, cost: params, {keys}}}\n");
    let mnas = |reward: &str| {
        format!("{SMALL}search: {{space: space.yaml, trials: 9, strategy: mnas, reward: {{{reward}}}}}\n")
    };
    for (text, part) in [
        (
            published("accuracy: 0.91"),
            "published.accuracy: 0.91 looks like a fraction, and an accuracy here is in percent: write 91 (or",
        ),
        (published("accuracy: 1"), "write 100 (or 1% where that is meant)"),
        (published("accuracy: 910"), "910 is not an accuracy in percent (0 to 100)"),
        (
            published("params: 2.25"),
            "published.params: 2.25 has no unit, and without one amounts are whole: write 2.25M for 2,250,000",
        ),
        (published("madds: 0.3"), "published.madds: 0.3 has no unit"),
        (mnas("cost: madds, target: 0.5"), "search.reward.target: 0.5 has no unit"),
        (netadapt("target: 0.5"), "search.target: 0.5 has no unit"),
        (netadapt("target: 200k, delta: 1"), "for 1 % write 0.01"),
        (data("validation: 1.5"), "for 1.5 % write 0.015"),
        (data("limit: {train: 0.1}"), "data.limit.train: 0.1 is not a number of images"),
        (with("{epochs: 3, momentum: 90}"), "for 90 % write 0.9"),
        (with("{epochs: 3, label_smoothing: 10}"), "for 10 % write 0.1"),
        (with("{epochs: 3, weight_decay: 5}"), "for 5 % write 0.05"),
        (with("{epochs: 3, schedule: {exponential: {gamma: 98}}}"), "for 98 % write 0.98"),
        (format!("{SMALL}checkpoints: {{disk_budget: 1.5}}\n"), "write 1.5M for 1,500,000"),
    ] {
        let message = load(&text, &[]).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let experiment = load(&published("accuracy: 0.5%"), &[]).unwrap();
    assert_eq!(experiment.variants[0].published.and_then(|of| of.accuracy), Some(0.5));
    assert_eq!(load(&data("validation: 20%"), &[]).unwrap().data.validation, 0.2);
    assert_eq!(load(&with("{epochs: 3, momentum: 90%}"), &[]).unwrap().train.momentum, 0.9);
}

#[test]
fn paddings_and_last_batches_are_read() {
    let augment = |text: &str| load(&SMALL.replace("shapes", &format!("cifar10, augment: {text}")), &[]);
    for (text, pad) in [
        ("{}", Pad::Zero),
        ("{pad: zero}", Pad::Zero),
        ("{pad: black}", Pad::Black),
        ("{pad: reflect}", Pad::Reflect),
    ] {
        assert_eq!(augment(text).unwrap().data.augment, Augment { pad, ..Augment::USUAL }, "{text}");
    }
    let message = |text: &str| augment(text).unwrap_err().to_string();
    assert!(message("{pad: mirror}").ends_with("`mirror` is not a padding (zero, black, reflect)"));
    assert!(message("{pad: black, pad_crop: 0}").contains("add `pad_crop: 4`, say, or take `pad` away"));
    let drop_last = |train: &str| load(&with(train), &[]).unwrap().train.drop_last;
    assert_eq!(drop_last("{epochs: 3}"), None);
    assert_eq!(
        (drop_last("{epochs: 3, drop_last: true}"), drop_last("{epochs: 3, drop_last: false}")),
        (Some(true), Some(false))
    );
    let misplaced = load(&SMALL.replace("shapes", "shapes, drop_last: true"), &[]).unwrap_err().to_string();
    assert!(misplaced.contains("data.drop_last: `drop_last` stands in the section `train`"), "{misplaced}");
    // Journals of before have neither key.
    let json = serde_json::to_value(load(SMALL, &[]).unwrap()).unwrap();
    assert!(json["train"].get("drop_last").is_none() && json["data"]["augment"].get("pad").is_none());
}

#[test]
fn mistakes_in_the_file_have_their_place() {
    let search = |search: &str| SMALL.replace("variants:", &format!("search: {search}\nvariants:"));
    let cases = [
        (
            SMALL.replace("train:", "trian:"),
            "e.yaml:3:1: trian: an experiment has no key `trian`; did you mean `train`? Known keys: name, description, seed, seeds, data, train, trainer, search, variants, baseline, failures, checkpoints, latency, phases",
        ),
        (
            with("{epochs: 3, learning_rate: 0.1}"),
            "e.yaml:3:20: train.learning_rate: train has no key `learning_rate`; known keys: epochs, batch, drop_last, lr, momentum, nesterov, weight_decay, decay_norm_and_bias, warmup, schedule, label_smoothing, precision, weights, classifier, timeout",
        ),
        (
            with("{epochs: many}"),
            "e.yaml:3:17: train.epochs: `many` is not a number of epochs (a whole number from 1)",
        ),
        (
            with("{epochs: 0}"),
            "e.yaml:3:17: train.epochs: 0 is not a number of epochs (a whole number from 1)",
        ),
        (with("{batch: 8}"), "e.yaml:3:8: train: train needs the key `epochs`, such as `epochs: 30`"),
        (
            with("\n  epochs: 3\n  lr:"),
            "e.yaml:5:6: train.lr: no value is given; give one, or remove the key for its default",
        ),
        (with("fast"), "e.yaml:3:8: train: train is a mapping (lines of `key: value`), not `fast`"),
        (
            with("{epochs: 3, batch: 1}"),
            "e.yaml:3:27: train.batch: 1 is not a batch size (a whole number, 2 to 65536)",
        ),
        (
            with("{epochs: 3, label_smoothing: 1}"),
            "e.yaml:3:37: train.label_smoothing: 1 is not a label smoothing (a number from 0, below 1); for 1 % write 0.01",
        ),
        (
            with("{epochs: 3, warmup: 4}"),
            "e.yaml:3:28: train.warmup: 4 epochs of warm-up are more than the 3 of the whole training (train.epochs); warm-up is counted in epochs, not steps",
        ),
        (
            with("{epochs: 3, nesterov: true, momentum: 0}"),
            "e.yaml:3:30: train.nesterov: Nesterov's step needs a momentum above 0; set `momentum: 0.9`, say",
        ),
        (
            with("{epochs: 3, precision: bf61}"),
            "e.yaml:3:31: train.precision: `bf61` is not a precision (f32, bf16); did you mean `bf16`?",
        ),
        (with("{epochs: 3, nesterov: yes}"), "e.yaml:3:30: train.nesterov: `yes` is not true or false"),
        (
            with("{epochs: 3, schedule: cosin}"),
            "e.yaml:3:30: train.schedule: `cosin` is not a schedule (constant, cosine, step, exponential); did you mean `cosine`?",
        ),
        (
            with("{epochs: 3, schedule: exponential}"),
            "e.yaml:3:30: train.schedule: an exponential schedule needs its number: `exponential: {gamma: 0.98}`",
        ),
        (
            with("{epochs: 3, schedule: {step: {milestones: [1, 3], gamma: 0.1}}}"),
            "e.yaml:3:54: train.schedule.step.milestones[1]: a milestone at epoch 3 comes too late in 3 epochs of training (train.epochs)",
        ),
        (
            SMALL.replace("shapes", "cifar"),
            "e.yaml:2:16: data.format: `cifar` is not a data format (shapes, cifar10, images); did you mean `cifar10`?",
        ),
        (
            SMALL.replace("shapes", "shapes, validation: 1.5"),
            "e.yaml:2:36: data.validation: 1.5 is not a validation split (a fraction above 0 and below 1, or a number of images from 2); for 1.5 % write 0.015",
        ),
        (
            SMALL.replace("name: small", "name: my/study"),
            "e.yaml:1:7: name: `my/study` is not a name for a study: it becomes part of file names, so use 1 to 80 letters, digits, `-`, `_` and `.`, the first no `.` or `-`",
        ),
        (
            SMALL.replace("name: small", "name: 2024"),
            "e.yaml:1:7: name: a text is expected here, and 2024 is not one; put it in quotes",
        ),
        (
            format!("{SMALL}- {{name: a, network: optimized}}\n"),
            "e.yaml:6:10: variants[1].name: two variants have the name `a`; rename one",
        ),
        (
            format!("{SMALL}baseline: b\n"),
            "e.yaml:6:11: baseline: `b` is not the name of a variant (a); did you mean `a`?",
        ),
        (format!("{SMALL}seeds: [1, 2, 1]\n"), "e.yaml:6:15: seeds[2]: the seed 1 is here a second time"),
        (
            search("{space: space.yaml}"),
            "e.yaml:4:9: search: the strategy sh_emoa needs the key `trials`, such as `trials: 20`: how many candidates to train",
        ),
        (
            search("{space: space.yaml, trials: 9, strategy: nsga3}"),
            "e.yaml:4:50: search.strategy: `nsga3` is not a strategy (grid, random, local, evolution, nsga2, sh_emoa, tpe, mnas, netadapt); did you mean `nsga2`?",
        ),
        (
            search("{space: space.yaml, trials: 9, objectives: [accuracy, flops]}"),
            "e.yaml:4:63: search.objectives[1]: `flops` is not an objective (accuracy, loss, params, madds, activation_memory, size, latency)",
        ),
        (
            search("{space: space.yaml, trials: 9, objectives: [latency, params]}"),
            "e.yaml:4:52: search.objectives: all of these are known without training: add accuracy or loss, or list the space with `enumerate`",
        ),
        (
            search("{space: space.yaml, trials: 9, objectives: [accuracy, {params: up}]}"),
            "e.yaml:4:72: search.objectives[1].params: `up` is not a direction (min, max)",
        ),
        (
            search("{space: space.yaml, trials: 9, objectives: [accuracy, {parms: max}]}"),
            "e.yaml:4:64: search.objectives[1].parms: an objective has no key `parms`; did you mean `params`? Known keys: accuracy, loss, params, madds, activation_memory, size, latency",
        ),
        (
            search("{space: space.yaml, trials: 9, objectives: [accuracy, {params: max, madds: min}]}"),
            "e.yaml:4:63: search.objectives[1]: one objective has one direction: write each in braces of its own",
        ),
        (
            search("{space: space.yaml, trials: 9, constraints: {latency: <= 2}}"),
            "e.yaml:4:63: search.constraints.latency: `<= 2` is not a limit of latency (a text such as <= 2ms; units are ns, us, ms and s, for one image)",
        ),
        (
            search("{space: space.yaml, trials: 9, constraints: {latency: 2ms}}"),
            "e.yaml:4:63: search.constraints.latency: `2ms` is not a limit of latency (a text such as <= 2ms; units are ns, us, ms and s, for one image)",
        ),
        (
            search("{space: space.yaml, trials: 9, constraints: {params: <= 20k}}"),
            "e.yaml:4:62: search.constraints.params: params is known before training, so its constraint stands in the search space's file; here is that of latency",
        ),
        (
            search("{space: space.yaml, trials: 9, strategy: mnas, reward: {cost: latency, target: 2}}"),
            "e.yaml:4:88: search.reward.target: 2 is not a latency (a number above 0 with its unit: 2ms, 350us or 0.1s)",
        ),
        (
            search(
                "{space: space.yaml, trials: 9, strategy: mnas, reward: {cost: madds, target: 2M, w: mobilenet}}",
            ),
            "e.yaml:4:93: search.reward.w: `mobilenet` is not an exponent: a number from -10 to 0, or a name (mnasnet, mobilenet_v3_small)",
        ),
        (
            format!("{SMALL}latency: {{rounds: 3}}\n"),
            "e.yaml:6:19: latency.rounds: 3 is not a number of rounds (a whole number, 10 to 100000)",
        ),
        (
            search("{space: space.yaml, trials: 9, objectives: [params, madds]}"),
            "e.yaml:4:52: search.objectives: all of these are known without training: add accuracy or loss, or list the space with `enumerate`",
        ),
        (
            search("{space: space.yaml, trials: 9, strategy: random, budget: {kind: asha, min_epochs: 2}}"),
            "e.yaml:4:66: search.budget: 3 epochs are too few for two rungs: with eta 3 and min_epochs 2 it takes train.epochs of 6 at least",
        ),
        (
            search("{space: space.yaml, trials: 9, strategy: mnas}"),
            "e.yaml:4:9: search: the strategy mnas needs the key `reward`, such as `reward: {cost: madds, target: 5M}`: which cost to aim at",
        ),
        (
            search("{space: space.yaml, trials: 9, strategy: mnas, reward: {cost: accuracy, target: 5M}}"),
            "e.yaml:4:71: search.reward.cost: `accuracy` is not a cost (params, madds, activation_memory, size, latency)",
        ),
        (
            search("{space: spice.yaml, trials: 3}"),
            "e.yaml:4:17: search.space: there is no file spice.yaml; the path of a space is relative to the experiment file's folder",
        ),
        (
            "name: x\ndata: {format: shapes}\ntrain: {epochs: 1}\n".into(),
            "e.yaml:1:1: nothing to train; add `search` (candidates of a space) or `variants` (named networks)",
        ),
        ("- a\n- b\n".into(), "e.yaml:1:1: an experiment is a mapping (lines of `key: value`), not a list"),
    ];
    for (text, expected) in cases {
        assert_eq!(message(&text, &[]), expected, "\n{text}");
    }
}

#[test]
fn mistakes_in_assignments_name_them() {
    let cases = [
        (
            "train.epoch=5",
            "--set train.epoch=5: train.epoch: train has no key `epoch`; did you mean `epochs`? Known keys: epochs, batch, drop_last, lr, momentum, nesterov, weight_decay, decay_norm_and_bias, warmup, schedule, label_smoothing, precision, weights, classifier, timeout",
        ),
        (
            "trian.epochs=5",
            "--set trian.epochs=5: trian: an experiment has no key `trian`; did you mean `train`? Known keys: name, description, seed, seeds, data, train, trainer, search, variants, baseline, failures, checkpoints, latency, phases",
        ),
        (
            "train.epochs=five",
            "--set train.epochs=five: train.epochs: `five` is not a number of epochs (a whole number from 1)",
        ),
        (
            "train.epochs=",
            "--set train.epochs=: train.epochs: train needs the key `epochs`, such as `epochs: 30`",
        ),
        (
            "train.schedule.exponential.gama=1",
            "--set train.schedule.exponential.gama=1: train.schedule.exponential.gama: an exponential schedule has no key `gama`; did you mean `gamma`? Known keys: gamma",
        ),
        ("variants[3].name=x", "--set variants[3].name=x: variants has 1 items, so there is no variants[3]"),
    ];
    for (set, expected) in cases {
        assert_eq!(message(SMALL, &[set]), expected);
    }
    // A good assignment is not blamed for a mistake of the file.
    let text = SMALL.replace("epochs: 3", "epochs: 3, lr: fast");
    assert_eq!(
        message(&text, &["train.epochs=5"]),
        "e.yaml:3:24: train.lr: `fast` is not a learning rate (a number above 0, up to 100)"
    );
}

#[test]
fn a_simulated_trainer_needs_no_data() {
    let of = |trainer: &str| {
        let text = SMALL.replace("data: {format: shapes}", &format!("trainer: {trainer}"));
        load(&text, &[]).map(|experiment| experiment.trainer.simulated().unwrap().clone())
    };
    let known = Known { params: 1e4, madds: 1e6, epoch: 1.0, epochs: 3.0 };
    let default = of("simulated").unwrap();
    assert_eq!((default.noise, default.seconds_per_epoch.value(&known)), (0.5, 1.0));
    assert!((default.accuracy.value(&known) - 30.0).abs() < 1e-9);
    assert_eq!(of("{kind: simulated}").unwrap(), default);
    let own = of("{kind: simulated, accuracy: 90 - 30 / epoch, noise: 0, seconds_per_epoch: 2.5}").unwrap();
    assert_eq!((own.accuracy.value(&known), own.noise), (60.0, 0.0));
    assert_eq!(own.seconds_per_epoch.value(&known), 2.5);
    // The journal has it as it was, and nothing where networks are trained.
    let experiment = load(&format!("{SMALL}trainer: simulated\n"), &[]).unwrap();
    let json = serde_json::to_value(&experiment).unwrap();
    assert_eq!(json["trainer"]["kind"], "simulated");
    assert_eq!(serde_json::from_value::<Experiment>(json).unwrap(), experiment);
    let json = serde_json::to_value(load(SMALL, &[]).unwrap()).unwrap();
    assert_eq!(json.get("trainer"), None);
    assert_eq!(load(SMALL, &["trainer=network"]).unwrap().trainer, TrainerConfig::Network);
    for (trainer, part) in [
        (
            "simulate",
            "e.yaml:2:10: trainer: `simulate` is not a trainer (network, simulated, tabular); did you mean `simulated`?",
        ),
        ("{noise: 1}", "needs the key `kind`"),
        ("{kind: network, noise: 1}", "the network trainer has no key `noise`"),
        ("{kind: simulated, noise: -1}", "trainer.noise: -1 is not a standard deviation"),
        (
            "{kind: simulated, accuracy: 90 - width}",
            "`90 - width` is not a formula: `width` is not known; a formula is made of numbers, params",
        ),
        ("{kind: simulated, accuracy: [1]}", "is not a formula"),
    ] {
        let error = of(trainer).unwrap_err().to_string();
        assert!(error.contains(part), "{trainer}: {error}");
    }
    assert!(message(SMALL, &["data="]).contains("needs the key `data`"));
}

#[test]
fn latency_is_measured_where_it_is_asked_for() {
    let of = |keys: &str| {
        let text =
            SMALL.replace("variants:", &format!("search: {{space: space.yaml, trials: 9{keys}}}\nvariants:"));
        load(&text, &[]).unwrap()
    };
    assert_eq!(of("").latency, None);
    let default = LatencyConfig { batch: 1, threads: 1, rounds: 30 };
    for keys in [
        ", objectives: [accuracy, latency]",
        ", constraints: {latency: <= 1.5ms}",
        ", constraints: {latency: {max: 1500us}}",
        ", strategy: mnas, reward: {cost: latency, target: 1.5ms, w: mobilenet_v3_small}",
    ] {
        let experiment = of(keys);
        assert_eq!(experiment.latency, Some(default), "{keys}");
        let search = experiment.search.as_ref().unwrap();
        match &search.reward {
            Some(reward) => assert_eq!((reward.target, reward.alpha, reward.beta), (0.0015, -0.15, -0.15)),
            None => assert!(search.max_latency.is_none_or(|most| (most - 0.0015).abs() < 1e-12), "{keys}"),
        }
        // The journal has it as it was.
        let json = serde_json::to_value(&experiment).unwrap();
        assert_eq!(serde_json::from_value::<Experiment>(json).unwrap(), experiment);
    }
    let own = load(&format!("{SMALL}latency: {{batch: 8, rounds: 50}}\n"), &[]).unwrap();
    assert_eq!(own.latency, Some(LatencyConfig { batch: 8, threads: 1, rounds: 50 }));
    // Nothing of it is in the journal of a study that measures none.
    let json = serde_json::to_value(of("")).unwrap();
    assert_eq!((json.get("latency"), json["search"].get("max_latency")), (None, None));
}

#[test]
fn objectives_have_directions() {
    let of = |objectives: &str| {
        let search = format!("search: {{space: space.yaml, trials: 9, objectives: {objectives}}}\nvariants:");
        let search = load(&SMALL.replace("variants:", &search), &[]).unwrap().search.unwrap();
        (search.objectives, search.turned)
    };
    let both = vec![Objective::Accuracy, Objective::Params];
    assert_eq!(of("[accuracy, params]"), (both.clone(), vec![]));
    assert_eq!(of("[{accuracy: max}, {params: min}]"), (both.clone(), vec![]));
    assert_eq!(of("[{name: accuracy}, {name: params}]"), (both.clone(), vec![]));
    assert_eq!(of("[accuracy, {params: max}]"), (both.clone(), vec![Objective::Params]));
    assert_eq!(
        of("[{name: accuracy, direction: min}, {direction: max, name: params}]"),
        (both.clone(), both)
    );
}
