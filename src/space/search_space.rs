//! A search space: how many candidates, which is the n-th, and one drawn by chance.

use std::path::Path;

use rand::{Rng, RngExt};

use super::candidate::{Candidate, Head};
use super::constraints::Constraints;
use super::count::{CountError, Counter, Picks, Step};
use super::file::{self, Content};
use super::shared::SharedChoice;
use super::unit::{self, Source, Unit, UnitKind, Values, Variant};
use crate::config::yaml::Document;
use crate::error::{Error, Result};

const WHAT: &str = "search space file";

/// What may vary in a network, as a file says it.
///
/// Candidates are numbered from 0 to [`size`](Self::size) - 1 in a fixed order, each distinct network once: the stem's
/// decisions change slowest, the bias switch fastest, levels in the order of the file.
#[derive(Debug, Clone)]
pub struct SearchSpace {
    pub name: String,
    pub description: Option<String>,
    /// Channels, height and width of the images the space is meant for.
    pub input: [usize; 3],
    pub classes: usize,
    pub constraints: Constraints,
    units: Vec<Unit>,
    variants: Vec<Vec<Variant>>,
    choices: Vec<SharedChoice>,
    counter: Counter,
}

/// A candidate and the choices that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// Its number in the space.
    pub index: u128,
    pub candidate: Candidate,
    /// Factor and level of each choice that has an effect on this candidate: (`stages[3].cap`, `8`).
    pub choices: Choices,
}

/// Factor and level of each choice.
pub type Choices = Vec<(String, String)>;

/// A level, by its number, for each factor of a space.
pub type Genome = Vec<usize>;

/// The place of a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GenePlace {
    Shared(usize),
    /// Unit, and field of it.
    Own(usize, usize),
}

/// Something that may vary, and its levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    pub name: String,
    pub levels: Vec<String>,
}

