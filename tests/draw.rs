//! `blocksmith draw`: the SVG that it writes, and what it refuses.

mod support;

use std::collections::BTreeMap;
use std::fs;

use blocksmith::report::figure::style::text_width;
use roxmltree::{Document, Node};
use support::{Folder, json, refusal, stdout};

const NETWORKS: &[&[&str]] = &[
    &["mix"],
    &["cse_only"],
    &["mobilenet_v2"],
    &["mobilenet_v2", "--set", "stem=cifar", "--input", "3x32x32", "--classes", "10"],
    &[
        "stem_s2_c16_nhs ir_s2_e1_c16_se0.25_nre ir_k5_s2_e4_c40_se0.25_nhs ir_r2_k5_e6_c40_se0.25_nhs head_c64",
        "--input",
        "3x96x96",
    ],
    &["ir_e1_c8"],
];

/// Draws into `folder` and reads the file back.
fn drawn(folder: &Folder, args: &[&str]) -> String {
    let file = folder.at("network.svg");
    stdout(&[&["draw"], args, &["--out", &file, "--force"]].concat());
    fs::read_to_string(file).unwrap()
}

fn groups<'a, 'i>(document: &'a Document<'i>, class: &'a str) -> Vec<Node<'a, 'i>> {
    document.descendants().filter(|n| n.has_tag_name("g") && n.attribute("class") == Some(class)).collect()
}

fn number(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// Left, top, right, bottom of a rectangle.
fn extent(rect: Node) -> [f64; 4] {
    let (x, y) = (number(rect, "x"), number(rect, "y"));
    [x, y, x + number(rect, "width"), y + number(rect, "height")]
}

/// Left, top, right, bottom of a text in the built-in font.
fn text_extent(text: Node) -> [f64; 4] {
    let (x, y, size) = (number(text, "x"), number(text, "y"), number(text, "font-size"));
    let width = text_width(text.text().unwrap(), size, text.attribute("font-weight").is_some());
    let left = match text.attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        _ => x,
    };
    [left, y - 0.76 * size, left + width, y + 0.24 * size]
}

