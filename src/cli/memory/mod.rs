//! The memory budget: what `--memory` says, or most of what the machine has left.

mod available;

use std::path::Path;

use super::numbers;

/// The share of the available memory that is the budget where `--memory` says none: the rest is for the foretelling to
/// be wrong by, and for other programs to breathe.
const SHARE: (u64, u64) = (9, 10);

/// The memory budget of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes; `None` where nobody said and the system does not tell.
    pub bytes: Option<u64>,
    asked: bool,
}

impl Budget {
    /// Nobody said, and the system does not tell.
    #[cfg(test)]
    pub const UNKNOWN: Self = Self { bytes: None, asked: false };

    /// As asked, or a share of what is available now.
    pub fn new(asked: Option<u64>) -> Self {
        let share = |bytes: u64| bytes / SHARE.1 * SHARE.0;
        Self { bytes: asked.or_else(|| available::bytes(Path::new("/")).map(share)), asked: asked.is_some() }
    }

    /// Whether `bytes` are within it.
    pub fn allows(&self, bytes: u64) -> bool {
        self.bytes.is_none_or(|most| bytes <= most)
    }

    /// As a clause: `the memory budget is 8.00 GiB (--memory)`.
    pub fn text(&self) -> String {
        let Some(bytes) = self.bytes else { return "there is no memory budget".into() };
        let source = if self.asked { "--memory" } else { "90 % of what is available; --memory sets another" };
        format!("the memory budget is {} ({source})", numbers::bytes(bytes))
    }
}

/// Units of a size and the bytes in each.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// Reads a size such as `8GiB`, `1.5 GB` or `536870912`, for clap.
///
/// # Errors
/// A clause on the part that is wrong.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = (&text[..end], text[end..].trim());
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("`{digits}` is not a number; write a size such as 8GiB, 512MiB or 2GB"))?;
    let factor = match UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
        Some(&(_, factor)) => factor,
        None if unit.is_empty() => 1,
        None => {
            let letter = unit.to_ascii_uppercase();
            return Err(match letter.as_str() {
                "K" | "M" | "G" | "T" => format!(
                    "`{unit}` may mean two sizes; write {digits}{letter}iB (binary) or {digits}{letter}B (decimal)"
                ),
                _ => format!(
                    "`{unit}` is not a unit; give kB, KiB, MB, MiB, GB, GiB, TB or TiB, or plain bytes"
                ),
            });
        }
    };
    // A float holds every number of bytes up to 9 PB exactly.
    let bytes = (number * factor as f64).round();
    if !(1.0..=9e15).contains(&bytes) {
        return Err("a memory budget is from 1 byte to 9 PB".into());
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("8GiB", 8_589_934_592),
            ("512MiB", 536_870_912),
            ("2GB", 2_000_000_000),
            ("2 gb", 2_000_000_000),
            ("1.5GiB", 1_610_612_736),
            ("64kB", 64_000),
            ("64KiB", 65_536),
            ("0.5TiB", 549_755_813_888),
            ("123456789", 123_456_789),
            ("7B", 7),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_named() {
        for (text, part) in [
            ("", "`` is not a number"),
            ("GiB", "`` is not a number"),
            ("-1GB", "`` is not a number"),
            ("1.2.3GB", "`1.2.3` is not a number"),
            ("8G", "write 8GiB (binary) or 8GB (decimal)"),
            ("8 m", "write 8MiB (binary) or 8MB (decimal)"),
            ("8 gigs", "`gigs` is not a unit"),
            ("50%", "`%` is not a unit"),
            ("1e9", "`e9` is not a unit"),
            ("0", "from 1 byte"),
            ("0.1B", "from 1 byte"),
            ("99999999999999999999TiB", "to 9 PB"),
        ] {
            let error = size(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_budget_allows_what_is_within_it() {
        let budget = Budget::new(Some(1 << 30));
        assert!(budget.allows(1 << 30) && !budget.allows((1 << 30) + 1));
        assert_eq!(budget.text(), "the memory budget is 1.00 GiB (--memory)");
        assert!(Budget::UNKNOWN.allows(u64::MAX));
    }

    /// Whatever machine runs the tests has 1 MiB left and not more than 2^50 bytes.
    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_a_budget() {
        let bytes = Budget::new(None).bytes.unwrap();
        assert!((1 << 20..1 << 50).contains(&bytes), "{bytes}");
    }
}
