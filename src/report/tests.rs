use std::fs;

use super::synthetic::{candidate, mix, search};
use super::*;
use crate::study::event::{EpochMetrics, Event, Metrics, TrialResult};

/// A journal of two variants with two seeds, written by hand: accuracies 70.0, 71.0 and 72.5, 73.1 on test.
fn two_variants() -> Vec<Record> {
    let mut study = mix();
    study.candidates.truncate(2);
    study.published.truncate(2);
    study.candidates[0].0.label = "baseline".to_owned();
    study.candidates[1].0.label = "mix | new".to_owned();
    study.epochs = 1;
    let mut records = study.records();
    let mut tests = [70.0, 71.0, 72.5, 73.1].into_iter();
    for record in &mut records {
        match &mut record.event {
            Event::TestEvaluated { test, .. } => test.accuracy = tests.next().unwrap_or(0.0),
            // The result is that of the last epoch, of which there is one.
            Event::EpochFinished { epoch, .. } => epoch.validation.accuracy = 60.0,
            Event::TrialFinished { result, .. } => result.validation.accuracy = 60.0,
            _ => {}
        }
    }
    records
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect(name)
}

#[test]
fn the_ablation_table_reads_as_expected() {
    let findings = Findings::of(&two_variants());
    let ablation = findings.ablation.as_ref().expect("variants");
    // SciPy 1.17.1: np.std([70.0, 71.0], ddof=1) = 0.7071, np.std([72.5, 73.1], ddof=1) = 0.4243;
    // stats.ttest_ind([72.5, 73.1], [70.0, 71.0], equal_var=False): p = 0.0804, confidence_interval() = (-0.8243, 5.4243)
    let expected = "\
| variant    |    params | % of baseline | multiply-adds | % of baseline | test accuracy (%) | seeds | difference (points) |  95 % interval |     p | published params | published (%) |
| ---------- | ---------:| -------------:| -------------:| -------------:| -----------------:| -----:| -------------------:| --------------:| -----:| ----------------:| -------------:|
| baseline   | 2,253,738 |         100.0 |    87,980,000 |         100.0 |      70.50 ± 0.71 |     2 |                   - |              - |     - |           2.253M |         91.74 |
| mix \\| new |   425,746 |          18.9 |    55,100,000 |          62.6 |      72.80 ± 0.42 |     2 |               +2.30 | [-0.82, +5.42] | 0.080 |           0.425M |         90.01 |
";
    assert_eq!(tables::ablation(ablation).markdown(), expected);
    let terminal = findings.terminal();
    assert!(terminal.starts_with("mix-ablation: 4 of 4 trials finished.\n"));
    assert!(terminal.contains("mix | new") && terminal.contains("[-0.82, +5.42]"));
    assert!(terminal.lines().all(|l| l.chars().count() <= 132), "{terminal}");
}

#[test]
fn the_report_reads_as_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&two_variants(), None, folder.path()).expect("a report");
    let report = text(folder.path(), "report.md");
    let table = Findings::of(&two_variants());
    let table = tables::ablation(table.ablation.as_ref().expect("variants")).markdown();
    let expected = format!(
        "\
# mix-ablation

What a synthetic study would say.

4 of 4 trials finished.

## Ablation

{table}
Accuracy is on the test split, read once per trial after all training; mean ± sample standard deviation over seeds. Intervals (95 %) and two-sided p-values are of Welch's t-test against the baseline. With 2 seeds the intervals are wide: they say what these runs can and cannot tell apart. Published figures are as their authors print them, with their own training, not this budget.

![Difference of each variant from the baseline](ablation.svg)

## Pareto fronts

### Params against accuracy

1 of 2 variants on the front. Hypervolume: 57.8 % of the box from 0 to 1.1 times the largest cost and from chance to 100 %.

On the front, cheapest first: mix \\| new.

![Pareto front of parameters against test accuracy](pareto-params.svg)

### Multiply-adds against accuracy

1 of 2 variants on the front. Hypervolume: 30.1 % of the box from 0 to 1.1 times the largest cost and from chance to 100 %.

On the front, cheapest first: mix \\| new.

![Pareto front of multiply-adds against test accuracy](pareto-madds.svg)

## Learning curves

![Learning curves](learning-curves.svg)

## How this was run

- **Command**: `blocksmith run experiments/mix-ablation.yaml`
- **Machine**: A Processor, 2 cores, linux x86_64; 2 jobs with 1 thread each
- **Version**: blocksmith 0.1.0
- **Time**: 2026-09-21 14:13 UTC to 2026-09-21 14:13 UTC; 1 min 26 s of training summed over trials
- **Candidates**: 2 variants named in the experiment
- **Seeds**: 0, 1 (study seed 7)
- **Training**: SGD with Nesterov momentum 0.9, learning rate 0.1 falling to 0 along half a cosine, reached after 1 epoch of linear warm-up, weight decay 0.0005 (not on batch norm, PReLU slopes and biases), label smoothing 0.1, batches of 64, 1 epoch, images padded by 4 pixels of zeros after normalisation (the mean colour) and cropped back at random, flipped left to right with probability one half.
- **Epoch**: 44,992 of the 45,000 training images in 703 batches of 64; the other 8, different ones in every epoch, are less than half a batch (train.drop_last: false takes them too)
- **Data**: CIFAR-10 (binary batches); 10 classes; 45,000 training, 5,000 validation, 10,000 test images
- **Data hash**: SHA-256 `c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff`
- **Subset**: A subset of the data: at most 45,000 training images (stratified, chosen from the study's seed). Accuracies may be lower than with all images.
- **Test split**: read once for every finished trial, after all training and every choice were done
- **Every trial**: [trials.csv](trials.csv)
"
    );
    assert_eq!(report, expected);
}

