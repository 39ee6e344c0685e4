//! Trees, places and the messages of broken YAML.

use super::path::locate;
use super::*;

fn parse_error(text: &str) -> String {
    Document::parse("f.yaml", text.to_owned(), "experiment file").unwrap_err().to_string()
}

fn place(text: &str, steps: &[Step], at_key: bool) -> Option<(usize, usize)> {
    locate(text, steps, at_key)
}

fn key(name: &str) -> Step {
    Step::Key(name.into())
}

#[test]
fn values_and_keys_are_located() {
    let text = "a: 1\nb:\n  - c: x\n    d: [10, {e: 5}]\n  - null\n3: {f: true}\n";
    assert_eq!(place(text, &[key("a")], false), Some((1, 4)));
    assert_eq!(place(text, &[key("a")], true), Some((1, 1)));
    assert_eq!(place(text, &[key("b")], false), Some((3, 3)));
    let d = [key("b"), Step::Item(0), key("d")];
    assert_eq!(place(text, &d, false), Some((4, 8)));
    assert_eq!(place(text, &d, true), Some((4, 5)));
    let e = [key("b"), Step::Item(0), key("d"), Step::Item(1), key("e")];
    assert_eq!(place(text, &e, false), Some((4, 17)));
    assert_eq!(place(text, &[key("b"), Step::Item(1)], false), Some((5, 5)));
    assert_eq!(place(text, &[key("3"), key("f")], true), Some((6, 5)));
    assert_eq!(place(text, &[key("b"), Step::Item(2)], false), None);
    assert_eq!(place(text, &[key("z")], true), None);
}

#[test]
fn broken_files_are_sentences() {
    assert_eq!(
        parse_error("a: 1\nb: {c: 2\n"),
        "f.yaml:3:1: not valid YAML: did not find expected ',' or '}', while parsing a flow mapping"
    );
    assert_eq!(
        parse_error("a: 1\nb: 2\na: 3\n"),
        "f.yaml:3:1: the key `a` is here a second time; remove one of them"
    );
    assert_eq!(
        parse_error("t:\n  - x: 1\n    x: 2\n"),
        "f.yaml:3:5: t[0]: the key `x` is here a second time; remove one of them"
    );
    let empty = "f.yaml: this experiment file is empty; copy one that comes with blocksmith and change it";
    for text in ["", "\n# only a comment\n", "---\n", "null"] {
        assert_eq!(parse_error(text), empty, "{text:?}");
    }
    assert_eq!(
        parse_error("a: !secret 1\n"),
        "f.yaml:1:4: a: YAML tags (`!name`) have no meaning here; remove the tag"
    );
    assert_eq!(
        parse_error("a: *b\n"),
        "f.yaml:1:4: not valid YAML: an alias (`*name`) stands here, but no anchor (`&name`) of that name comes before it; a text that starts with * needs quotes"
    );
    assert_eq!(
        parse_error("a: 1\n---\nb: 2\n"),
        "f.yaml: the file holds more than one YAML document; keep one and remove the `---` between them"
    );
}

#[test]
fn alias_bombs_are_refused_at_once() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let list = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb += &format!("a{i}: &a{i} [{list}]\n");
    }
    let error = parse_error(&bomb);
    assert!(error.starts_with("f.yaml"), "{error}");
    assert!(error.contains("aliases"), "{error}");
    let wide = format!("a: &a [{}]\nb: [{}]\n", "1, ".repeat(3000), "*a, ".repeat(3000));
    assert!(parse_error(&wide).contains("more than 100000 values once its aliases are written out"));
}