impl SearchSpace {
    /// Reads a search space file.
    ///
    /// # Errors
    /// A sentence with file, line and column for each mistake in the file.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_with(path, &[])
    }

    /// Reads a search space file, with assignments such as `stages[1].kernel=5` laid over it.
    ///
    /// # Errors
    /// As [`load`](Self::load), or the assignment that is wrong.
    pub fn load_with(path: &Path, assignments: &[String]) -> Result<Self> {
        let mut document = Document::load(path, WHAT)?;
        document.set(assignments)?;
        Self::from_document(&document)
    }

    /// Reads a text; `file` is its name in messages.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        Self::from_document(&Document::parse(file, text.to_owned(), WHAT)?)
    }

    fn from_document(document: &Document) -> Result<Self> {
        document.read(|root| {
            let content = file::read(&root)?;
            let name = content.name.clone();
            Self::new(content).map_err(|error| {
                root.problem(match error {
                    CountError::TooMany => format!(
                        "the space `{name}` holds more than 3.4e38 candidates, more than can be counted; remove some levels"
                    ),
                    CountError::TooEntangled => format!(
                        "the shared choices of the space `{name}` depend on each other in too many ways; share fewer of them between distant stages"
                    ),
                })
            })
        })
        .and_then(|space| match space.get(0).map(|drawn| drawn.candidate.check()) {
            Some(Err(message)) => Err(Error::request(format!("the space `{}`: {message}", space.name))),
            _ => Ok(space),
        })
    }

    /// A space in which nothing varies, for a strategy that has its candidates from elsewhere.
    ///
    /// # Errors
    /// None: a space of one candidate can always be counted.
    pub fn fixed(input: [usize; 3], classes: usize) -> Result<Self> {
        let content = Content {
            name: "fixed".into(),
            description: None,
            input,
            classes,
            units: Vec::new(),
            choices: Vec::new(),
            constraints: Constraints::default(),
        };
        Self::new(content).map_err(|_| Error::run("a space of one candidate cannot be counted"))
    }

    fn new(content: Content) -> std::result::Result<Self, CountError> {
        let Content { name, description, input, classes, units, choices, constraints } = content;
        let variants: Vec<Vec<Variant>> = units.iter().map(Unit::variants).collect();
        let steps = units.iter().zip(&variants).map(|(unit, variants)| unit_steps(unit, variants)).collect();
        let levels: Vec<usize> = choices.iter().map(|choice| choice.levels.len()).collect();
        let counter = Counter::new(steps, &levels)?;
        Ok(Self { name, description, input, classes, constraints, units, variants, choices, counter })
    }

    /// The number of distinct candidates before constraints: exact, computed without listing them.
    ///
    /// Two spellings of one network count once: a cap where the block is `ir`, a level listed twice, an activation
    /// where the form has none. Networks are one when their texts are.
    pub fn size(&self) -> u128 {
        self.counter.size()
    }

    /// The candidate with a number, if the number is below the size.
    pub fn get(&self, index: u128) -> Option<Drawn> {
        let (candidate, choices) = self.candidate(&self.counter.pick(index)?)?;
        Some(Drawn { index, candidate, choices })
    }

    /// How many levels each factor has, in the order of [`factors`](Self::factors): what a [`Genome`] may hold.
    pub fn genes(&self) -> Vec<usize> {
        self.places().map(|place| self.levels_at(place)).collect()
    }

    /// The genome of the candidate with a number; factors that have no effect on it are at their first levels.
    pub fn genome(&self, index: u128) -> Option<Genome> {
        let picks = self.counter.pick(index)?;
        let gene = |place| match place {
            GenePlace::Shared(choice) => Some(picks.open[choice].trailing_zeros() as usize),
            GenePlace::Own(unit, field) => {
                let (variant, groups) = &picks.units[unit];
                let slots = &self.variants[unit][*variant];
                let slot = slots.iter().position(|slot| slot.field == field)?;
                Some(slots[slot].groups[groups[slot]][0])
            }
        };
        Some(self.places().map(|place| gene(place).unwrap_or(0)).collect())
    }

    /// The candidate that a genome makes: levels of factors that have no effect on it do not matter. `None` where the genome
    /// is not one of this space.
    pub fn make(&self, genome: &[usize]) -> Option<(Candidate, Choices)> {
        let places: Vec<GenePlace> = self.places().collect();
        let fits = |(gene, place): (&usize, &GenePlace)| *gene < self.levels_at(*place);
        if genome.len() != places.len() || !genome.iter().zip(&places).all(fits) {
            return None;
        }
        // A factor of one level has no gene.
        let level = |place| places.iter().position(|p| *p == place).map_or(0, |i| genome[i]);
        let mut open: Vec<u64> =
            (0..self.choices.len()).map(|choice| self.counter.all_levels(choice)).collect();
        let mut units = Vec::new();
        for (number, unit) in self.units.iter().enumerate() {
            let level_of = |slot: &unit::Slot| match &unit.fields[slot.field].1 {
                Source::Own(_) => level(GenePlace::Own(number, slot.field)),
                Source::Shared(choice, _) => level(GenePlace::Shared(*choice)),
            };
            let group =
                |slot: &unit::Slot| slot.groups.iter().position(|group| group.contains(&level_of(slot)));
            let groups = |variant: &Variant| variant.iter().map(group).collect::<Option<Vec<usize>>>();
            let found = self.variants[number].iter().enumerate();
            let (variant, groups) = found.filter_map(|(i, variant)| Some((i, groups(variant)?))).next()?;
            for (slot, group) in self.variants[number][variant].iter().zip(&groups) {
                if let Source::Shared(choice, _) = &unit.fields[slot.field].1 {
                    open[*choice] &= slot.groups[*group].iter().fold(0, |mask, level| mask | 1 << level);
                }
            }
            units.push((variant, groups));
        }
        self.candidate(&Picks { units, open })
    }

    /// Where genes are, in their order.
    fn places(&self) -> impl Iterator<Item = GenePlace> + '_ {
        let shared = (0..self.choices.len()).map(GenePlace::Shared);
        let own = self.units.iter().enumerate().flat_map(|(number, unit)| {
            let own =
                unit.fields.iter().enumerate().filter(|(_, (_, source))| matches!(source, Source::Own(_)));
            own.map(move |(field, _)| GenePlace::Own(number, field))
        });
        shared.chain(own).filter(|place| self.levels_at(*place) > 1)
    }

    fn levels_at(&self, place: GenePlace) -> usize {
        match place {
            GenePlace::Shared(choice) => self.choices[choice].levels.len(),
            GenePlace::Own(unit, field) => self.units[unit].fields[field].1.levels().len(),
        }
    }

    fn candidate(&self, picks: &Picks) -> Option<(Candidate, Choices)> {
        let mut choices = Vec::new();
        for (choice, (open, number)) in self.choices.iter().zip(picks.open.iter().zip(0..)) {
            if *open != self.counter.all_levels(number) {
                let level = choice.levels.get(open.trailing_zeros() as usize)?;
                choices.push((choice.name.clone(), level.clone()));
            }
        }
        let mut candidate = Candidate {
            stem: None,
            stages: Vec::new(),
            head: Head { conv: None, dropout: None },
            conv_bias: false,
        };
        for (number, (variant, groups)) in picks.units.iter().enumerate() {
            let unit = &self.units[number];
            let mut values: Values = Vec::new();
            for (slot, group) in self.variants[number][*variant].iter().zip(groups) {
                let (field, source) = &unit.fields[slot.field];
                let level = match source {
                    Source::Own(levels) => {
                        let level = slot.groups[*group][0];
                        let without_effect = slot.groups.len() == 1 && slot.groups[0].len() == levels.len();
                        if !without_effect {
                            choices.push((unit.factor(*field), levels[level].to_string()));
                        }
                        levels[level]
                    }
                    Source::Shared(choice, levels) => levels[picks.open[*choice].trailing_zeros() as usize],
                };
                values.push((*field, level));
            }
            match unit.kind {
                UnitKind::Stem => candidate.stem = unit::stem(&values),
                UnitKind::Stage => candidate.stages.push(unit::stage(&values)),
                UnitKind::Head => candidate.head.conv = unit::head(&values),
                UnitKind::ConvBias => candidate.conv_bias = unit::conv_bias(&values),
            }
        }
        Some((candidate, choices))
    }

    /// Every candidate in order, one at a time.
    pub fn iter(&self) -> impl Iterator<Item = Drawn> + '_ {
        (0..self.size()).map_while(|index| self.get(index))
    }

    /// A candidate drawn uniformly from the distinct ones.
    pub fn sample(&self, rng: &mut impl Rng) -> Option<Drawn> {
        self.get(rng.random_range(0..self.size()))
    }

    /// Everything that may vary: shared choices first, then fields in the order of the network.
    pub fn factors(&self) -> Vec<Factor> {
        let factor = |place| match place {
            GenePlace::Shared(choice) => {
                let SharedChoice { name, levels, .. } = &self.choices[choice];
                Factor { name: name.clone(), levels: levels.clone() }
            }
            GenePlace::Own(unit, field) => {
                let unit = &self.units[unit];
                let (field, source) = &unit.fields[field];
                let levels = source.levels().iter().map(ToString::to_string).collect();
                Factor { name: unit.factor(*field), levels }
            }
        };
        self.places().map(factor).collect()
    }
}

/// A unit's variants as the counter takes them.
fn unit_steps(unit: &Unit, variants: &[Variant]) -> Vec<Vec<Step>> {
    let step = |slot: &unit::Slot| match &unit.fields[slot.field].1 {
        Source::Own(_) => Step::Own(slot.groups.len() as u128),
        Source::Shared(choice, _) => {
            let mask = |group: &Vec<usize>| group.iter().fold(0u64, |mask, level| mask | 1 << level);
            Step::Shared(*choice, slot.groups.iter().map(mask).collect())
        }
    };
    variants.iter().map(|variant| variant.iter().map(step).collect()).collect()
}
