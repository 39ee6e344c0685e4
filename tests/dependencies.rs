//! The crates that are built in: their licences, and which of them come in several versions. Needs the network as little as the
//! other tests: all crates of this machine are there once the tests are built.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than their text: what links them may be distributed under any.
const LICENCES: [&str; 11] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "BSL-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that are there in two versions, and who needs the older one.
const TWICE: [(&str, &str); 7] = [
    ("bitflags", "gemm of dfdx 0.13"),
    ("miniz_oxide", "png of image 0.25, behind flate2"),
    ("rand", "dfdx 0.13"),
    ("rand_chacha", "dfdx 0.13"),
    ("rand_core", "dfdx 0.13"),
    ("rand_distr", "dfdx 0.13"),
    ("syn", "derive macros, which are not in the binary"),
];

/// Crates of which an advisory says that no one maintains them any more, and why each is here all the same.
const UNMAINTAINED: [(&str, Option<&str>); 14] = [
    ("paste", Some("a macro of gemm, which dfdx 0.13 multiplies with; not in the binary")),
    ("adler", None),
    ("ansi_term", None),
    ("atty", None),
    ("backoff", None),
    ("bincode", None),
    ("derivative", None),
    ("fxhash", None),
    ("instant", None),
    ("number_prefix", None),
    ("proc-macro-error", None),
    ("serde_yaml", None),
    ("term_size", None),
    ("yaml-rust", None),
];

/// What cargo knows of every crate that is built on this machine.
fn packages() -> Vec<Value> {
    let cargo = || Command::new(env!("CARGO"));
    let version = cargo().arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let args = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", host];
    let out = cargo().args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether a licence expression (SPDX, or with the slash of old manifests) can be met with those that are allowed.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    let mut depth = 0;
    // The last operator outside parentheses; `OR` binds less than `AND`.
    for operator in [" OR ", " AND "] {
        for (at, sign) in expression.char_indices() {
            depth += match sign {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            if depth == 0 && expression[at..].starts_with(operator) {
                let (left, right) =
                    (is_allowed(&expression[..at]), is_allowed(&expression[at + operator.len()..]));
                return if operator == " OR " { left || right } else { left && right };
            }
        }
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_allowed(inner),
        None => LICENCES.contains(&expression),
    }
}

#[test]
fn expressions_are_read_as_spdx_has_them() {
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-2.0-only", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(GPL-2.0-only OR MPL-2.0) AND MIT", false),
        ("MIT OR GPL-2.0-only AND MPL-2.0", true),
    ] {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}

#[test]
fn every_licence_is_one_of_those_allowed() {
    let packages = packages();
    assert!(packages.len() > 50, "{} crates", packages.len());
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        let (name, version) = (&package["name"], &package["version"]);
        assert!(
            is_allowed(licence),
            "{name} {version} is under {licence}: take another crate, or allow it here"
        );
    }
}

#[test]
fn no_crate_comes_in_two_versions_without_a_reason() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    let allowed: BTreeSet<&str> = TWICE.iter().map(|(name, _)| *name).collect();
    for (name, versions) in &versions {
        assert!(
            versions.len() == 1 || allowed.contains(name.as_str()),
            "{name} is there as {versions:?}: bring its users to one version, or say here why not"
        );
    }
    for (name, who) in TWICE {
        assert!(
            versions.get(name).is_some_and(|v| v.len() > 1),
            "{name} is there once now: take it off ({who})"
        );
    }
}

#[test]
fn no_crate_is_known_to_be_unmaintained() {
    let names: BTreeSet<String> =
        packages().iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    for (name, why) in UNMAINTAINED {
        assert_eq!(names.contains(name), why.is_some(), "{name}: {why:?}");
    }
}

/// The fonts are in the binary, so their licence goes with it.
#[test]
fn the_licence_of_the_fonts_is_in_the_package() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{folder}/LICENSE-DejaVu")).unwrap();
    // The two copyright lines of the fonts' own file.
    assert!(
        text.contains("Copyright (c) 2003 by Bitstream, Inc.")
            && text.contains("Copyright (c) 2006 by Tavmjong Bah.")
    );
    let args = ["package", "--list", "--offline", "--allow-dirty"];
    let out = Command::new(env!("CARGO")).args(args).current_dir(folder).output().unwrap();
    let list = String::from_utf8(out.stdout).unwrap();
    for file in ["LICENSE-APACHE", "LICENSE-DejaVu", "LICENSE-MIT"] {
        assert!(list.lines().any(|line| line == file), "{file} is not in {list}");
    }
}
