//! Which levels of a factor are one network, and where.

use std::collections::{BTreeMap, BTreeSet};

/// A network as the levels that lead to it: factor and level of each.
pub type Levels<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Levels of one factor that lead to one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coincidence {
    pub factor: String,
    pub levels: Vec<String>,
    /// Networks in which they coincide.
    pub networks: usize,
    /// Levels of other factors with which they coincide always, and without which never; `None` where it takes more than
    /// one list for each factor to say so.
    pub only_with: Option<Vec<(String, Vec<String>)>>,
}

/// The coincidences among networks, which are all that there are or all that were trained; those of most networks first.
pub fn coincidences(networks: &[Levels<'_>]) -> Vec<Coincidence> {
    let mut all: Levels<'_> = BTreeMap::new();
    let mut found: BTreeMap<(&str, &BTreeSet<&str>), Vec<&Levels<'_>>> = BTreeMap::new();
    for network in networks {
        for (factor, levels) in network {
            all.entry(factor).or_default().extend(levels);
            if levels.len() > 1 {
                found.entry((factor, levels)).or_default().push(network);
            }
        }
    }
    let mut coincidences: Vec<Coincidence> = found
        .into_iter()
        .map(|((factor, levels), of_it)| Coincidence {
            factor: factor.to_owned(),
            levels: listed(levels),
            networks: of_it.len(),
            only_with: only_with(factor, levels, &of_it, networks, &all),
        })
        .collect();
    coincidences.sort_by_key(|coincidence| std::cmp::Reverse(coincidence.networks));
    coincidences
}

/// The levels of other factors that decide whether these coincide.
fn only_with(
    factor: &str,
    levels: &BTreeSet<&str>,
    of_it: &[&Levels<'_>],
    networks: &[Levels<'_>],
    all: &Levels<'_>,
) -> Option<Vec<(String, Vec<String>)>> {
    let mut with: Levels<'_> = BTreeMap::new();
    for network in of_it {
        for (other, levels) in network.iter().filter(|(other, _)| **other != factor) {
            with.entry(other).or_default().extend(levels);
        }
    }
    with.retain(|other, levels| levels != &all[other]);
    let is_one = |network: &&Levels<'_>| {
        let shares = |(other, levels): (&&str, &BTreeSet<&str>)| {
            network.get(other).is_some_and(|of_it| !of_it.is_disjoint(levels))
        };
        with.iter().all(shares)
    };
    let has_all = |network: &Levels<'_>| {
        let own = network.get(factor);
        own.is_none_or(|own| own.is_disjoint(levels) || own.is_superset(levels))
    };
    let always = networks.iter().filter(is_one).all(has_all);
    always.then(|| with.iter().map(|(other, levels)| ((*other).to_owned(), listed(levels))).collect())
}

/// Levels in numeric order where they are numbers.
fn listed(levels: &BTreeSet<&str>) -> Vec<String> {
    let mut levels: Vec<&str> = levels.iter().copied().collect();
    let number = |level: &str| level.parse::<f64>().unwrap_or(f64::INFINITY);
    levels.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.cmp(b)));
    levels.into_iter().map(str::to_owned).collect()
}

impl std::fmt::Display for Coincidence {
    /// Such as `se: 0.125, 0.25 and 0.5 are one network where expand is 2`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} are one network", self.factor, and(&self.levels, "and"))?;
        match &self.only_with {
            None => write!(f, " in {} of the networks, depending on the other factors", self.networks),
            Some(with) => {
                for (number, (other, levels)) in with.iter().enumerate() {
                    let join = if number == 0 { "where" } else { "and" };
                    write!(f, " {join} {other} is {}", and(levels, "or"))?;
                }
                Ok(())
            }
        }
    }
}

fn and(words: &[String], join: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [words @ .., last] => format!("{} {join} {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network<'a>(levels: &[(&'a str, &[&'a str])]) -> Levels<'a> {
        levels.iter().map(|(factor, levels)| (*factor, levels.iter().copied().collect())).collect()
    }

    fn said(networks: &[Levels<'_>]) -> Vec<String> {
        coincidences(networks).iter().map(Coincidence::to_string).collect()
    }

    #[test]
    fn levels_coincide_where_another_factor_has_them_do_so() {
        let grid = [
            network(&[("expand", &["2"]), ("se", &["0.25", "0.125", "0.5"]), ("k", &["3"])]),
            network(&[("expand", &["2"]), ("se", &["0.25", "0.125", "0.5"]), ("k", &["5"])]),
            network(&[("expand", &["6"]), ("se", &["0.125"]), ("k", &["3"])]),
            network(&[("expand", &["6"]), ("se", &["0.25"]), ("k", &["5"])]),
        ];
        assert_eq!(said(&grid), ["se: 0.125, 0.25 and 0.5 are one network where expand is 2"]);
        assert_eq!(said(&grid[..2]), ["se: 0.125, 0.25 and 0.5 are one network"]);
        assert_eq!(said(&grid[2..]), [""; 0]);
    }

    #[test]
    fn what_one_list_cannot_say_is_not_said() {
        let networks = [
            network(&[("a", &["1"]), ("b", &["8"]), ("se", &["x", "y"])]),
            network(&[("a", &["2"]), ("b", &["9"]), ("se", &["x", "y"])]),
            network(&[("a", &["1"]), ("b", &["9"]), ("se", &["x"])]),
        ];
        assert_eq!(
            said(&networks),
            ["se: x and y are one network in 2 of the networks, depending on the other factors"]
        );
    }
}
