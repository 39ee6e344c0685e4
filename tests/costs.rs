//! `profile` and `enumerate` as a user runs them.

mod support;

use serde_json::json;
use support::{Folder, json as run, refusal, stdout};

/// Counts of the published networks: from the CSE paper's definition and torchvision's MobileNetV2.
#[test]
fn published_networks_have_their_published_counts() {
    let cases: [(&[&str], u64, Option<u64>); 5] = [
        (&["mix"], 362_992, Some(81_434_112)),
        (&["mix", "--classes", "100"], 478_282, None),
        (&["mix_imagenette"], 444_208, None),
        (&["mobilenet_v2", "--classes", "10", "--set", "conv_bias=true"], 2_253_738, None),
        (
            &["mobilenet_v2", "--set", "stem=cifar", "--input", "3x32x32", "--classes", "10"],
            2_236_682,
            Some(87_976_448),
        ),
    ];
    for (args, params, madds) in cases {
        let args = [&["profile"], args, &["--json"]].concat();
        let profile = run(&args);
        assert_eq!(profile["params"], params, "{args:?}");
        if let Some(madds) = madds {
            assert_eq!(profile["madds"], madds, "{args:?}");
        }
        let sum = |list: &str, key: &str| -> u64 {
            profile[list].as_array().unwrap().iter().map(|line| line[key].as_u64().unwrap()).sum()
        };
        for list in ["layers", "blocks"] {
            assert_eq!(profile["params"], sum(list, "params"));
            assert_eq!(profile["madds"], sum(list, "madds"));
        }
    }
}

#[test]
fn a_profile_says_what_each_layer_is() {
    let profile = run(&["profile", "stem_c16 ir_s2_e4_c24", "--json"]);
    assert_eq!(profile["text"], "stem_k3_s1_c16 ir_r1_k3_s2_e4_c24");
    assert_eq!(profile["hash"].as_str().unwrap().len(), 16);
    let expected = json!({
        "name": "stages.0.0.depthwise", "op": "depthwise 3x3 s2", "inputs": ["stages.0.0.expand_act"],
        "output": [64, 16, 16], "params": 576, "madds": 147_456,
    });
    let layers = profile["layers"].as_array().unwrap();
    assert!(layers.contains(&expected), "{layers:#?}");
    // Text and JSON say the same of a text read back.
    let again = run(&["profile", profile["text"].as_str().unwrap(), "--json"]);
    assert_eq!(again, profile);

    let all = stdout(&["profile", "mix"]);
    assert!(all.contains("362,992") && all.contains("81,434,112") && all.contains("stages.3.0.squeeze"));
    let blocks = stdout(&["profile", "mix", "--layers", "blocks"]);
    assert!(blocks.contains("stages.3.0") && !blocks.contains("stages.3.0.squeeze"));
}

#[test]
fn files_are_profiled() {
    let space = run(&["profile", "search-spaces/mix-cifar10.yaml", "--json"]);
    // The space's first candidate is the Mix model.
    assert_eq!(space["params"], 362_992);
    assert!(space["note"].as_str().unwrap().starts_with("the first of "));
    let fixed = run(&["profile", "search-spaces/quickstart.yaml", "--set", "stages[2].block=cse", "--json"]);
    // The cap of 4 with a reduction of 4 squeezes 64 pixels to 4, as the default reduction alone does, so it is not told.
    assert!(fixed["text"].as_str().unwrap().contains("cse_r1_k3_s2_c48_rr16"), "{fixed}");
    let variants = run(&["profile", "experiments/mix-ablation.yaml", "--json"]);
    let params: Vec<_> = variants["variants"].as_array().unwrap().iter().map(|v| &v["params"]).collect();
    assert_eq!(params, [2_253_738, 425_746, 228_362, 362_992]);
    // The memory of a training step: at the experiment's batch size, or what the command line says.
    let batches = |profile: &serde_json::Value| -> Vec<(u64, u64)> {
        let of = |v: &serde_json::Value| {
            (v["batch"].as_u64().unwrap(), v["training_memory_bytes"].as_u64().unwrap())
        };
        profile["variants"].as_array().unwrap().iter().map(of).collect()
    };
    let own = batches(&variants);
    assert!(own.iter().all(|&(batch, bytes)| batch == 16 && bytes > 20_000_000), "{own:?}");
    let more = batches(&run(&["profile", "experiments/mix-ablation.yaml", "--batch", "128", "--json"]));
    assert!(more.iter().zip(&own).all(|(more, own)| more.0 == 128 && more.1 > 2 * own.1), "{more:?}");
    assert_eq!(space["batch"], 64);
    assert!(stdout(&["profile", "mix", "--batch", "8"]).contains("at batch 8\n"));
    let search_only = stdout(&["profile", "experiments/quickstart.yaml"]);
    assert!(search_only.contains("the first of 24 candidates"), "{search_only}");
}

