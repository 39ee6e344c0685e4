//! `zoo`, and every row of the published tables from the command line.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use support::{json, refusal, stdout};

/// Arguments of `profile`; params, multiply-adds in millions to the digits that are known. All were counted from the
/// original definitions, outside this code.
const ROWS: &[(&str, u64, &str)] = &[
    ("mobilenet_v1", 4_231_976, "568.7"),
    ("mobilenet_v1 --input 3x192x192", 4_231_976, "418.1"),
    ("mobilenet_v1 --input 3x160x160", 4_231_976, "290.7"),
    ("mobilenet_v1 --input 3x128x128", 4_231_976, "186.4"),
    ("mobilenet_v1 --set width=0.75", 2_585_560, "325.4"),
    ("mobilenet_v1 --set width=0.5", 1_331_592, "149.5"),
    ("mobilenet_v1 --set width=0.25", 470_072, "41.0"),
    ("mobilenet_v1 --set width=0.5 --input 3x160x160", 1_331_592, "76.5"),
    ("mobilenet_v1 --set variant=full", 29_294_088, "4867.3"),
    ("mobilenet_v1 --set variant=shallow", 2_887_976, "307.3"),
    ("mobilenet_v2", 3_504_872, "300.8"),
    ("mobilenet_v2 --classes 10", 2_236_682, "299.5"),
    ("mobilenet_v2 --classes 10 --set stem=cifar --input 3x32x32", 2_236_682, "87.98"),
    ("mobilenet_v2 --classes 10 --set conv_bias=true", 2_253_738, ""),
    ("mobilenet_v2 --classes 100 --set conv_bias=true", 2_369_028, ""),
    ("mobilenet_v3_large", 5_483_032, "216.6"),
    ("mobilenet_v3_small", 2_542_856, "56.5"),
    // timm's, and torchvision's with the same width_mult.
    ("mobilenet_v3_small --set variant=paper --set width=0.75", 2_041_872, "43.399344"),
    ("mobilenet_v3_small --set variant=paper --set width=0.5", 1_593_224, "24.188688"),
    ("mobilenet_v3_large --set variant=paper --set width=0.75", 3_993_528, "154.560624"),
    ("mobilenet_v3_small --set width=0.75", 1_653_920, "39.1"),
    ("mobilenet_v3_large --set variant=book", 5_476_416, "219.8"),
    ("mobilenet_v3_small --set variant=book", 2_938_368, "60.1"),
    ("shufflenet_v1 --set groups=1", 1_531_936, "143.1"),
    ("shufflenet_v1 --set groups=2", 1_733_848, "140.8"),
    ("shufflenet_v1 --set groups=3", 1_865_728, "137.5"),
    ("shufflenet_v1 --set groups=4", 1_968_344, "134.3"),
    ("shufflenet_v1 --set groups=8", 2_434_768, "138.4"),
    ("shufflenet_v2 --set width=0.5", 1_366_792, "40.5"),
    ("shufflenet_v2 --set width=1", 2_278_604, "144.9"),
    ("shufflenet_v2 --set width=1.5", 3_503_624, "295.8"),
    ("shufflenet_v2 --set width=2", 7_393_996, "583.3"),
    ("vgg16", 138_357_544, "15470.3"),
    ("googlenet", 6_998_552, "1582.7"),
    ("alexnet", 61_100_840, "714.2"),
    ("squeezenet", 1_248_424, "818.9"),
    ("mix", 362_992, "81.43"),
    ("mix --classes 100", 478_282, ""),
    ("mix_imagenette", 444_208, ""),
    ("optimized", 425_746, ""),
    ("optimized --classes 100", 541_036, ""),
    ("cse_only", 228_362, ""),
];

#[test]
fn every_published_network_counts_exactly_from_the_command_line() {
    for (line, params, madds) in ROWS {
        let args: Vec<&str> = ["profile"].into_iter().chain(line.split(' ')).chain(["--json"]).collect();
        let profile = json(&args);
        assert_eq!(profile["params"], *params, "{line}");
        let decimals = madds.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let counted = format!("{:.decimals$}", profile["madds"].as_f64().unwrap() / 1e6);
        assert!(madds.is_empty() || counted == *madds, "{line}: {counted}, not {madds}");
    }
}

#[test]
fn the_list_has_every_network_with_its_options() {
    let text = stdout(&["zoo"]);
    let list = json(&["zoo", "--json"]);
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    for name in [
        "mix",
        "mix_imagenette",
        "cse_only",
        "optimized",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "shufflenet_v1",
        "shufflenet_v2",
        "alexnet",
        "googlenet",
        "squeezenet",
        "vgg16",
    ] {
        assert!(names.contains(&name), "{name}");
        assert!(text.lines().any(|line| line.starts_with(&format!("{name}: "))), "{name}");
    }
    // Each value that is a word is taken by the network that offers it.
    for network in list.as_array().unwrap() {
        for option in network["options"].as_array().unwrap() {
            let values = option["values"].as_str().unwrap();
            assert!(text.contains(values));
            for value in values.split(", ").filter(|value| !value.contains(" to ")) {
                let set = format!("{}={value}", option["name"].as_str().unwrap());
                stdout(&["profile", network["name"].as_str().unwrap(), "--set", &set]);
            }
        }
    }
}

