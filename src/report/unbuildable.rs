//! What is said of the candidates of a space that are no networks.

use super::format::thousands;
use crate::config::{Experiment, Unbuildable};

/// Reasons that are told; those of fewer candidates are only counted.
const TOLD: usize = 5;

/// What is said of the space that an experiment searches.
pub fn of(experiment: &Experiment) -> Option<String> {
    experiment.search.as_ref()?.content.as_ref()?.unbuildable.as_ref().and_then(sentence)
}

/// The reasons in words; `None` where every candidate can be built.
///
/// Of a space that was judged whole: `81 of 729 candidates cannot be built: 60 x the 4x4 map ... (stages[1].reduction); ...`. Of a
/// sample: `about 3.2 % of the candidates cannot be built (64 of 2,000 drawn by chance): ...`.
pub fn sentence(unbuildable: &Unbuildable) -> Option<String> {
    let Unbuildable { judged, all, count, reasons } = unbuildable;
    if *count == 0 {
        return None;
    }
    let (count, judged) = (*count, *judged);
    let mut text = if *all {
        format!("{} of {} candidates cannot be built: ", thousands(count), thousands(judged))
    } else {
        let share = 100.0 * count as f64 / judged as f64;
        format!(
            "about {share:.1} % of the candidates cannot be built ({} of {} drawn by chance): ",
            thousands(count),
            thousands(judged)
        )
    };
    let told = reasons.iter().take(TOLD);
    let mut parts: Vec<String> =
        told.clone().map(|r| format!("{} x {} ({})", thousands(r.count), r.reason, r.key)).collect();
    match count - told.map(|r| r.count).sum::<u64>() {
        0 => {}
        rest => parts.push(format!("{} for other reasons", thousands(rest))),
    }
    text.push_str(&parts.join("; "));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UnbuildableReason;

    #[test]
    fn the_whole_space_and_a_sample() {
        let reason =
            |count, key: &str| UnbuildableReason { key: key.into(), reason: "too small".into(), count };
        let mut found = Unbuildable {
            judged: 6561,
            all: true,
            count: 1001,
            reasons: vec![reason(1000, "stem"), reason(1, "head")],
        };
        assert_eq!(
            sentence(&found).unwrap(),
            "1,001 of 6,561 candidates cannot be built: 1,000 x too small (stem); 1 x too small (head)"
        );
        found = Unbuildable { judged: 2000, all: false, count: 64, reasons: vec![reason(8, "stem"); 7] };
        let said = sentence(&found).unwrap();
        assert!(
            said.starts_with(
                "about 3.2 % of the candidates cannot be built (64 of 2,000 drawn by chance): 8 x"
            )
        );
        assert!(said.ends_with("; 24 for other reasons"), "{said}");
        assert_eq!(sentence(&Unbuildable { count: 0, ..found }), None);
    }
}