#[test]
fn a_space_that_can_be_listed_is_counted() {
    let args = ["enumerate", "search-spaces/quickstart.yaml", "--rows", "24", "--json"];
    let counted = run(&args);
    assert_eq!(counted["size"], 24);
    let satisfying = &counted["satisfying"];
    assert_eq!(satisfying["count"], 24);
    assert_eq!((&satisfying["exact"], &satisfying["sampled"]), (&json!(true), &json!(0)));
    assert_eq!((&satisfying["low"], &satisfying["high"]), (&json!(24), &json!(24)));
    let rows = counted["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 24);
    let row = &rows[17];
    let profile = run(&["profile", row["text"].as_str().unwrap(), "--json"]);
    for key in ["params", "madds", "activation_memory", "hash"] {
        assert_eq!(row[key], profile[key], "{key}");
    }
    let text = stdout(&["enumerate", "search-spaces/quickstart.yaml"]);
    assert!(text.contains("24 (exact") && text.contains("stages[2].block"), "{text}");
    let limited =
        ["enumerate", "search-spaces/quickstart.yaml", "--set", "constraints.params=<= 10k", "--json"];
    let few = run(&limited)["satisfying"]["count"].as_u64().unwrap();
    let below = rows.iter().filter(|row| row["params"].as_u64().unwrap() <= 10_000).count();
    assert_eq!(few, below as u64);
}

#[test]
fn a_huge_space_is_estimated() {
    let args = ["enumerate", "search-spaces/mix-cifar10.yaml", "--rows", "3", "--json"];
    let estimated = run(&args);
    let satisfying = &estimated["satisfying"];
    assert_eq!(satisfying["exact"], false);
    let [low, estimate, high] = ["low", "estimate", "high"].map(|key| satisfying[key].as_u64().unwrap());
    assert!(0 < low && low < estimate && estimate < high && high < estimated["size"].as_u64().unwrap());
    assert!(satisfying["sampled"].as_u64().unwrap() >= 1000);
    for row in estimated["rows"].as_array().unwrap() {
        assert!((50_000..=500_000).contains(&row["params"].as_u64().unwrap()));
    }
    assert_eq!(run(&args), estimated, "the same seed draws the same candidates");
    assert!(stdout(&args[..2]).contains("estimate, 95 % interval: "));

    // 4^32 candidates: above 2^53, a number becomes a text.
    let folder = Folder::new();
    let stage = "- {block: ir, expand: [1, 2, 3, 4], channels: 8}\n";
    let text = format!("name: deep\ninput: 3x8x8\nclasses: 10\nstages:\n{}", stage.repeat(32));
    let deep = folder.write("deep.yaml", text);
    assert_eq!(run(&["enumerate", &deep, "--json"])["size"], "18446744073709551616");
    assert!(stdout(&["enumerate", &deep]).contains("18,446,744,073,709,551,616 (1.8 x 10^19)"));
}

#[test]
fn nothing_that_satisfies_is_said() {
    let folder = Folder::new();
    let space = |constraints: &str, block: &str| {
        let stages = format!("stages:\n- {{block: {block}, channels: 8}}\n");
        format!("name: t\ninput: 3x4x4\nclasses: 10\n{stages}{constraints}")
    };
    let tight = folder.write("tight.yaml", space("constraints:\n  params: <= 10\n", "ir, expand: [1, 2]"));
    let message = refusal(&["enumerate", &tight]);
    assert!(
        message.starts_with(&format!("{tight}:7:11: constraints.params: none of the 2 candidates satisfies")),
        "{message}"
    );
    assert!(message.contains("loosen"), "{message}");
    let wide = folder.write("wide.yaml", space("", "cse, reduction: [32, 64]"));
    for command in ["enumerate", "profile"] {
        let message = refusal(&[command, &wide]);
        assert!(message.starts_with(&format!("{wide}:5:3: stages[0]: ")), "{message}");
        assert!(message.contains("the 4x4 map has fewer pixels than the reduction 32; lower"), "{message}");
    }
}

/// Kernels larger than their map are padded, and valid. The counts are those of the papers' tables with PyTorch's shapes, summed by
/// hand; 6,124,928 is what PyTorch counts.
#[test]
fn padded_kernels_fit_every_map() {
    for (network, input, params, madds) in [
        ("mobilenet_v2", "3x32x32", 2_236_682, 6_124_928),
        ("mobilenet_v1", "3x32x32", 3_217_226, 11_596_288),
        ("mobilenet_v2", "3x8x8", 2_236_682, 2_295_056),
        ("mobilenet_v1", "3x8x8", 3_217_226, 3_322_240),
    ] {
        let profile = run(&["profile", network, "--input", input, "--classes", "10", "--json"]);
        assert_eq!(
            (&profile["params"], &profile["madds"]),
            (&json!(params), &json!(madds)),
            "{network} {input}"
        );
    }
    // A 7x7 depthwise kernel on one pixel: 8 * 49 multiply-adds, and 8 * 4 and 4 * 10 beside it.
    let tiny = run(&["profile", "ir_k7_h8_c4", "--input", "1x1x1", "--classes", "10", "--json"]);
    assert_eq!(tiny["madds"], 8 + 8 * 49 + 8 * 4 + 4 * 10);
    let folder = Folder::new();
    let stage = "- {block: ir, expand: [2, 4, 6], kernel: [3, 5, 7], channels: 8, stride: 4}\n";
    let space = format!(
        "name: t\ninput: 3x32x32\nclasses: 10\nstem: {{channels: 8, stride: 2}}\nstages:\n{}",
        stage.repeat(3)
    );
    let space = folder.write("space.yaml", space);
    let counted = run(&["enumerate", &space, "--json"]);
    assert_eq!((&counted["size"], &counted["satisfying"]["count"]), (&json!(729), &json!(729)));
    assert_eq!(counted["satisfying"]["unbuildable"], 0);
    assert!(!stdout(&["enumerate", &space]).contains("built"));
    let bundled = run(&["enumerate", "search-spaces/mobilenet-v3-small.yaml", "--json"]);
    assert_eq!(bundled["satisfying"]["unbuildable"], 0);
}

/// Of 4 x 3 candidates those with a squeeze of 64 / 128 or 64 / 256 units are none, and those whose head has 3 groups of 8 channels.
#[test]
fn what_cannot_be_built_is_counted_with_its_reason() {
    let folder = Folder::new();
    let space = folder.write(
        "space.yaml",
        "name: t\ninput: 3x8x8\nclasses: 10\nstages:\n- {block: cse, reduction: [4, 8, 128, 256], channels: 8}\n\
         head: {channels: 24, groups: [1, 3, 8]}\n",
    );
    let satisfying = run(&["enumerate", &space, "--json"])["satisfying"].clone();
    assert_eq!((&satisfying["count"], &satisfying["unbuildable"]), (&json!(4), &json!(8)));
    let expected = json!([
        {"key": "stages[0].reduction", "reason": "the 8x8 map has fewer pixels than the reduction 128", "count": 3},
        {"key": "stages[0].reduction", "reason": "the 8x8 map has fewer pixels than the reduction 256", "count": 3},
        {"key": "head.groups", "reason": "8 input and 24 output channels do not divide into 3 groups", "count": 2},
    ]);
    assert_eq!(satisfying["unbuildable_reasons"], expected);
    let sentence = "8 of 12 candidates cannot be built: 3 x the 8x8 map has fewer pixels than the reduction 128 \
                    (stages[0].reduction); 3 x the 8x8 map has fewer pixels than the reduction 256 (stages[0].reduction); \
                    2 x 8 input and 24 output channels do not divide into 3 groups (head.groups)";
    assert!(stdout(&["enumerate", &space]).contains(sentence));
    // The log of a run and its report say it, the report also when the study goes on.
    let experiment = "name: e\ndata: {format: shapes, side: 8}\ntrain: {epochs: 2, schedule: constant}\n\
                      trainer: simulated\nsearch: {space: space.yaml, strategy: random, trials: TRIALS}\n";
    let file = folder.write("e.yaml", experiment.replace("TRIALS", "2"));
    let dir = folder.at("study");
    let said = |more: &[&str]| {
        let output = support::output(&[&["run", &file, "--out", &dir], more].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        let report = std::fs::read_to_string(folder.join("study/report.md")).unwrap();
        (stderr.replace('\n', " "), report)
    };
    assert!(
        stdout(&["run", &file, "--out", &dir, "--dry-run"]).contains(sentence),
        "the dry run says it too"
    );
    let (log, report) = said(&[]);
    assert!(log.contains(sentence), "{log}");
    // Words of a space are escaped or not, the counts stand.
    let in_report = |report: &str| report.contains("8 of 12 candidates cannot be built: 3 x the 8x8 map");
    assert!(in_report(&report), "{report}");
    assert!(in_report(&said(&[]).1));
    folder.write("e.yaml", experiment.replace("TRIALS", "3"));
    let (log, report) = said(&["--extend"]);
    assert!(log.contains(sentence) && in_report(&report), "{log}");
}
