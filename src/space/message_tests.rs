//! Messages about search space files, to the letter.

use super::SearchSpace;

fn message(text: &str) -> String {
    let error = SearchSpace::parse("s.yaml", text).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

/// The message about one stage, which stands in line 5.
fn stage(fields: &str) -> String {
    message(&format!("name: t\ninput: 3x32x32\nclasses: 10\nstages:\n- {{{fields}}}\n"))
}

/// The message about lines that follow a good space of 5 lines.
fn after(lines: &str) -> String {
    message(&format!(
        "name: t\ninput: 3x32x32\nclasses: 10\nstages:\n- {{block: ir, expand: 6, channels: 16}}\n{lines}\n"
    ))
}

#[test]
fn mistakes_in_stages_have_their_place() {
    let cases = [
        (
            "block: ir, expand: 6, channels: 16, kernel: 4",
            "s.yaml:5:48: stages[0].kernel: 4 is not a kernel size (3, 5, 7)",
        ),
        (
            "block: ir, expand: 6, channels: 16, kernel: [3, 9]",
            "s.yaml:5:52: stages[0].kernel[1]: 9 is not a kernel size (3, 5, 7)",
        ),
        (
            "block: [ir, csee], expand: 6, channels: 16",
            "s.yaml:5:16: stages[0].block[1]: `csee` is not a block (ir, cse, dsa, cn); did you mean `cse`?",
        ),
        (
            "block: ir, expand: 6",
            "s.yaml:5:3: stages[0]: a stage needs the key `channels`, such as `channels: 32`",
        ),
        ("channels: 6", "s.yaml:5:3: stages[0]: a stage needs the key `block`, such as `block: ir`"),
        (
            "block: ir, expand: 6, chanels: 16",
            "s.yaml:5:26: stages[0].chanels: a stage has no key `chanels`; did you mean `channels`? Known keys: block, form, expand, hidden, keep_expansion, se, cap, cap_mode, reduction, kernel, stride, channels, repeats, shortcut, projection, activation",
        ),
        (
            "block: [ir, cse], channels: 16",
            "s.yaml:5:3: stages[0]: an ir block needs the key `expand`, such as `expand: 6`, or `hidden`, such as `hidden: 88`",
        ),
        (
            "block: ir, expand: 6, hidden: 8, channels: 16",
            "s.yaml:5:3: stages[0]: expand and hidden both say how wide the block is; keep one (a list of expansions may hold exact widths: [6, h88])",
        ),
        (
            "block: ir, expand: x6, channels: 16",
            "s.yaml:5:23: stages[0].expand: `x6` is not an expansion (a number above 0, up to 64, or an exact hidden width such as h88)",
        ),
        (
            "block: ir, expand: 6, channels: []",
            "s.yaml:5:36: stages[0].channels: an empty list leaves nothing to choose from; give at least one level",
        ),
        (
            "block: ir, expand: 6, channels: -1",
            "s.yaml:5:36: stages[0].channels: -1 is not a number of channels (1 to 65536)",
        ),
        (
            "block: ir, expand: 6, channels: 16, se: 25",
            "s.yaml:5:44: stages[0].se: 25 is not a squeeze-and-excitation ratio (off, or a number above 0, up to 1, such as 0.25); for 25 % write 0.25",
        ),
        (
            "block: cse, channels: 16, cap: 0",
            "s.yaml:5:35: stages[0].cap: 0 is not a cap (none, or a whole number, 1 to 65536)",
        ),
        (
            "block: cse, channels: 16, stride: [1, 4]",
            "s.yaml:5:38: stages[0].stride: a cse block has stride 1 or 2; for a larger stride keep `block: ir` alone",
        ),
        (
            "block: cse, channels: 16, cap: $cap",
            "s.yaml:5:35: stages[0].cap: there is no choice `cap`; add it: `choices: {cap: [...]}`",
        ),
        (
            "block: cse, channels: 16, cap: [4, $cap]",
            "s.yaml:5:39: stages[0].cap[1]: a reference stands alone, not inside a list; list its levels under `choices`",
        ),
        (
            "block: ir, expand: 6, channels: null",
            "s.yaml:5:36: stages[0].channels: a stage needs the key `channels`, such as `channels: 32`",
        ),
        (
            "block: ir, expand: 6, channels: [[16]]",
            "s.yaml:5:37: stages[0].channels[0]: a list is not a number of channels (1 to 65536)",
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(stage(fields), expected);
    }
}

#[test]
fn mistakes_elsewhere_have_their_place() {
    let cases = [
        (
            "choices: {cap: [4]}",
            "s.yaml:6:11: choices.cap: no field refers to this choice; write $cap in a field, or remove it",
        ),
        (
            "choices: {head: [4]}",
            "s.yaml:6:11: choices.head: `head` is not a name for a choice: letters, digits, `_` and `-`, and not stem, head or conv_bias",
        ),
        (
            "choices: {cap: []}",
            "s.yaml:6:16: choices.cap: an empty list leaves nothing to choose from; give at least one level",
        ),
        ("choices: {cap: 4}", "s.yaml:6:16: choices.cap: 4 is not a list of levels, such as [4, 8, 16]"),
        (
            "choices: {width: [16, wide]}\nhead: {channels: $width}",
            "s.yaml:6:23: choices.width[1]: `wide` is not a number of channels (1 to 65536); head.channels refers to it",
        ),
        (
            "choices: {width: [16]}\nhead: {channels: $widht}",
            "s.yaml:7:18: head.channels: there is no choice `widht`; did you mean $width?",
        ),
        (
            "head: {channels: [64, 128], groups: 48}",
            "s.yaml:6:37: head.groups: 48 groups do not divide 64, 128 channels",
        ),
        (
            "stem: [none, none]",
            "s.yaml:6:14: stem[1]: a second `none` in this list; make the fields inside one mapping lists instead",
        ),
        ("stem: off", "s.yaml:6:7: stem: stem is a mapping (lines of `key: value`), not `off`"),
        (
            "constraints: {params: 400k}",
            "s.yaml:6:23: constraints.params: `400k` is not a range ([min, max], {max: 400k}, or a text such as <= 0.5M)",
        ),
        (
            "constraints: {params: <= 0.5}",
            "s.yaml:6:23: constraints.params: 0.5 has no unit, and without one amounts are whole: write 0.5M for 500,000",
        ),
        (
            "constraints: {madds: [0.5, 2M]}",
            "s.yaml:6:23: constraints.madds[0]: 0.5 has no unit, and without one amounts are whole: write 0.5M for 500,000",
        ),
        (
            "constraints: {size: {max: 1.5}}",
            "s.yaml:6:27: constraints.size.max: 1.5 has no unit, and without one amounts are whole: write 1.5M for 1,500,000",
        ),
        (
            "constraints: {params: [2k, 1k]}",
            "s.yaml:6:23: constraints.params: no number is from 2,000 to 1,000; swap the ends",
        ),
        (
            "constraints: {madds: {max: lots}}",
            "s.yaml:6:28: constraints.madds.max: `lots` is not an amount (a number such as 400000, 400k, 0.5M or 2MiB)",
        ),
        (
            "constraints: {memory: <= 1M}",
            "s.yaml:6:15: constraints.memory: constraints has no key `memory`; known keys: params, madds, activation_memory, size",
        ),
        ("conv_bias: maybe", "s.yaml:6:12: conv_bias: `maybe` is not true or false"),
    ];
    for (lines, expected) in cases {
        assert_eq!(after(lines), expected);
    }
    assert_eq!(
        message("name: t\ninput: 32x32\nclasses: 10\nstages: [{block: cse, channels: 8}]\n"),
        "s.yaml:2:8: input: `32x32` is not an input shape: channels x height x width, such as 3x32x32 (sides up to 4096)"
    );
    assert_eq!(
        message("name: t\ninput: 3x32x32\nclasses: 10\nstages: []\n"),
        "s.yaml:4:9: stages: 0 stages; a network has 1 to 128"
    );
}

#[test]
fn a_level_spelt_twice_for_one_field_is_named() {
    assert_eq!(
        after("choices: {se: [off, none]}\nhead: none").as_str(),
        "s.yaml:6:11: choices.se: no field refers to this choice; write $se in a field, or remove it"
    );
    let text = "name: t\ninput: 3x32x32\nclasses: 10\nchoices: {se: [off, 0.25, none]}\nstages: [{block: ir, expand: 6, channels: 16, se: $se}]\n";
    assert_eq!(
        message(text),
        "s.yaml:4:27: choices.se[2]: for stages[0].se, `none` is the same as an earlier level; remove one"
    );
}