#[test]
fn every_figure_is_a_real_svg_and_png_that_names_the_candidates() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut study = mix();
    // A name that is trouble for XML, tables and terminals.
    study.candidates[3].0.label = "mix <b> & \"q\" \u{1b}[31m".to_owned();
    let written = write(&study.records(), None, folder.path()).expect("a report");
    for name in ["ablation", "pareto-params", "pareto-madds", "learning-curves"] {
        let svg = text(folder.path(), &format!("{name}.svg"));
        assert_well_formed(&svg);
        assert!(svg.contains("optimized") && svg.contains("mix &lt;b&gt; &amp; &quot;q&quot;"), "{name}");
        let png = image::open(folder.path().join(format!("{name}.png"))).expect("a PNG").to_rgb8();
        let ink = png.pixels().filter(|p| p.0 != [255, 255, 255]).count();
        assert_eq!(png.width(), 1720);
        assert!(ink > 5_000, "{name}: {ink} pixels that are not white");
    }
    assert!(!written.summary.contains('\u{1b}'));
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder")
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|n| n.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "temporary files stay: {left:?}");
    assert_eq!(written.files.len(), 10);
}

/// Tags are balanced, attributes quoted, nothing is left unescaped.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let between = &rest[..start];
        assert!(!between.contains('>'), "a bare > in {between:?}");
        assert!(between.chars().all(|c| c == '\n' || !c.is_control()), "{between:?}");
        let end = rest[start..].find('>').expect("a tag ends") + start;
        let tag = &rest[start + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = |t: &'_ str| t.split_whitespace().next().map(str::len).unwrap_or(0);
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') {
            open.push(&tag[..name(tag)]);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty());
    for entity in svg.split('&').skip(1) {
        assert!(entity.split(';').next().is_some_and(|e| e.len() <= 4), "{entity}");
    }
}

#[test]
fn the_same_journal_gives_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().expect("a"), tempfile::tempdir().expect("b"));
    let records = search(12, 0).records();
    let first = write(&records, None, a.path()).expect("a report");
    write(&records, None, b.path()).expect("a report");
    for file in first.files {
        let name = file.file_name().expect("a name");
        let again = fs::read(b.path().join(name)).expect("the same file");
        assert_eq!(fs::read(&file).expect("a file"), again, "{name:?}");
    }
}

#[test]
fn a_search_has_its_front_on_validation_with_effects_and_factor_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut study = search(30, 0);
    study.test = true;
    write(&study.records(), None, folder.path()).expect("a report");
    let report = text(folder.path(), "report.md");
    for part in [
        "30 candidates drawn uniformly from `search-spaces/mix-cifar10.yaml`",
        "The fronts are chosen on the validation split",
        "validation accuracy (%) | test accuracy (%)",
        "## Effects of the factors",
        r"stages\[3\].cap",
        "(effects.svg)",
    ] {
        assert!(report.contains(part), "{part}");
    }
    assert!(!report.contains("## Ablation"));
    let mut reader = csv::Reader::from_path(folder.path().join("trials.csv")).expect("the CSV");
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|h| h == name).expect("the column");
    let (block, cap) = (column("stages[3].block"), column("stages[3].cap"));
    let rows: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a row")).collect();
    assert_eq!(rows.len(), 30);
    // A factor that a condition switched off has no level.
    assert!(rows.iter().all(|r| (&r[block] == "cse") != r[cap].is_empty()));
    assert!(
        rows.iter().all(|r| &r[column("status")] == "finished" && !r[column("test_accuracy")].is_empty())
    );
}

