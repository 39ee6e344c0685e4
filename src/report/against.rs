//! The report's section on a search beside random search at the same cost.

use serde::Serialize;

use super::figure::race::{Race, Runner};
use super::format::{counted, duration, p_is};
use super::pictures::Picture;
use super::table::{Table, number, text};
use crate::analysis::{Against, Cost, Course, Spent, Standing, StudySummary};
use crate::config::Objective;
use crate::study::event::Record;

/// A search and its baseline.
#[derive(Debug, Clone, Serialize)]
pub struct AgainstRandom {
    strategy: &'static str,
    pub cost: Cost,
    #[serde(skip)]
    courses: [Course; 2],
    #[serde(skip)]
    reference: (f64, f64),
    /// `None` where either has not one candidate yet.
    pub against: Option<Against>,
}

/// Points along a line of a figure.
const POINTS: usize = 60;
/// Parts of the cost at which the table looks.
const PARTS: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

impl AgainstRandom {
    /// That of a study with a search, given the journal of random search.
    pub fn of(study: &StudySummary, records: &[Record], random: &[Record]) -> Option<Self> {
        let search = study.experiment.as_ref()?.search.as_ref()?;
        let cost = if search.objectives.contains(&Objective::Madds) { Cost::Madds } else { Cost::Params };
        let courses = [Course::of(records, cost), Course::of(random, cost)];
        let classes = study.environments.last().map_or(0, |e| e.data.classes.len());
        let chance = if classes > 1 { 100.0 / classes as f64 } else { 0.0 };
        let reference = courses[0].reference(&courses[1], chance);
        let against = Against::of(&courses[0], &courses[1], reference);
        Some(Self { strategy: search.strategy.name(), cost, courses, reference, against })
    }

    /// Percent of the box up to the reference.
    fn percent(&self, hypervolume: f64) -> f64 {
        100.0 * hypervolume / (self.reference.0 * (100.0 - self.reference.1))
    }

    /// Whether the search did better than chance, in one sentence.
    pub fn verdict(&self) -> String {
        let Some(against) = &self.against else {
            return format!(
                "{} cannot be compared with random search yet: one of them has no candidate that was trained for all epochs",
                self.strategy
            );
        };
        let Against { search, random, epochs, p } = against;
        let (ours, theirs) = (self.percent(search.hypervolume), self.percent(random.hypervolume));
        let verdict = match (against.is_chance(), ours > theirs) {
            (true, _) => "is not distinguishable from random search at this budget",
            (false, true) => "is better than random search at this budget",
            (false, false) => "is worse than random search at this budget",
        };
        format!(
            "{} {verdict}: after {} of training each, hypervolume {ours:.2} % against {theirs:.2} % of random search \
             (permutation test over candidates, {})",
            self.strategy,
            counted(*epochs, "epoch"),
            p_is(*p),
        )
    }

    /// The section of the report.
    pub fn section(&self, pictures: &[Picture]) -> String {
        let figures: String = (pictures.iter().filter(|p| p.file.starts_with("against-random")))
            .map(|p| format!("![{}]({}.svg)\n\n", p.caption, p.file))
            .collect();
        let [search, random] = &self.courses;
        format!(
            "## Against random search\n\n{}. Hypervolume is the share of the box up to 1.1 times the largest {} and down to chance \
             that the candidates trained for all epochs dominate, by mean validation accuracy. It is one run of each: another \
             seed gives other numbers. {} trained {} in {} ({} of training, summed over trials), random search {} in {} ({}).\n\n{}\n{figures}",
            self.verdict(),
            self.cost.name(),
            self.strategy,
            counted(search.candidates(), "candidate"),
            counted(search.epochs, "epoch"),
            duration(search.seconds),
            counted(random.candidates(), "candidate"),
            counted(random.epochs, "epoch"),
            duration(random.seconds),
            self.table().markdown(),
        )
    }

    fn table(&self) -> Table {
        let mut table = Table::new(vec![
            number("epochs"),
            number(&format!("hypervolume (%), {}", self.strategy)),
            number("random"),
            number(&format!("best accuracy (%), {}", self.strategy)),
            number("random"),
            text(""),
        ]);
        let most = self.courses.iter().map(|course| course.epochs).min().unwrap_or(0) as f64;
        for part in PARTS {
            let spent = (part * most).round();
            let [ours, theirs] = self.at(Spent::Epochs, spent);
            let accuracy = |standing: &Standing| standing.accuracy.map_or("-".into(), |a| format!("{a:.2}"));
            table.push(vec![
                format!("{spent:.0}"),
                format!("{:.2}", self.percent(ours.hypervolume)),
                format!("{:.2}", self.percent(theirs.hypervolume)),
                accuracy(&ours),
                accuracy(&theirs),
                format!("{} and {} candidates", ours.candidates, theirs.candidates),
            ]);
        }
        table
    }

    fn at(&self, spent: Spent, most: f64) -> [Standing; 2] {
        [0, 1].map(|i| self.courses[i].at(spent, most, self.reference))
    }

    /// Hypervolume and best accuracy against epochs, and against seconds.
    pub fn pictures(&self, name: &str) -> Vec<Picture> {
        let figures = [
            (Spent::Epochs, "against-random-epochs", "Epochs of training"),
            (Spent::Seconds, "against-random-seconds", "Seconds of training, summed over trials"),
        ];
        figures.map(|(spent, file, axis)| self.picture(name, spent, file, axis)).into()
    }

    fn picture(&self, name: &str, spent: Spent, file: &'static str, axis: &str) -> Picture {
        let total = |course: &Course| match spent {
            Spent::Epochs => course.epochs as f64,
            Spent::Seconds => course.seconds,
        };
        let most = self.courses.iter().map(total).fold(f64::INFINITY, f64::min);
        // From where both have something to show.
        let along = (1..=POINTS).map(|i| most * i as f64 / POINTS as f64);
        let has_both = |at: &f64| self.at(spent, *at).iter().all(|standing| standing.accuracy.is_some());
        let budgets: Vec<f64> = along.filter(has_both).collect();
        let line = |i: usize, of: &dyn Fn(&Standing) -> f64| {
            let point = |at: &f64| {
                let value = of(&self.at(spent, *at)[i]);
                (value, value, value)
            };
            budgets.iter().map(point).collect::<Vec<_>>()
        };
        let runner = |i: usize, name: &str| Runner {
            name: name.to_owned(),
            lines: vec![
                line(i, &|standing| self.percent(standing.hypervolume)),
                line(i, &|standing| standing.accuracy.unwrap_or(f64::NAN)),
            ],
        };
        let race = Race {
            title: format!("{name}: {} against random search", self.strategy),
            subtitle: format!("one run of each; cost: {}", self.cost.name()),
            axis: axis.to_owned(),
            runners: vec![runner(0, self.strategy), runner(1, "random")],
            budgets,
            panels: vec!["Hypervolume (%)".into(), "Best mean validation accuracy (%)".into()],
        };
        Picture {
            file,
            caption: format!("{} and random search, by {}", self.strategy, axis.to_lowercase()),
            scene: race.scene(),
        }
    }
}
