//! Numbers and bytes as text, and text from others as text that can be shown, the same way in every room.

pub mod cell;

use std::borrow::Cow;

/// A whole number with commas: 362,992.
pub fn thousands(value: impl Into<u128>) -> String {
    let digits = value.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 seed`, `2 seeds`, `2 strategies`.
pub fn counted(n: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    let (noun, end) = match stem {
        _ if n == 1 => (noun, ""),
        Some(stem) => (stem, "ies"),
        None => (noun, "s"),
    };
    format!("{} {noun}{end}", thousands(n as u64))
}

/// A number as people write it: what scaling by a hundred leaves beyond the tenth digit is rounding.
pub fn decimal(value: f64) -> String {
    format!("{value:.10}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `; for 90 % write 0.9`, where a hundredth of a number is what was wanted.
pub fn if_percent(percent: f64, is_wanted: impl Fn(f64) -> bool) -> Option<String> {
    let share = percent / 100.0;
    is_wanted(share).then(|| format!("; for {percent} % write {}", decimal(share)))
}

/// Bytes in binary units: `640 KiB`, `1.50 MiB`.
pub fn bytes(value: u64) -> String {
    const KIB: f64 = 1024.0;
    let v = value as f64;
    if v < KIB {
        format!("{value} B")
    } else if v < KIB * KIB {
        format!("{:.0} KiB", v / KIB)
    } else if v < KIB * KIB * KIB {
        format!("{:.2} MiB", v / KIB / KIB)
    } else {
        format!("{:.2} GiB", v / KIB / KIB / KIB)
    }
}

/// Seconds with three digits and a unit: `84.3 µs`, `1.20 ms`, `2.00 s`.
pub fn time(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        s if s < 999.5e-6 => (seconds * 1e6, "µs"),
        s if s < 0.9995 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let digits = match value.abs() {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// Lower-case hexadecimal digits of `bytes`, as hashes are written.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Whether a character is not to be seen, or steers how others are shown: control characters (C0, DEL, C1), separators of lines
/// and paragraphs, marks that turn the direction of text, marks without width, tags and noncharacters. Joiners stay: scripts and
/// emoji need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Text for a terminal or a report: hidden characters are written as escapes such as `\u{202e}`. Line breaks and tabs stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_hidden(c) && !matches!(c, '\n' | '\t'))
}

/// As [`shown`], on one line: what is a name, a label or a path, and cannot begin lines of its own.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text of at most so many characters: of a longer one the beginning and the end.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    // Bytes are counted at once, characters are not.
    if text.len() <= most || text.chars().count() <= most {
        return Cow::Borrowed(text);
    }
    let half = most.saturating_sub(5) / 2;
    let start: String = text.chars().take(half).collect();
    let mut end: Vec<char> = text.chars().rev().take(half).collect();
    end.reverse();
    Cow::Owned(format!("{start} ... {}", end.into_iter().collect::<String>()))
}

/// Most characters of a sentence for the user, whatever it quotes.
const LONGEST_SENTENCE: usize = 1200;

/// A sentence as one line: hidden characters are written as escapes, and of one that quotes a whole file only the beginning
/// and the end are left.
pub fn one_line(sentence: &str) -> String {
    let mut line: Vec<char> = self::line(sentence).chars().collect();
    if line.len() > LONGEST_SENTENCE {
        let half = LONGEST_SENTENCE / 2;
        line.splice(half..line.len() - half, " ... ".chars());
    }
    line.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_line() {
        assert_eq!(one_line("a:1: `é\u{1f600}` is no number"), "a:1: `é\u{1f600}` is no number");
        assert_eq!(one_line("`a\nb\r\0\u{2028}`"), "`a\\nb\\r\\u{0}\\u{2028}`");
        let long = one_line(&format!("start {} end", "é".repeat(100_000)));
        assert!(long.starts_with("start é") && long.ends_with("é end") && long.contains("é ... é"), "{long}");
        assert_eq!(long.chars().count(), LONGEST_SENTENCE + 5);
    }

    /// Unicode 16: Cc, Bidi_Control, and Default_Ignorable_Code_Point without the joiners and variation selectors.
    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(shown("a\tb\nc"), "a\tb\nc");
        assert_eq!(line("a\tb\nc"), "a\\tb\\nc");
        for (c, escape) in [
            ('\u{1b}', "\\u{1b}"),
            ('\u{7f}', "\\u{7f}"),
            ('\u{9b}', "\\u{9b}"),
            ('\r', "\\r"),
            ('\u{202a}', "\\u{202a}"),
            ('\u{202e}', "\\u{202e}"),
            ('\u{2066}', "\\u{2066}"),
            ('\u{2069}', "\\u{2069}"),
            ('\u{200e}', "\\u{200e}"),
            ('\u{200f}', "\\u{200f}"),
            ('\u{61c}', "\\u{61c}"),
            ('\u{2028}', "\\u{2028}"),
            ('\u{feff}', "\\u{feff}"),
            ('\u{e0041}', "\\u{e0041}"),
        ] {
            assert_eq!(shown(&format!("a{c}b")), format!("a{escape}b"));
        }
        for plain in ["é", "日本", "👩\u{200d}🔬", "می\u{200c}خواهم", "±"] {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn a_long_text_is_cut_in_its_middle() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("ééééé", 5), "ééééé");
        assert_eq!(cut("0123456789", 9), "01 ... 89");
        assert_eq!(cut(&"é".repeat(1 << 20), 100).chars().count(), 99);
    }

    #[test]
    fn numbers_and_bytes_read_as_people_write_them() {
        assert_eq!(thousands(0_u64), "0");
        assert_eq!(thousands(999_u64), "999");
        assert_eq!(thousands(81_434_112_u64), "81,434,112");
        assert_eq!(thousands(u128::from(u64::MAX)), "18,446,744,073,709,551,615");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(655_360), "640 KiB");
        assert_eq!(bytes(1_572_864), "1.50 MiB");
        let times = [0.0, 84.26e-6, 999.6e-6, 0.0012, 0.09996, 0.9996, 12.0].map(time);
        assert_eq!(times, ["0.00 µs", "84.3 µs", "1.00 ms", "1.20 ms", "100 ms", "1.00 s", "12.0 s"]);
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