#[test]
fn an_empty_journal_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = write(&[], None, folder.path()).expect("a report");
    assert!(text(folder.path(), "report.md").contains("**The journal is empty: nothing was run.**"));
    assert!(written.summary.contains("nothing was run"));
    assert_eq!(written.files.len(), 2);
}

#[test]
fn an_unfinished_study_reports_what_is_done_and_why_trials_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut study = mix();
    study.test = false;
    study.finished = false;
    let mut records = study.records();
    let failed = |r: &Record| matches!(r.event, Event::TrialFinished { trial: 8, .. });
    for record in &mut records {
        if failed(record) {
            record.event = Event::TrialFailed {
                trial: 8,
                epoch: 12,
                reason: "the loss is not finite".to_owned(),
                again: false,
            };
        }
        // Its last losses are not numbers, as in a diverged run.
        if let Event::EpochFinished { trial: 8, epoch } = &mut record.event
            && epoch.epoch > 10
        {
            epoch.train.loss = f64::NAN;
            epoch.validation.loss = f64::INFINITY;
        }
    }
    write(&records, None, folder.path()).expect("a report");
    let report = text(folder.path(), "report.md");
    for part in [
        "**This study is not finished: 7 of 8 trials finished, 1 failed.**",
        "validation accuracy (%)",
        "since the test split has not been read",
        "## Failed trials",
        "the loss is not finite",
        "1 of 2",
        "not read yet",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
}

#[test]
fn a_study_without_a_finished_trial_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut records = mix().records();
    let end =
        records.iter().position(|r| matches!(r.event, Event::TrialFinished { .. })).expect("one finishes");
    records.truncate(end);
    write(&records, None, folder.path()).expect("a report");
    let report = text(folder.path(), "report.md");
    assert!(report.contains("**No trial has finished, so there is no accuracy to report yet.**"));
    assert!(report.contains("(learning-curves.svg)") && !report.contains("pareto"));
}

#[test]
fn a_trial_that_starts_over_forgets_its_first_attempt() {
    let mut records = two_variants();
    let metrics = Metrics { loss: 1.0, accuracy: 50.0, images: 10 };
    let epoch = EpochMetrics { epoch: 1, lr: 0.1, train: metrics, validation: metrics, seconds: 1.0 };
    let result = TrialResult { epochs: 1, train: metrics, validation: metrics, seconds: 1.0 };
    let at = records.last().expect("records").at;
    let trial = 1;
    let failed = Event::TrialFailed { trial, epoch: 1, reason: "once".to_owned(), again: false };
    let again = [
        Event::TrialStarted { trial },
        failed,
        Event::TrialStarted { trial },
        Event::EpochFinished { trial, epoch },
        Event::TrialFinished { trial, result },
    ];
    records.extend(again.map(|event| Record { at, event }));
    let study = Findings::of(&records).study;
    let trial = &study.trials[0];
    assert_eq!((trial.epochs.len(), trial.test, &trial.failure), (1, None, &None));
    assert_eq!(crate::analysis::summary::accuracy(trial, crate::analysis::Split::Validation), Some(50.0));
}

#[test]
fn an_unwritable_folder_is_the_users_to_mend() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let error = write(&[], None, &file.join("report")).expect_err("no folder in a file");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("choose a folder you may write to"), "{error}");
}

#[test]
fn equal_labels_of_different_candidates_are_told_apart() {
    let mut study = search(3, 0);
    for (c, _) in &mut study.candidates {
        *c = candidate("same", false, c.params, c.madds);
    }
    let records = study.records();
    let findings = Findings::of(&records);
    let names: std::collections::BTreeSet<String> =
        findings.study.candidates().into_iter().map(|c| c.name).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
#[ignore = "writes pictures to look at into target/look: cargo test --lib report::tests::pictures -- --ignored"]
fn pictures_to_look_at() {
    let folder = Path::new("target/look");
    let mut one = search(1, 0);
    one.epochs = 1;
    let mut long = mix();
    for (i, (c, _)) in long.candidates.iter_mut().enumerate() {
        c.label = format!("{i} a name of sixty characters, which is as long as it may get ok");
    }
    let mut seeds = search(8, 0);
    seeds.seeds = 3;
    let cases = [
        ("mix", mix()),
        ("thirty", search(30, 0)),
        ("thirty-long", search(30, 60)),
        ("many", search(200, 0)),
        ("one", one),
        ("long", long),
        ("seeds", seeds),
    ];
    for (name, study) in cases {
        write(&study.records(), None, &folder.join(name)).expect("a report");
    }
}
