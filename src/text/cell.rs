//! Text from others in a cell of CSV, so that a spreadsheet shows it as text.
//!
//! A cell that begins as a formula does is given an apostrophe (OWASP, CSV injection), also where the beginning hides behind
//! spaces, is of full width, or follows a separator that some spreadsheets split at. [`read`] gives back what [`write`](fn@write) was given.

use std::borrow::Cow;

use super::is_hidden;

/// A text as a cell.
pub fn write(text: &str) -> Cow<'_, str> {
    let body = separated(text, |c| matches!(c, ';' | '\t'));
    if begins(body.trim_start_matches('\'')) { Cow::Owned(format!("'{body}")) } else { body }
}

/// A text within a line that is no CSV itself, such as a comment before a table: a spreadsheet splits it at commas.
pub fn write_line(text: &str) -> Cow<'_, str> {
    separated(text, |c| matches!(c, ',' | ';' | '\t'))
}

/// The text of a line that [`write_line`] wrote.
pub fn read_line(line: &str) -> Cow<'_, str> {
    unescaped(line)
}

/// The text of a cell.
pub fn read(cell: &str) -> Cow<'_, str> {
    let body = match cell.strip_prefix('\'') {
        Some(rest) if begins(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    };
    unescaped(body)
}

/// Whether a spreadsheet takes what begins so for a formula.
fn begins(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

/// Hidden characters written out as `\u{202e}`, and separators before the beginning of a formula as `\u{2c}`.
fn separated(text: &str, is_separator: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |at: usize, c: char| {
        let rest = &text[at + c.len_utf8()..];
        is_hidden(c)
            || c == '\\' && rest.starts_with("u{")
            || is_separator(c) && begins(rest.trim_start_matches('\''))
    };
    if !text.char_indices().any(|(at, c)| is_escaped(at, c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        if is_escaped(at, c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u{") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u{") {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 3..];
        let c = escape
            .split_once('}')
            .and_then(|(hex, after)| Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, after)));
        match c {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push_str("\\u{");
                rest = escape;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginnings that OWASP lists, and their full-width forms.
    #[test]
    fn formulas_become_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u{a0}=1", "\u{ff1d}1", "'=1", "\"=1", "''-x"]
        {
            assert_eq!(write(formula), format!("'{formula}"));
        }
        assert_eq!(write("\t=1"), "\\u{9}=1");
        assert_eq!(write("\r=1"), "\\u{d}=1");
        assert_eq!(write("a;=1"), "a\\u{3b}=1");
        assert_eq!(write_line("a, =1, b"), "a\\u{2c} =1, b");
        for plain in ["mix", "ir_k3", "'tis", "a=1", "3.5", "", "a, b; c", "C:\\u"] {
            assert_eq!(write(plain), plain);
            assert_eq!(write_line(plain), plain);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let texts = [
            "=1+1",
            "'=1",
            "''=",
            "\t=1",
            "a;-b",
            "\u{202e}x",
            "\\u{202e}",
            "\\u{5c}u{",
            "\\u{",
            "a\nb",
            "",
            "'",
            "x, +1",
        ];
        for text in texts {
            assert_eq!(read(&write(text)), text, "{text:?}");
            assert_eq!(read_line(&write_line(text)), text, "{text:?}");
        }
    }
}