/// Stages add up to what `profile` counts, each of its blocks is in one stage, and shapes are those after each stage.
#[test]
fn stages_have_the_costs_and_shapes_that_profile_has() {
    let folder = Folder::new();
    for args in NETWORKS {
        let profile = json(&[&["profile"], *args, &["--json"]].concat());
        let blocks: BTreeMap<&str, &serde_json::Value> = profile["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| (block["name"].as_str().unwrap(), block))
            .filter(|(name, _)| *name != "input")
            .collect();
        let file = folder.at("json.svg");
        let told = json(&[&["draw"], *args, &["--json", "--force", "--out", &file]].concat());
        assert_eq!((&told["params"], &told["madds"]), (&profile["params"], &profile["madds"]), "{args:?}");
        let mut seen = Vec::new();
        let svg = fs::read_to_string(&file).unwrap();
        let document = Document::parse(&svg).unwrap();
        let drawn = groups(&document, "stage");
        let stages = told["stages"].as_array().unwrap();
        assert_eq!(drawn.len(), stages.len());
        for (stage, group) in stages.iter().zip(drawn) {
            let inside: Vec<&str> =
                stage["blocks"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let sum = |key: &str| inside.iter().map(|name| blocks[name][key].as_u64().unwrap()).sum::<u64>();
            let last = &blocks[inside[inside.len() - 1]]["output"];
            assert_eq!(&stage["output"], last, "{args:?}");
            assert_eq!(stage["params"], sum("params"));
            assert_eq!(stage["madds"], sum("madds"));
            assert_eq!(group.attribute("data-name"), stage["name"].as_str());
            assert_eq!(group.attribute("data-params"), Some(sum("params").to_string().as_str()));
            assert_eq!(group.attribute("data-madds"), Some(sum("madds").to_string().as_str()));
            let sides = last.as_array().unwrap().iter().map(|side| side.to_string()).collect::<Vec<_>>();
            assert_eq!(group.attribute("data-output"), Some(sides.join("x").as_str()));
            // Written on the arrow too.
            let shape = sides.join("×");
            assert!(document.descendants().any(|n| n.text() == Some(&shape)), "{shape}");
            seen.extend(inside.into_iter().map(str::to_owned));
        }
        seen.sort();
        assert_eq!(seen, blocks.keys().map(|name| (*name).to_owned()).collect::<Vec<_>>(), "{args:?}");
        // Each block of several layers is in one kind.
        let kinds = groups(&document, "kind");
        let mut of_kind: Vec<&str> =
            kinds.iter().flat_map(|kind| kind.attribute("data-blocks").unwrap().split(' ')).collect();
        of_kind.sort_unstable();
        let stages: Vec<&str> = blocks.keys().copied().filter(|name| name.starts_with("stages.")).collect();
        assert_eq!(of_kind, stages, "{args:?}");
    }
}

/// The counts of the CSE paper's Mix model stand in the picture.
#[test]
fn totals_are_written_under_the_picture() {
    let folder = Folder::new();
    let svg = drawn(&folder, &["mix"]);
    assert!(svg.contains("362,992 params, 81,434,112 multiply-adds; input 3×32×32, 10"), "{svg}");
    assert!(svg.contains("IR k3 e6 c24 ×2") && svg.contains("CSE k3 w8 c64 s2 ×4"), "{svg}");
}

#[test]
fn texts_stay_in_their_boxes_and_boxes_keep_apart() {
    let folder = Folder::new();
    let many = "ir_e2_c8 ir_e1_c16 ".repeat(64);
    let many: &[&str] = &[&many];
    for args in NETWORKS.iter().chain([&many]) {
        for detail in ["stages", "blocks", "layers"] {
            for width in ["column", "page"] {
                let svg = drawn(&folder, &[args, &["--detail", detail, "--width", width][..]].concat());
                let document = Document::parse(&svg).unwrap();
                let place = format!("{args:?} {detail} {width}");
                check_layout(&document, &place);
            }
        }
    }
}

fn check_layout(document: &Document, place: &str) {
    let page: Vec<f64> = document
        .root_element()
        .attribute("viewBox")
        .unwrap()
        .split(' ')
        .map(|side| side.parse().unwrap())
        .collect();
    let within = |inner: [f64; 4], outer: [f64; 4]| {
        inner[0] >= outer[0] - 0.1
            && inner[1] >= outer[1] - 0.1
            && inner[2] <= outer[2] + 0.1
            && inner[3] <= outer[3] + 0.1
    };
    for text in document.descendants().filter(|n| n.has_tag_name("text")) {
        let extent = text_extent(text);
        assert!(
            within(extent, [0.0, 0.0, page[2], page[3]]),
            "{place}: {:?} {extent:?} off the page",
            text.text()
        );
    }
    let mut boxes = Vec::new();
    for group in document.descendants().filter(|n| n.has_tag_name("g")) {
        let child = |class: &str| group.children().find(|n| n.attribute("class") == Some(class));
        let Some(rect) = child("box").or(child("frame")) else { continue };
        let outer = extent(rect);
        assert!(within(outer, [0.0, 0.0, page[2], page[3]]), "{place}");
        let texts = group.children().filter(|n| n.has_tag_name("text"));
        for text in texts {
            let inner = text_extent(text);
            // The percentages stand beside a stage's box.
            if inner[0] < outer[2] {
                assert!(within(inner, outer), "{place}: {:?} {inner:?} leaves {outer:?}", text.text());
            }
        }
        if child("box").is_some() {
            boxes.push(outer);
        }
    }
    assert!(!boxes.is_empty());
    for (i, a) in boxes.iter().enumerate() {
        for b in &boxes[i + 1..] {
            let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
            assert!(apart, "{place}: {a:?} and {b:?}");
        }
    }
    // Texts of the stages do not run into one another.
    let stage_texts: Vec<[f64; 4]> = groups(document, "stage")
        .iter()
        .flat_map(|group| {
            group.children().filter(|n| n.has_tag_name("text")).map(text_extent).collect::<Vec<_>>()
        })
        .collect();
    for (i, a) in stage_texts.iter().enumerate() {
        for b in &stage_texts[i + 1..] {
            let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] + 0.5 || b[3] <= a[1] + 0.5;
            assert!(apart, "{place}: texts {a:?} and {b:?}");
        }
    }
}

#[test]
fn the_same_network_is_the_same_file() {
    let folder = Folder::new();
    for args in NETWORKS {
        assert_eq!(drawn(&folder, args), drawn(&folder, args));
    }
}

#[test]
fn without_out_the_file_has_the_networks_name() {
    let folder = Folder::new();
    for (args, name) in [
        (&["draw", "mix"][..], "mix.svg"),
        (&["draw", "stem_c8_s2 ir_e2_c8"], "stem_k3_s2_c8_ir_r1_k3_s1_e2_c8.svg"),
    ] {
        let mut command = support::blocksmith(args);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains(&format!("written to {name}")));
        assert!(folder.join(name).exists());
    }
    // Nothing but the drawings is left behind.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// What a name does not say, its options do: in the caption and in the name of the file.
#[test]
fn options_are_in_the_caption_and_the_name() {
    let folder = Folder::new();
    for (args, name, caption) in [
        (
            &["draw", "mobilenet_v3_small", "--set", "width=0.75"][..],
            "mobilenet_v3_small-width0.75.svg",
            "mobilenet_v3_small width=0.75",
        ),
        (
            &["draw", "mobilenet_v3_small width=0.5"],
            "mobilenet_v3_small-width0.5.svg",
            "mobilenet_v3_small width=0.5",
        ),
        (&["draw", "mobilenet_v3_small"], "mobilenet_v3_small.svg", "mobilenet_v3_small"),
        (
            &["draw", "mobilenet_v2", "--set", "stem=cifar", "--input", "3x32x32", "--classes", "10"],
            "mobilenet_v2-stemcifar-3x32x32-classes10.svg",
            "mobilenet_v2 stem=cifar",
        ),
    ] {
        let mut command = support::blocksmith(args);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let svg = fs::read_to_string(folder.join(name)).unwrap();
        assert!(svg.contains(&format!(">{caption}</text>")), "{name}");
        assert!(svg.contains(&format!("<title>Architecture of {caption}</title>")), "{name}");
    }
}

/// The end of the name says what is written: a PNG is one, 300 dots an inch.
#[test]
fn a_png_is_a_png() {
    let folder = Folder::new();
    let file = folder.at("mix.PNG");
    let told = json(&["draw", "mix", "--out", &file, "--json"]);
    let bytes = fs::read(&file).unwrap();
    // The signature of the PNG specification, section 5.2, and the size in its first chunk.
    assert_eq!(bytes[..8], [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n']);
    let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let dots = |points: &serde_json::Value| (points.as_f64().unwrap() * 300.0 / 72.0).round() as u32;
    assert_eq!([side(16), side(20)], [dots(&told["width"]), dots(&told["height"])]);
    let picture = image::open(&file).unwrap().into_rgb8();
    let ink = picture.pixels().filter(|rgb| rgb.0 != [255; 3]).count();
    let share = ink as f64 / f64::from(picture.width() * picture.height());
    assert!((0.05..0.7).contains(&share), "{share}");
    for name in ["mix.pdf", "mix.jpg", "mix", "mix.svg.gz"] {
        let message = refusal(&["draw", "mix", "--out", &folder.at(name)]);
        assert!(message.contains("a drawing is written as .svg or .png"), "{message}");
        assert!(!folder.join(name).exists());
    }
}

#[test]
fn a_file_is_drawn_by_its_first_candidate() {
    let folder = Folder::new();
    let svg = drawn(&folder, &["search-spaces/quickstart.yaml", "--detail", "stages"]);
    let profile = json(&["profile", "search-spaces/quickstart.yaml", "--json"]);
    let document = Document::parse(&svg).unwrap();
    let sum: u64 = groups(&document, "stage").iter().map(|stage| number(*stage, "data-params") as u64).sum();
    assert_eq!(profile["params"], sum);
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let folder = Folder::new();
    let message = refusal(&["draw", "mixx"]);
    assert!(message.contains("did you mean `mix`?"), "{message}");
    let message = refusal(&["draw", "mix", "--out", &folder.at("none/mix.svg")]);
    assert!(message.contains("cannot be written") && message.contains("--out"), "{message}");
    let message = refusal(&["draw", "mix", "--out", &folder.at("")]);
    assert!(message.contains("this is a folder: name a file in it"), "{message}");
    let kept = folder.write("notes.svg", "mine");
    let message = refusal(&["draw", "mix", "--out", &kept]);
    assert!(message.contains("there already") && message.contains("--force"), "{message}");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    let message = refusal(&["draw", "experiments/mix-ablation.yaml"]);
    assert!(message.contains("several networks (baseline"), "{message}");
    let message = refusal(&["draw", "mix", "--set", "depth=3"]);
    assert!(message.contains("no option `depth`"), "{message}");
}