/// A refusal takes milliseconds; the parser alone takes minutes for some of these. A second is for busy machines.
#[test]
fn deep_texts_are_refused_at_once() {
    let n = 100_000;
    let deep = [
        "[".repeat(10 * n),
        format!("a: {}{}", "[".repeat(n), "]".repeat(n)),
        format!("a: {}{}", "{a: ".repeat(n), "}".repeat(n)),
        "{".repeat(n),
        format!("a: {}", "[{a: ".repeat(n)),
        format!("a: {}", "[\"]\",".repeat(n)),
        "- ".repeat(n),
        "? ".repeat(n),
        (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
    ];
    for text in &deep {
        let start = std::time::Instant::now();
        let error = parse_error(text);
        let beginning: String = text.chars().take(20).collect();
        assert!(start.elapsed().as_secs_f64() < 1.0, "{:?} for {beginning}", start.elapsed());
        assert!(error.starts_with("f.yaml:") && error.ends_with("nested too deeply here"), "{error}");
    }
    // What one of the two parsers does not take the other may: neither is given many brackets then.
    let start = std::time::Instant::now();
    let error = parse_error(&format!("a: {}", "[ # ]\n".repeat(n)));
    assert!(start.elapsed().as_secs_f64() < 1.0 && error.contains("not valid YAML"), "{error}");
    let mut document = Document::parse("f.yaml", "a: 1\n".into(), "file").unwrap();
    let error = document.set(&[format!("a={}", "[".repeat(n))]).unwrap_err().to_string();
    assert!(error.ends_with("nested too deeply here"), "{error}");
    // A long file of ordinary depth is none of these.
    let long: String = (0..3000).map(|i| format!("- {{name: v{i}, set: {{a: [1, 2]}}}}\n")).collect();
    Document::parse("f.yaml", long, "file").unwrap();
}

fn tree(text: &str) -> Node {
    let document = Document::parse("f.yaml", text.to_owned(), "file").unwrap();
    document.read(|root| Ok(root.node.clone())).unwrap()
}

/// The expected trees are what PyYAML 6 makes of the texts: `yaml.safe_load`.
#[test]
fn merge_keys_merge() {
    for (text, expected) in [
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "a: {x: 1, y: 2}\nb: {x: 1, y: 3}\n"),
        ("a: &a {x: 1, y: 2}\nb:\n  y: 3\n  <<: *a\n", "a: {x: 1, y: 2}\nb: {y: 3, x: 1}\n"),
        (
            "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n",
            "a: {x: 1}\nb: {x: 2, y: 2}\nc: {x: 1, y: 2, z: 3}\n",
        ),
        (
            "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n",
            "a: {x: 1}\nb: {x: 1, y: 2}\nc: {x: 1, y: 2}\n",
        ),
        // Merging is not deep: a mapping replaces a mapping.
        ("a: &a {m: {x: 1}}\nb: {<<: *a, m: {y: 2}}\n", "a: {m: {x: 1}}\nb: {m: {y: 2}}\n"),
        ("b: {<<: {x: 1}, <: 2}\n", "b: {x: 1, <: 2}\n"),
        ("b: {<<: []}\n", "b: {}\n"),
    ] {
        assert_eq!(tree(text), tree(expected), "{text}");
    }
    for (text, message) in [
        (
            "b: {<<: 3}\n",
            "f.yaml:1:9: b.<<: `<<` merges a mapping, or a list of mappings, such as `<<: *base`; this is 3",
        ),
        (
            "b:\n- <<: [{}, [1]]\n",
            "f.yaml:2:7: b[0].<<: `<<` merges a mapping, or a list of mappings, such as `<<: *base`; this is a list",
        ),
        (
            "b: {<<: {x: 1}, <<: {y: 1}}\n",
            "f.yaml:1:17: b: the key `<<` is here a second time; remove one of them",
        ),
    ] {
        assert_eq!(parse_error(text), message);
    }
}

#[test]
fn a_merged_value_is_named_where_it_stands() {
    let text = "a: &a\n  x: 1\n  y: 2\nl:\n- {<<: [{z: 0}, *a], y: 5}\n";
    let document = Document::parse("f.yaml", text.into(), "file").unwrap();
    for (name, place) in [("x", "2:6"), ("y", "5:25"), ("z", "5:13"), ("none", "5:3")] {
        let mut path = KeyPath::default();
        [key("l"), Step::Item(0), key(name)].into_iter().for_each(|step| path.push(step));
        let error = document.error(&Problem { path, at_key: false, message: "wrong".into() });
        assert_eq!(error.to_string(), format!("f.yaml:{place}: l[0].{name}: wrong"));
    }
}