#[test]
fn the_table_marks_what_differs_and_says_why() {
    let begun = Instant::now();
    let text = stdout(&["zoo", "--table"]);
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(1), "{taken:?}");
    let lines = json(&["zoo", "--table", "--json"]);
    let lines = lines.as_array().unwrap();
    for line in lines {
        let differs = ["params", "madds"].iter().any(|of| line["agreement"][*of] == "differs");
        assert!(!differs || line["note"].is_string(), "{line}");
        if let Some(note) = line["note"].as_str() {
            assert!(
                text.contains(&format!("] {note}\n")) || text.ends_with(&format!("] {note}\n")),
                "{note}"
            );
        }
    }
    // The mismatches that the literature is known for.
    let line = |network: &str, classes: u64| {
        let found = lines.iter().find(|line| line["network"] == network && line["classes"] == classes);
        found.unwrap_or_else(|| panic!("{network}"))
    };
    let note = |network: &str, classes| line(network, classes)["note"].as_str().unwrap().to_owned();
    assert!(note("mobilenet_v2 width=1.4", 1000).contains("6.9M is wrong"));
    assert!(note("mobilenet_v1 variant=full", 1000).contains("classifier is left out"));
    assert!(note("vgg16", 1000).contains("convolutions only"));
    assert!(note("mobilenet_v2 stem=cifar conv_bias=true", 100).contains("printed again"));
    assert_eq!(line("shufflenet_v2", 1000)["agreement"]["params"], "rounded");
    // MobileNetV3 below width 1: the paper prints 4.0M, 155M and 2.0M, 44M.
    for (size, params) in [("large", 3_993_528), ("small", 2_041_872)] {
        for width in ["0.75", "0.5", "0.35"] {
            let ours = line(&format!("mobilenet_v3_{size} width={width}"), 1000);
            assert!(ours["note"].as_str().unwrap().contains("variant=paper"), "{ours}");
            line(&format!("mobilenet_v3_{size} variant=paper width={width}"), 1000);
        }
        let paper = line(&format!("mobilenet_v3_{size} variant=paper width=0.75"), 1000);
        assert_eq!((&paper["params"], &paper["agreement"]["params"]), (&params.into(), &"rounded".into()));
    }
    assert_eq!(line("mobilenet_v3_large variant=paper width=0.75", 1000)["agreement"]["madds"], "rounded");
    assert_eq!(line("mobilenet_v1", 1000)["agreement"]["madds"], "rounded");
    assert!(text.contains("≠ 6.9M") && text.contains("~ 290M"));
}

#[test]
fn the_readme_shows_what_the_table_prints() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("## Networks by name").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut counts: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in json(&["zoo", "--table", "--json"]).as_array().unwrap() {
        let madds = format!("{:.1}M", line["madds"].as_f64().unwrap() / 1e6);
        let counted = (line["params"].to_string(), madds);
        counts.entry(line["network"].as_str().unwrap().to_owned()).or_default().push(counted);
    }
    let mut rows = 0;
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let network = cells[1].split('`').nth(1).unwrap();
        let counted = (cells[2].replace(',', ""), cells[3].to_owned());
        assert!(counts.get(network).is_some_and(|all| all.contains(&counted)), "{row}");
        rows += 1;
    }
    assert!(rows >= 30, "{rows} rows");
}

#[test]
fn impossible_networks_are_refused_in_a_sentence() {
    for (line, expected) in [
        ("mobilenet_v1 --set width=9", "mobilenet_v1: width cannot be `9`; it is a number from 0.05 to 4"),
        ("shufflenet_v1 --set groups=7", "shufflenet_v1: groups cannot be `7` (values: 1, 2, 3, 4, 8)"),
        ("shufflenet_v1 --set width=0.05", "shufflenet_v1 at 3x224x224: width 0.05 leaves 12 channels"),
        (
            "shuflenet_v1",
            "`shuflenet_v1` is neither a named network (`blocksmith zoo` lists them) nor block notation",
        ),
        ("mobilenet_v3_smal", "`mobilenet_v3_smal` is neither a named network"),
        (
            "alexnet --input 3x32x32",
            "alexnet at 3x32x32: stages.0.4.pool: a 3x3 window is larger than the 1x1 map",
        ),
        ("googlenet --set depth=3", "googlenet has no option `depth` (options: dropout)"),
    ] {
        let args: Vec<&str> = ["profile"].into_iter().chain(line.split(' ')).collect();
        let message = refusal(&args);
        assert!(message.contains(expected), "{message}");
    }
}
