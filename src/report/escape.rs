//! Text from others in Markdown: a page shows what it says, whatever it says.
//!
//! Names, descriptions, reasons and paths may hold the marks of Markdown and of HTML. CommonMark 0.31, sections 2.4 (a backslash
//! before punctuation) and 2.5 (entities), and the tables of GitHub.

use crate::text;

/// Text within a line: a name, a reason, a cell.
pub fn inline(text: &str) -> String {
    let text = text::line(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Between letters it means itself, and names of networks are full of it.
            '_' if before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric()) => {
                out.push(c)
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Text of lines and paragraphs of its own.
pub fn paragraphs(text: &str) -> String {
    text.trim().lines().map(|line| start(inline(line.trim()))).collect::<Vec<_>>().join("\n")
}

/// The beginning of a line, which makes no list, rule or heading.
fn start(line: String) -> String {
    if line.starts_with(['-', '+', '=', ':']) {
        return format!("\\{line}");
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => format!("{}\\{}", &line[..digits], &line[digits..]),
        _ => line,
    }
}

/// Text as code within a line, between more backticks than it has.
pub fn code(text: &str) -> String {
    let text = text::line(text);
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // A space at both ends is taken away again; text of spaces alone keeps its own.
    let needs_room = text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let room = if needs_room && (text.is_empty() || text.chars().any(|c| c != ' ')) { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

/// As [`code`], in a table, whose cells end at any bar without a backslash.
pub fn code_cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;

    const HOSTILE: [&str; 30] = [
        "mobilenet_v2",
        "_a_ and __b__ and a_b_",
        "*a* **b**",
        "`code` and ``more``",
        "[text](https://example.org) ![](x.png)",
        "[a]: http://x",
        "<script>alert(1)</script>",
        "<!-- a comment -->",
        "&lt; &amp; &#60; &copy;",
        "a | b",
        "# heading",
        "a \\ b \\* \\",
        "\\`a`",
        "- item",
        "+ item",
        "1. item",
        "2) item",
        "===",
        "---",
        "```",
        "~~~",
        "~~gone~~",
        "> quote",
        "$x$",
        "a\nb",
        "\u{202e}a\u{1b}[31m",
        "` `",
        "  spaces  ",
        "!",
        "p < 0.001 & q > 2",
    ];

    /// What a page shows of a Markdown text, and every mark-up that it has.
    fn page(markdown: &str) -> (String, Vec<String>) {
        let (mut shown, mut marks) = (String::new(), Vec::new());
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH;
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Text(text) => shown.push_str(&text),
                Event::SoftBreak => shown.push('\n'),
                Event::Code(text) => {
                    shown.push_str(&text);
                    marks.push("code".into());
                }
                Event::Start(
                    Tag::Paragraph | Tag::Table(_) | Tag::TableHead | Tag::TableRow | Tag::TableCell,
                )
                | Event::End(_) => {}
                other => marks.push(format!("{other:?}")),
            }
        }
        (shown, marks)
    }

    #[test]
    fn a_page_shows_what_the_text_says() {
        for text in HOSTILE {
            let seen = crate::text::line(text);
            let (shown, marks) = page(&format!("before {} after", inline(text)));
            assert_eq!((shown, marks.len()), (format!("before {seen} after"), 0), "{text:?} {marks:?}");
            let own: Vec<_> = text.trim().lines().map(|line| crate::text::line(line.trim())).collect();
            let (shown, marks) = page(&paragraphs(text));
            assert_eq!((shown, marks.len()), (own.join("\n"), 0), "{text:?} {marks:?}");
        }
    }

    #[test]
    fn code_shows_what_the_text_says() {
        for text in HOSTILE {
            let seen = crate::text::line(text);
            let (shown, marks) = page(&format!("before {} after", code(text)));
            assert_eq!((shown, marks), (format!("before {seen} after"), vec!["code".into()]), "{text:?}");
        }
    }

    #[test]
    fn cells_hold_what_the_text_says() {
        for text in HOSTILE {
            let seen = crate::text::line(text);
            let (shown, marks) =
                page(&format!("| a | b |\n|---|---|\n| {} | {} |\n", inline(text), code_cell(text)));
            let trimmed = seen.trim();
            assert_eq!(shown, format!("ab{trimmed}{seen}"), "{text:?} {marks:?}");
            assert_eq!(marks, ["code"], "{text:?}");
        }
    }
}
