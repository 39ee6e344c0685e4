//! The squeeze of CSE blocks, from the widths that were built: cap, reduction and which of the two limits the other.

use crate::arch::blocks::cse::Guard;
use crate::space::CapMode;

/// A block's pixels before the squeeze, and its width after it.
pub type Squeeze = (usize, usize);

/// Largest cap and reduction.
const MOST: usize = 65_536;
/// Reductions as people write them: the notation's default first.
const USUAL: [usize; 7] = [16, 8, 4, 32, 2, 64, 1];
/// As many of these are tried with a cap before a rarer one is tried without.
const COMMON: usize = 3;

/// The guard that gives each block its width: `before`, that of the blocks before, where it does, so that networks read alike
/// throughout; else the plainest. `None` where no one guard gives all.
pub fn of(squeezes: &[Squeeze], before: Option<Guard>) -> Option<Guard> {
    let fits = |guard: &Guard| squeezes.iter().all(|(pixels, width)| guard.width(*pixels) == *width);
    if let Some(before) = before.filter(fits) {
        return Some(before);
    }
    let widths = || squeezes.iter().map(|(_, width)| *width);
    let way = |cap: Option<usize>, mode: CapMode| {
        let (low, high) = reductions(squeezes, cap, mode)?;
        Some((Guard { cap, reduction: low, mode }, low..=high))
    };
    let free = way(None, CapMode::Min);
    let ceiling = widths().max().filter(|cap| *cap <= MOST).and_then(|cap| way(Some(cap), CapMode::Min));
    let floor = widths().min().filter(|cap| *cap <= MOST).and_then(|cap| way(Some(cap), CapMode::Max));
    let usual = |way: &Option<(Guard, std::ops::RangeInclusive<usize>)>, count: usize| {
        let (guard, range) = way.as_ref()?;
        let reduction = USUAL[..count].iter().copied().find(|reduction| range.contains(reduction))?;
        Some(Guard { reduction, ..*guard })
    };
    let common = usual(&free, COMMON).or_else(|| usual(&ceiling, COMMON));
    let any = |way| usual(way, USUAL.len()).or(way.as_ref().map(|(guard, _)| *guard));
    common.or_else(|| [&free, &ceiling, &floor].into_iter().find_map(any))
}

/// Smallest and largest reduction with which a cap gives each block its width.
fn reductions(squeezes: &[Squeeze], cap: Option<usize>, mode: CapMode) -> Option<(usize, usize)> {
    let (mut low, mut high) = (1, MOST);
    for (pixels, width) in squeezes.iter().copied().filter(|(_, width)| *width > 0) {
        let is_guarded = cap == Some(width);
        // As many pixels reduced are the width, or beyond the cap.
        if !is_guarded || mode == CapMode::Max {
            low = low.max(pixels / (width + 1) + 1);
        }
        if !is_guarded || mode == CapMode::Min {
            high = high.min(pixels / width);
        }
    }
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(squeezes: &[Squeeze]) -> Option<(Option<usize>, usize, CapMode)> {
        of(squeezes, None).map(|guard| (guard.cap, guard.reduction, guard.mode))
    }

    /// By hand: 1024 pixels over 16 are 64, 256 are 16, 64 are 4.
    #[test]
    fn the_plainest_guard_is_found() {
        let (min, max) = (CapMode::Min, CapMode::Max);
        assert_eq!(guard(&[(64, 4)]), Some((None, 16, min)));
        assert_eq!(guard(&[(1024, 8), (256, 8), (64, 4)]), Some((Some(8), 16, min)));
        assert_eq!(guard(&[(64, 8)]), Some((None, 8, min)));
        assert_eq!(guard(&[(256, 64), (64, 32)]), Some((Some(64), 2, min)));
        assert_eq!(guard(&[(256, 16), (64, 8)]), Some((Some(16), 8, min)));
        assert_eq!(guard(&[(64, 100)]), Some((Some(100), 16, max)));
        assert_eq!(guard(&[(100, 33), (100, 32)]), None);
        assert_eq!(guard(&[(49, 7)]), Some((Some(7), 4, min)));
    }

    #[test]
    fn the_guard_of_before_is_kept_where_it_fits() {
        let before = Guard { cap: Some(8), reduction: 16, mode: CapMode::Min };
        assert_eq!(of(&[(64, 4)], Some(before)), Some(before));
        assert_eq!(of(&[(64, 8)], Some(before)).unwrap().reduction, 8);
    }
}
