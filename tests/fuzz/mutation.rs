//! Mutations of texts: words, lines, numbers and brackets, and now and then plain bytes.

use std::collections::BTreeSet;

use arbtest::arbitrary::{Result, Unstructured};

use crate::harness::LONGEST;

/// Numbers and signs at which readers go wrong.
const SPECIAL: &[&str] = &[
    "0",
    "-1",
    "1",
    "2",
    "3",
    "255",
    "65536",
    "65537",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1e308",
    "1e309",
    "-1e309",
    "1e-320",
    "0.0",
    "-0.0",
    "1.5",
    ".nan",
    ".inf",
    "-.inf",
    "NaN",
    "inf",
    "0x10",
    "0o7",
    "1_000",
    "1k",
    "1M",
    "1GiB",
    "null",
    "~",
    "none",
    "true",
    "no",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    ",",
    "&a ",
    "*a",
    "!!int ",
    "!!float ",
    "!!binary ",
    "!x ",
    "<<: ",
    "|\n ",
    ">\n ",
    "#",
    "---\n",
    "...\n",
    "? ",
    "%YAML 1.1\n",
    "\t",
    "\r\n",
    "\n",
    "\u{feff}",
    "\u{0}",
    "\u{2028}",
    "ä",
    "\u{1f600}",
    "\\u0000",
    "\\ud800",
    "\\",
    "$",
    "$expand",
    "_",
    "..",
    "/",
    "=",
];

/// Words to put in: those of the corpus and the special ones.
pub struct Words(Vec<Vec<u8>>);

impl Words {
    pub fn of(corpus: &[Vec<u8>]) -> Self {
        let mut words: BTreeSet<Vec<u8>> = SPECIAL.iter().map(|word| word.as_bytes().to_vec()).collect();
        for input in corpus {
            words.extend(spans(input, is_word).into_iter().map(|(start, end)| input[start..end].to_vec()));
            words.extend(
                spans(input, |b| is_word(b) && b != b'_').into_iter().map(|(s, e)| input[s..e].to_vec()),
            );
        }
        Self(words.into_iter().collect())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

/// Longest runs of bytes that belong together.
fn spans(input: &[u8], belongs: impl Fn(u8) -> bool) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut start = None;
    for (at, byte) in input.iter().enumerate() {
        match (belongs(*byte), start) {
            (true, None) => start = Some(at),
            (false, Some(begun)) => {
                spans.push((begun, at));
                start = None;
            }
            _ => {}
        }
    }
    spans.extend(start.map(|begun| (begun, input.len())));
    spans
}

/// Inputs to mutate.
pub struct Pools {
    /// Never empty.
    pub read: Vec<Vec<u8>>,
    pub refused: Vec<Vec<u8>>,
}

impl Pools {
    fn choose(&self, choices: &mut Unstructured<'_>) -> Result<&Vec<u8>> {
        let from_refused = choices.ratio(1, 5)? && !self.refused.is_empty();
        choices.choose(if from_refused { &self.refused } else { &self.read })
    }
}

/// A mutation of one of the inputs, sometimes of two.
pub fn mutate(choices: &mut Unstructured<'_>, pool: &Pools, words: &Words) -> Result<Vec<u8>> {
    let mut input = pool.choose(choices)?.clone();
    // One change finds what is just beyond a limit, many what no one thinks of.
    let changes = if choices.ratio(2, 3)? { 1 } else { choices.int_in_range(2..=12)? };
    for _ in 0..changes {
        change(choices, &mut input, pool, words)?;
        input.truncate(LONGEST);
    }
    Ok(input)
}

fn change(choices: &mut Unstructured<'_>, input: &mut Vec<u8>, pool: &Pools, words: &Words) -> Result<()> {
    match choices.int_in_range(0..=13)? {
        // Another word or number in place of one.
        0..=2 => {
            let new = choices.choose(&words.0)?;
            if let Some((start, end)) = pick(choices, &spans(input, is_word))? {
                input.splice(start..end, new.iter().copied());
            }
        }
        // Another number in a word, such as the 24 of `c24`, most often a small one.
        3 => {
            let small = choices.int_in_range(0..=9)?.to_string().into_bytes();
            let new = if choices.ratio(3, 4)? { &small } else { choices.choose(&words.0)? };
            if let Some((start, end)) = pick(choices, &spans(input, |b| b.is_ascii_digit()))? {
                input.splice(start..end, new.iter().copied());
            }
        }
        4 => {
            let (at, word) = (place(choices, input)?, choices.choose(&words.0)?);
            input.splice(at..at, word.iter().copied());
        }
        // A part of a word, such as `k3` in a block, gone, twice or another.
        12 | 13 => {
            let parts = spans(input, |b| is_word(b) && b != b'_');
            if let (Some((start, end)), Some((from, to))) = (pick(choices, &parts)?, pick(choices, &parts)?) {
                let new = input[from..to].to_vec();
                match choices.int_in_range(0..=2)? {
                    0 => drop(input.drain(start.saturating_sub(1)..end)),
                    1 => drop(input.splice(end..end, [b"_", &new[..]].concat())),
                    _ => drop(input.splice(start..end, new)),
                }
            }
        }
        // A line less, twice, or elsewhere; the second end counts from the first.
        5 | 6 => {
            let kind = choices.int_in_range(0..=2)?;
            if let Some((start, end)) = pick(choices, &spans(input, |b| b != b'\n'))? {
                let line = [&input[start..end], b"\n"].concat();
                if kind != 1 {
                    input.drain(start..(end + 1).min(input.len()));
                }
                if kind != 0 {
                    let starts: Vec<_> = spans(input, |b| b != b'\n');
                    let at = pick(choices, &starts)?.map_or(0, |(start, _)| start);
                    input.splice(at..at, line);
                }
            }
        }
        // A piece of any input.
        7 => {
            let other = pool.choose(choices)?;
            let (from, to) = range(choices, other)?;
            let (start, end) = range(choices, input)?;
            input.splice(start..end, other[from..to].iter().copied());
        }
        8 => {
            let (start, end) = range(choices, input)?;
            input.drain(start..end);
        }
        9 => {
            let at = place(choices, input)?;
            input.truncate(at);
        }
        // Deep and long things.
        10 => {
            let (at, word) = (place(choices, input)?, choices.choose(&words.0)?);
            let times = choices.int_in_range(1..=LONGEST / word.len().max(1) / 2)?;
            let times = if choices.ratio(3, 4)? { times % 200 } else { times };
            input.splice(at..at, word.repeat(times));
        }
        11 => {
            let at = place(choices, input)?;
            if let Some(byte) = input.get_mut(at) {
                *byte = choices.arbitrary()?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn pick(choices: &mut Unstructured<'_>, spans: &[(usize, usize)]) -> Result<Option<(usize, usize)>> {
    if spans.is_empty() { Ok(None) } else { choices.choose(spans).copied().map(Some) }
}

fn place(choices: &mut Unstructured<'_>, input: &[u8]) -> Result<usize> {
    choices.int_in_range(0..=input.len())
}

/// A piece, mostly a short one.
fn range(choices: &mut Unstructured<'_>, input: &[u8]) -> Result<(usize, usize)> {
    let start = place(choices, input)?;
    let longest = if choices.ratio(3, 4)? { 20 } else { LONGEST };
    Ok((start, start + choices.int_in_range(0..=longest.min(input.len() - start))?))
}
