//! Strategies on a table, as a user compares them; what random search finds is computed here from the table's text.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Value, json};
use support::{Folder, json, refusal, stdout};

/// 12 networks: caps have an effect in half of the blocks.
const SPACE: &str = "name: s
input: 3x16x16
classes: 10
stem: {channels: [8, 12, 16], stride: 2}
head: none
stages:
- {block: [ir, cse], expand: [2, 4], cap: [4, 8], reduction: 4, channels: 16}
";

const SIMULATED: &str = "name: imagined
seeds: 2
trainer: {kind: simulated, accuracy: 90 - 300 / sqrt(params) - 20 / epoch, noise: 1, seconds_per_epoch: madds / 1e5}
train: {epochs: 4}
search: {space: s.yaml, strategy: grid}
";

/// A random search on the table, as a study.
const DRAWN: &str = "name: drawn
seeds: 1
trainer: {kind: tabular, table: table.csv}
train: {epochs: 4}
search: {space: s.yaml, strategy: random, trials: 4}
";

/// A table with its space.
fn with_table(seeds: &str) -> Folder {
    let folder = Folder::new();
    folder.write("s.yaml", SPACE);
    let file = folder.write("simulated.yaml", SIMULATED);
    folder.write("drawn.yaml", DRAWN);
    stdout(&["run", &file, "--out", &folder.at("study"), "--json", "--set", seeds]);
    stdout(&["table", &folder.at("study"), "--out", &folder.at("table.csv")]);
    folder
}

/// The command on the table in `folder`.
fn compare<'a>(table: &'a str, space: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["compare", table, "--space", space], more].concat()
}

/// Of each candidate its params, and its accuracy after the last epoch by seed.
type Truth = HashMap<String, (f64, BTreeMap<u64, f64>)>;

fn truth(table: &Path) -> Truth {
    let text = std::fs::read_to_string(table).unwrap();
    let mut rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(','));
    let header: Vec<&str> = rows.next().unwrap().collect();
    let column = |name: &str| header.iter().position(|known| *known == name).unwrap();
    let [candidate, params, seed, last] = ["candidate", "params", "seed", "acc_4"].map(column);
    let mut truth = Truth::new();
    for row in rows {
        let cells: Vec<&str> = row.collect();
        let of_it = truth.entry(cells[candidate].to_owned()).or_default();
        of_it.0 = cells[params].parse().unwrap();
        of_it.1.insert(cells[seed].parse().unwrap(), cells[last].parse().unwrap());
    }
    truth
}

fn mean(seeds: &BTreeMap<u64, f64>) -> f64 {
    seeds.values().sum::<f64>() / seeds.len() as f64
}

/// What is dominated of the plane up to 1.1 times the most params of the table, above ten percent: columns between one cost and
/// the next, each as high as the best that costs no more.
fn area(points: &[(f64, f64)], most: f64) -> f64 {
    let mut edges: Vec<f64> = points.iter().map(|point| point.0).chain([1.1 * most]).collect();
    edges.sort_by(f64::total_cmp);
    let column = |edge: &[f64]| {
        let affordable = points.iter().filter(|point| point.0 <= edge[0]);
        (edge[1] - edge[0]) * (affordable.map(|point| point.1).fold(10.0, f64::max) - 10.0)
    };
    edges.windows(2).map(column).sum()
}

/// The candidates of a study in the order of its trials.
fn candidates(study: &Path) -> Vec<String> {
    let journal = std::fs::read_to_string(study.join("journal.jsonl")).unwrap();
    let events = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let queued = events.filter(|event| event["event"] == "trial_queued");
    queued.map(|event| event["candidate"]["text"].as_str().unwrap().to_owned()).collect()
}

fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    assert_eq!(values.len() % 2, 1);
    values[values.len() / 2]
}

