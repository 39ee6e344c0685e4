//! A journal from others whose every text is hostile: no file of its report, nor its summary, does what the text wants.

use std::fs;

use pulldown_cmark::{Event as Mark, Options, Parser, Tag};

use super::synthetic::{mix, search};
use super::*;
use crate::study::event::{Environment, Event};
use crate::text::is_hidden;

/// A formula, a tag, a bar, code, emphasis, a link, colours of terminals, a turn of direction, and a heading.
const HOSTILE: &str = "=<b>x</b>|`*y*[a](b)\u{1b}[31m\u{202e}\u{9b}\n# h";

fn spoil(environment: &mut Environment) {
    let data = &mut environment.data;
    let texts =
        [&mut environment.version, &mut environment.command, &mut environment.os, &mut environment.cpu];
    texts.into_iter().chain([&mut data.description, &mut data.hash]).chain(&mut data.classes).for_each(
        |text| {
            *text = HOSTILE.to_owned();
        },
    );
}

fn hostile(mut records: Vec<Record>) -> Vec<Record> {
    for record in &mut records {
        match &mut record.event {
            Event::StudyStarted { experiment, environment, .. } => {
                spoil(environment);
                experiment.name = HOSTILE.to_owned();
                experiment.description = Some(HOSTILE.to_owned());
                for variant in &mut experiment.variants {
                    variant.name = format!("{HOSTILE}{}", variant.name);
                }
                experiment.baseline = experiment.baseline.as_ref().map(|name| format!("{HOSTILE}{name}"));
                if let Some(search) = &mut experiment.search {
                    search.space = HOSTILE.into();
                }
            }
            Event::TrialQueued { candidate, .. } => {
                for text in [&mut candidate.label, &mut candidate.text, &mut candidate.hash] {
                    *text = format!("{HOSTILE}{text}");
                }
                for (factor, level) in &mut candidate.choices {
                    *factor = format!("{HOSTILE}{factor}");
                    *level = format!("{HOSTILE}{level}");
                }
            }
            _ => {}
        }
    }
    // One that failed, with a reason.
    let failed = Event::TrialFailed { trial: 1, epoch: 1, reason: HOSTILE.to_owned(), again: false };
    for record in &mut records {
        if matches!(&record.event, Event::TrialFinished { trial: 1, .. }) {
            record.event = failed.clone();
        }
    }
    records.retain(|record| !matches!(&record.event, Event::TestEvaluated { trial: 1, .. }));
    records
}

#[test]
fn no_text_of_a_journal_reaches_a_report_as_more_than_text() {
    let mut shorter = search(40, 0);
    shorter.epochs = 2;
    for records in [hostile(mix().records()), hostile(shorter.records())] {
        let folder = tempfile::tempdir().unwrap();
        let written = write(&records, None, folder.path()).unwrap();
        for file in &written.files {
            let bytes = fs::read(file).unwrap();
            if file.extension().is_some_and(|end| end == "png") {
                continue;
            }
            let text = String::from_utf8(bytes).unwrap();
            let hidden = text.chars().find(|c| is_hidden(*c) && *c != '\n');
            assert_eq!(hidden, None, "{}", file.display());
            // Of the page a parser says what it makes of it.
            let is_drawing = file.extension().is_some_and(|end| end == "svg");
            assert!(!(is_drawing && text.contains("<b>")), "{}", file.display());
        }
        a_page_shows_text(&fs::read_to_string(&written.report).unwrap());
        a_spreadsheet_shows_text(&fs::read_to_string(folder.path().join("trials.csv")).unwrap());
        assert!(!crate::text::shown(&written.summary).chars().any(|c| is_hidden(c) && c != '\n'));
    }
}

fn a_page_shows_text(report: &str) {
    let mut shown = String::new();
    for mark in Parser::new_ext(report, Options::ENABLE_TABLES) {
        match mark {
            Mark::Html(html) | Mark::InlineHtml(html) => panic!("HTML: {html}"),
            Mark::Start(Tag::Link { dest_url, .. }) => assert_eq!(&*dest_url, "trials.csv"),
            Mark::Start(Tag::Image { dest_url, .. }) => assert!(dest_url.ends_with(".svg"), "{dest_url}"),
            Mark::Start(Tag::Emphasis) => panic!("emphasis"),
            Mark::Text(text) | Mark::Code(text) => shown.push_str(&text),
            _ => {}
        }
    }
    // As it stands in the title, a cell and code.
    let seen = crate::text::line(HOSTILE);
    assert!(shown.matches(&*seen).count() > 10, "{shown}");
    let headings = report.lines().filter(|line| line.starts_with("# ")).count();
    assert_eq!(headings, 1);
}

fn a_spreadsheet_shows_text(csv: &str) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let mut quoted = 0;
    for record in reader.records() {
        for cell in &record.unwrap() {
            assert!(!cell.starts_with(['=', '+', '@', '\t', '\r']), "{cell}");
            assert!(!cell.starts_with('-') || cell.parse::<f64>().is_ok(), "{cell}");
            quoted += usize::from(cell.starts_with("'="));
        }
    }
    assert!(quoted > 10);
}