#[test]
fn a_byte_order_mark_and_other_encodings() {
    let folder = tempfile::tempdir().unwrap();
    let load = |bytes: &[u8]| {
        let path = folder.path().join("e.yaml");
        std::fs::write(&path, bytes).unwrap();
        Document::load(&path, "experiment file").map_err(|e| e.to_string())
    };
    let document = load(b"\xef\xbb\xbfa: 1\n").unwrap();
    let mut path = KeyPath::default();
    path.push(key("a"));
    let error = document.error(&Problem { path, at_key: true, message: "wrong".into() }).to_string();
    assert!(error.ends_with("e.yaml:1:1: a: wrong"), "{error}");
    let error = load(b"\xff\xfea\0:\0 \x001\0").unwrap_err();
    assert!(error.ends_with("e.yaml:1: this experiment file is UTF-16 text; save it as UTF-8"), "{error}");
}

#[test]
fn files_that_cannot_be_read_are_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str| {
        let path = folder.path().join(name);
        let error = Document::load(&path, "experiment file").unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "DIR")
    };
    assert_eq!(load("none.yaml"), "DIR/none.yaml: there is no such experiment file; check the path");
    assert_eq!(load(""), "DIR/: this is a folder; name the experiment file inside it");
    std::fs::write(folder.path().join("latin.yaml"), b"name: x\ndescription: caf\xe9\n").unwrap();
    assert_eq!(
        load("latin.yaml"),
        "DIR/latin.yaml:2: this experiment file is not UTF-8 text; save it as UTF-8"
    );
    std::fs::write(folder.path().join("big.yaml"), vec![b'#'; 5 << 20]).unwrap();
    assert_eq!(
        load("big.yaml"),
        "DIR/big.yaml: this file has more than 4 MiB; is it the experiment file you mean?"
    );
}

#[test]
fn assignments_are_laid_over_the_file() {
    let mut document = Document::parse("f.yaml", "a: {b: 1}\nl: [{x: 1}]\n".into(), "file").unwrap();
    let set = ["a.b=2", "a.c.d=[1, two]", "l[0].x=null", "n=text", "e="].map(String::from);
    document.set(&set).unwrap();
    document
        .read(|root| {
            assert_eq!(root.node.at(&[key("a"), key("b")]), Some(&Node::Int(2)));
            let list = Node::List(vec![Node::Int(1), Node::Text("two".into())]);
            assert_eq!(root.node.at(&[key("a"), key("c"), key("d")]), Some(&list));
            assert_eq!(root.node.at(&[key("l"), Step::Item(0), key("x")]), Some(&Node::Null));
            assert_eq!(root.node.at(&[key("e")]), Some(&Node::Null));
            Ok(())
        })
        .unwrap();
    let deep = "a.".repeat(60_000) + "a=1";
    assert!(
        document
            .set(&[deep])
            .unwrap_err()
            .to_string()
            .ends_with("more than 32 parts is none that a file has")
    );
    for (text, message) in [
        ("a", "--set a: an assignment is KEY=VALUE, such as train.epochs=5"),
        ("=1", "--set =1: `` is not a key such as train.epochs or variants[0].network"),
        ("l[x]=1", "--set l[x]=1: `l[x]` is not a key such as train.epochs or variants[0].network"),
        ("l[4].x=1", "--set l[4].x=1: l has 1 items, so there is no l[4]"),
        ("a.b.c=1", "--set a.b.c=1: a.b is 2, not a mapping, so there is no a.b.c"),
        ("l.x=1", "--set l.x=1: l is a list of 1; write l[0] for its first item, not l.x"),
        (
            "a=[1",
            "--set a=[1: not valid YAML: did not find expected ',' or ']', while parsing a flow sequence",
        ),
    ] {
        assert_eq!(document.set(&[text.to_owned()]).unwrap_err().to_string(), message);
    }
}

#[test]
fn near_names_are_found_and_far_ones_are_not() {
    let known = ["epochs", "batch", "lr"];
    assert_eq!(nearest("epoch", known), Some("epochs"));
    assert_eq!(nearest("Batch", known), Some("batch"));
    assert_eq!(nearest("learning_rate", known), None);
}

#[test]
fn amounts_have_units() {
    for (text, value) in [("400k", 4e5), ("0.5M", 5e5), ("1_000", 1e3), ("2 MiB", 2097152.0), ("1e6", 1e6)] {
        assert_eq!(amount(text), Some(value), "{text}");
    }
    for text in ["", "k", "-1k", "5 apples", "1e400"] {
        assert_eq!(amount(text), None, "{text}");
    }
}