/// A run with seed s draws as a study with `seed: s` does, and sees the accuracies of that seed of the table: of 1 and 2 the
/// even seeds that it lacks take the first.
#[test]
fn random_search_is_scored_by_the_means_of_the_table() {
    let folder = with_table("seeds=2");
    let (table, space, curves) = (folder.at("table.csv"), folder.at("s.yaml"), folder.at("curves.json"));
    let more = [
        "--strategies",
        "random,sh_emoa",
        "--seeds",
        "5",
        "--budgets",
        "4,2,12",
        "--curves",
        &curves,
        "--json",
    ];
    let found = json(&compare(&table, &space, &more));
    assert_eq!((&found["candidates"], &found["epochs"]), (&12.into(), &4.into()));
    let names: Vec<&Value> = found["strategies"].as_array().unwrap().iter().map(|s| &s["strategy"]).collect();
    assert_eq!(names, [&json!("random"), &json!("sh_emoa")]);

    let truth = truth(&folder.join("table.csv"));
    assert_eq!(truth.len(), 12);
    let most = truth.values().map(|(params, _)| *params).fold(0.0, f64::max);
    let all: Vec<(f64, f64)> = truth.values().map(|(params, seeds)| (*params, mean(seeds))).collect();
    let (whole, best) = (area(&all, most), all.iter().map(|point| point.1).fold(0.0, f64::max));
    let curves: Value = serde_json::from_str(&std::fs::read_to_string(curves).unwrap()).unwrap();
    let (mut shares, mut regrets) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for seed in 0..5_u64 {
        let study = folder.at(&format!("drawn-{seed}"));
        let assignment = format!("seed={seed}");
        stdout(&["run", &folder.at("drawn.yaml"), "--out", &study, "--set", &assignment]);
        let drawn = candidates(Path::new(&study));
        assert_eq!(drawn.len(), 4);
        for (at, budget) in [2, 4].into_iter().enumerate() {
            let known: Vec<_> = drawn[..budget].iter().map(|text| &truth[text]).collect();
            let points: Vec<_> = known.iter().map(|(params, seeds)| (*params, mean(seeds))).collect();
            let share = area(&points, most) / whole;
            near(&curves["random"][budget.to_string()][seed as usize], share);
            shares[at].push(share);
            let seen = |seeds: &BTreeMap<u64, f64>| match seed {
                1 | 2 => seeds[&seed],
                other => seeds[&(other % 2 + 1)],
            };
            let chosen = known.iter().max_by(|a, b| seen(&a.1).total_cmp(&seen(&b.1))).unwrap();
            regrets[at].push(best - mean(&chosen.1));
        }
    }
    let random = &found["strategies"][0]["budgets"];
    for (at, budget) in [2, 4].into_iter().enumerate() {
        assert_eq!(random[at]["evaluations"], budget);
        assert_eq!(random[at]["trained"]["median"], f64::from(budget));
        near(&random[at]["hypervolume"]["median"], median(shares[at].clone()));
        near(&random[at]["regret"]["median"], median(regrets[at].clone()));
        // Fewer than six values bound no median with 95 %.
        assert_eq!(
            (&random[at]["regret"]["low"], &random[at]["regret"]["high"]),
            (&Value::Null, &Value::Null)
        );
    }
    // Twelve evaluations are the whole space: all of the front, and of the best what the noise of one seed hides.
    let whole = &random[2];
    assert_eq!((&whole["evaluations"], &whole["trained"]["median"]), (&12.into(), &12.0.into()));
    near(&whole["hypervolume"]["median"], 1.0);
    for share in curves["random"]["12"].as_array().unwrap() {
        near(share, 1.0);
    }
    let hidden = [1, 2].map(|seed| {
        let chosen = truth.values().max_by(|a, b| a.1[&seed].total_cmp(&b.1[&seed])).unwrap();
        best - mean(&chosen.1)
    });
    // Seeds 0 and 4 see the first of the table, 3 the second.
    near(&whole["regret"]["median"], median(vec![hidden[0], hidden[0], hidden[1], hidden[1], hidden[0]]));
}

/// Of one seed the means are what a run sees.
#[test]
fn a_budget_of_the_whole_space_finds_the_front_and_the_best() {
    let folder = with_table("seeds=[7]");
    let (table, space) = (folder.at("table.csv"), folder.at("s.yaml"));
    let found = json(&compare(&table, &space, &["--seeds", "6", "--budgets", "12", "--json"]));
    let strategies = found["strategies"].as_array().unwrap();
    assert_eq!(strategies.len(), 7);
    for strategy in strategies {
        let budget = &strategy["budgets"][0];
        for (measure, expected) in [("hypervolume", 1.0), ("regret", 0.0), ("trained", 12.0)] {
            // Of six values the least and the greatest.
            for key in ["median", "low", "high"] {
                near(&budget[measure][key], expected);
            }
        }
    }
    // Nothing varies, so nothing is told apart.
    for verdict in found["verdicts"].as_array().unwrap() {
        let verdict = verdict.as_str().unwrap();
        assert!(verdict.ends_with("is not distinguishable from random after 12 evaluations"), "{verdict}");
    }
}

