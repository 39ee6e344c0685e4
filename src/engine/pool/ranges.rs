//! Which parts of a span of memory are free.

use std::collections::BTreeMap;

/// The free ranges of a span: start to length, neighbours merged.
#[derive(Debug, Default)]
pub struct Ranges {
    free: BTreeMap<usize, usize>,
}

impl Ranges {
    /// A span of `len` that is free.
    pub fn new(len: usize) -> Self {
        Self { free: BTreeMap::from([(0, len)]) }
    }

    /// Takes the lowest free place for `len`. Lowest first keeps what has been touched together: a training step takes in
    /// forward order and gives back in backward order, so holes stay few.
    pub fn take(&mut self, len: usize) -> Option<usize> {
        let (&start, &free) = self.free.iter().find(|(_, free)| **free >= len)?;
        self.free.remove(&start);
        if free > len {
            self.free.insert(start + len, free - len);
        }
        Some(start)
    }

    /// Gives a taken range back.
    pub fn give(&mut self, mut start: usize, mut len: usize) {
        if let Some((&before, &of)) = self.free.range(..start).next_back()
            && before + of == start
        {
            self.free.remove(&before);
            (start, len) = (before, of + len);
        }
        if let Some(of) = self.free.remove(&(start + len)) {
            len += of;
        }
        self.free.insert(start, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_place_is_taken_and_neighbours_merge() {
        let mut ranges = Ranges::new(100);
        assert_eq!([40, 20, 30].map(|len| ranges.take(len)), [Some(0), Some(40), Some(60)]);
        assert_eq!(ranges.take(11), None);
        ranges.give(0, 40);
        ranges.give(60, 30);
        assert_eq!([10, 35, 31].map(|len| ranges.take(len)), [Some(0), Some(60), None]);
        ranges.give(40, 20);
        assert_eq!(ranges.take(50), Some(10));
        ranges.give(10, 50);
        ranges.give(60, 35);
        ranges.give(0, 10);
        assert_eq!(ranges.take(100), Some(0));
    }
}