#[test]
fn a_comparison_repeats_to_the_byte() {
    let folder = with_table("seeds=2");
    let (table, space) = (folder.at("table.csv"), folder.at("s.yaml"));
    let run = |name: &str| {
        let (out, curves) = (folder.at(name), folder.at(&format!("{name}.json")));
        let more = ["--strategies", "random,sh_emoa", "--seeds", "5", "--budgets", "2,4"];
        let files = ["--out", &out, "--curves", &curves];
        let text = stdout(&compare(&table, &space, &[&more[..], &files].concat()));
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let written =
            ["strategies.md", "strategies.svg", "strategies.png"].map(|file| read(&format!("{name}/{file}")));
        (text, written, read(&format!("{name}.json")))
    };
    let once = run("once");
    assert!(once == run("again"));

    let (text, [markdown, svg, png], curves) = once;
    let first = format!("2 strategies of 5 runs each on {table} (12 candidates, 4 epochs)");
    assert_eq!(text.lines().next(), Some(first.as_str()), "{text}");
    for name in ["random", "sh_emoa"] {
        // A row of hypervolumes and one of regrets.
        assert_eq!(text.lines().filter(|line| line.starts_with(&format!(" {name} "))).count(), 2, "{text}");
    }
    assert!(text.contains("after 2") && text.contains("after 4"), "{text}");
    let markdown = String::from_utf8(markdown).unwrap();
    assert!(markdown.starts_with("# Strategies on a table\n\n2 strategies of 5 runs each"), "{markdown}");
    assert!(markdown.contains("](strategies.svg)") && markdown.contains("\n- sh_emoa is "), "{markdown}");
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("sh_emoa") && svg.trim_end().ends_with("</svg>"));
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let curves: BTreeMap<String, BTreeMap<String, Vec<f64>>> = serde_json::from_slice(&curves).unwrap();
    assert_eq!(curves.keys().collect::<Vec<_>>(), ["random", "sh_emoa"]);
    for budgets in curves.values() {
        assert_eq!(budgets.keys().collect::<Vec<_>>(), ["2", "4"]);
        for values in budgets.values() {
            assert!(
                values.len() == 5 && values.iter().all(|share| (0.0..=1.0).contains(share)),
                "{values:?}"
            );
        }
    }
    // A table in gzip is the same table, and one strategy is the same beside others or alone.
    let packed = folder.at("packed.csv.gz");
    stdout(&["table", &folder.at("study"), "--out", &packed]);
    let alone = folder.at("alone.json");
    let more = ["--strategies", "random", "--seeds", "5", "--budgets", "2,4", "--curves", &alone];
    stdout(&compare(&packed, &space, &more));
    let alone: BTreeMap<String, BTreeMap<String, Vec<f64>>> =
        serde_json::from_slice(&std::fs::read(alone).unwrap()).unwrap();
    assert_eq!(alone["random"], curves["random"]);
}

#[test]
fn mistakes_are_named() {
    let folder = with_table("seeds=2");
    let (table, space) = (folder.at("table.csv"), folder.at("s.yaml"));
    let absent = folder.at("no-folder/curves.json");
    for (more, expected) in [
        (
            ["--strategies", "random,sh-emoa"],
            "`sh-emoa` is not a strategy (grid, random, local, evolution, nsga2, ",
        ),
        (
            ["--strategies", "netadapt"],
            "--strategies: netadapt shrinks a network to others that no table has",
        ),
        (["--budgets", "0,4"], "--budgets: give numbers of evaluations from 1, such as 50,100"),
        (["--cost", "latency"], "--cost: give params, madds or activation_memory: costs that a table has"),
        (["--cost", "size"], "--cost: give params, madds or activation_memory"),
        (["--cost", "macs"], "`macs` is not a cost (accuracy, loss, params, madds, "),
        (["--curves", &absent], "no-folder/curves.json: cannot be written"),
        (["--out", &table], "table.csv: this is not a folder"),
    ] {
        let args = compare(&table, &space, &[&["--seeds", "1"], &more[..]].concat());
        let found = refusal(&args);
        assert!(found.contains(expected), "{more:?}: {found}");
    }
    for (more, expected) in [
        (["--budgets", "2.5"], "--budgets"),
        (["--seeds", "0"], "--seeds"),
        (["--budgets", "many"], "--budgets"),
    ] {
        let refused = support::output(&compare(&table, &space, &more));
        let message = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(2) && message.contains(expected), "{more:?}: {message}");
    }

    let other = folder
        .write("other.yaml", SPACE.replace("name: s", "name: other").replace("[8, 12, 16]", "[20, 24]"));
    let found = refusal(&compare(&table, &other, &[]));
    assert!(
        found.contains("the table has no finished trial of a candidate of the space `other`: give the space"),
        "{found}"
    );
    for (name, content, expected) in [
        ("space.csv", SPACE, "space.csv:1: this is no table of blocksmith, whose first line is"),
        ("empty.csv", "", "empty.csv:1: this is no table of blocksmith"),
        ("newer.csv", "# blocksmith table 2\n", "newer.csv:1: a table of format 2"),
    ] {
        let found = refusal(&compare(&folder.write(name, content), &space, &[]));
        assert!(found.contains(expected), "{found}");
    }
    let found = refusal(&compare(&folder.at("absent.csv"), &space, &[]));
    assert!(found.contains("absent.csv: there is no such table; check the path"), "{found}");
    let found = refusal(&compare(&folder.at("study"), &space, &[]));
    assert!(found.contains("cannot read this table"), "{found}");
    let found = refusal(&compare(&table, &folder.at("absent.yaml"), &[]));
    assert!(found.contains("absent.yaml"), "{found}");
}

/// A budget beyond any number of trainings is the whole space.
#[test]
fn the_largest_budget_ends_with_the_space() {
    let folder = with_table("seeds=2");
    let (table, space) = (folder.at("table.csv"), folder.at("s.yaml"));
    let most = usize::MAX.to_string();
    let found =
        json(&compare(&table, &space, &["--seeds", "1", "--budgets", &format!("12,{most}"), "--json"]));
    for strategy in found["strategies"].as_array().unwrap() {
        let budgets = &strategy["budgets"];
        assert_eq!(budgets[1]["evaluations"], usize::MAX);
        assert_eq!(budgets[0]["hypervolume"], budgets[1]["hypervolume"]);
    }
}
