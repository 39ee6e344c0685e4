//! Numbers with units: amounts in ones, shares of one, and percent. What looks like a number of another unit is refused with
//! what to write; a text with `%` says which unit is meant.

use std::ops::RangeBounds;

use super::node::Node;
use super::read::{At, Read};
use crate::text::{self, decimal, thousands};

/// The amount a text such as `400k`, `0.5M` or `2MiB` stands for; k, M and G are powers of 1000, KiB and so on of 1024.
pub fn amount(text: &str) -> Option<f64> {
    let (number, unit) = parts(text);
    let factor = match unit {
        "" => 1.0,
        "k" | "K" | "kB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let value = number.replace('_', "").parse::<f64>().ok()? * factor;
    (value.is_finite() && (0.0..1e18).contains(&value)).then_some(value)
}

/// A number and its unit.
fn parts(text: &str) -> (&str, &str) {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    (number.trim(), unit.trim())
}

/// Why a text is no amount although it is a number: without a unit amounts are whole, since they count params,
/// multiply-adds or bytes one by one. `0.5` is most often half a million.
pub fn without_unit(text: &str) -> Option<String> {
    let (number, unit) = parts(text);
    let value = amount(number).filter(|value| unit.is_empty() && value.fract() != 0.0)?;
    Some(in_ones(number, value))
}

fn in_ones(number: &str, value: f64) -> String {
    let millions = thousands((value * 1e6).round() as u64);
    format!("{number} has no unit, and without one amounts are whole: write {number}M for {millions}")
}

/// The percentage of a text such as `91.2%`.
fn percent(text: &str) -> Option<f64> {
    text.trim().strip_suffix('%')?.trim_end().parse().ok().filter(|value: &f64| value.is_finite())
}

impl At<'_> {
    /// A finite amount from 0 that may have a unit: `400k`, `0.5M`, `2MiB`; whole where it has none.
    pub fn amount(&self, what: &str) -> Read<f64> {
        if let Node::Text(text) = self.node {
            return match without_unit(text) {
                Some(why) => Err(self.problem(why)),
                None => amount(text).ok_or_else(|| self.is_not(what)),
            };
        }
        let value = self.number(0.0..1e18, what)?;
        if value.fract() == 0.0 {
            Ok(value)
        } else {
            Err(self.problem(in_ones(&self.node.describe(), value)))
        }
    }

    /// A percentage from 0 to 100, such as 91.2 or `91.2%`. Above 0 and up to 1 it takes the sign to be one: 0.91 is most often
    /// a fraction. `what` names the quantity: `an accuracy`.
    pub fn percent(&self, what: &str) -> Read<f64> {
        let is_not = || self.is_not(&format!("{what} in percent (0 to 100)"));
        if let Node::Text(text) = self.node {
            return percent(text).filter(|value| (0.0..=100.0).contains(value)).ok_or_else(is_not);
        }
        let value = self.number(.., what).map_err(|_| is_not())?;
        if value > 0.0 && value <= 1.0 {
            let (written, meant) = (self.node.describe(), decimal(value * 100.0));
            return Err(self.problem(format!(
                "{written} looks like a fraction, and {what} here is in percent: write {meant} (or {written}% where that is meant)"
            )));
        }
        if (0.0..=100.0).contains(&value) { Ok(value) } else { Err(is_not()) }
    }

    /// A share or rate within a range up to 1, such as 0.9 or `90%`; `what` describes both. A number that would be one as
    /// percent is refused with that.
    pub fn share(&self, range: impl RangeBounds<f64> + Clone, what: &str) -> Read<f64> {
        if let Node::Text(text) = self.node {
            let share = percent(text).map(|value| value / 100.0);
            return share.filter(|share| range.contains(share)).ok_or_else(|| self.is_not(what));
        }
        self.number(range.clone(), what).map_err(|mut problem| {
            problem.message += &self.if_percent(range).unwrap_or_default();
            problem
        })
    }

    /// `; for 90 % write 0.9`, where this is a number from 1 to 100 whose hundredth is within `range`.
    pub fn if_percent(&self, range: impl RangeBounds<f64>) -> Option<String> {
        text::if_percent(self.number(1.0..=100.0, "").ok()?, |share| range.contains(&share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(node: Node, read: impl Fn(&At<'_>) -> Read<T>) -> std::result::Result<T, String> {
        read(&At::root(&node)).map_err(|problem| problem.message)
    }

    #[test]
    fn amounts_without_a_unit_are_whole() {
        let read = |node| at(node, |at| at.amount("an amount"));
        assert_eq!(read(Node::Float(5e6)), Ok(5e6));
        assert_eq!(read(Node::Text("0.5M".into())), Ok(5e5));
        assert_eq!(read(Node::Text("5e5".into())), Ok(5e5));
        // 1000 * 0.3633 is not whole in binary, and has a unit.
        assert!(read(Node::Text("0.3633k".into())).is_ok());
        let half = "0.5 has no unit, and without one amounts are whole: write 0.5M for 500,000";
        assert_eq!(read(Node::Float(0.5)), Err(half.into()));
        assert_eq!(read(Node::Text("0.5".into())), Err(half.into()));
        assert!(read(Node::Float(363.5)).unwrap_err().ends_with("write 363.5M for 363,500,000"));
        assert_eq!((without_unit("5"), without_unit("0.5 k"), without_unit("half")), (None, None, None));
    }

    #[test]
    fn percent_is_no_fraction() {
        let read = |node| at(node, |at| at.percent("an accuracy"));
        assert_eq!(read(Node::Float(91.2)), Ok(91.2));
        assert_eq!(read(Node::Int(0)), Ok(0.0));
        assert_eq!(read(Node::Text("91.2 %".into())), Ok(91.2));
        assert_eq!(read(Node::Text("0.5%".into())), Ok(0.5));
        for (node, part) in [
            (
                Node::Float(0.912),
                "0.912 looks like a fraction, and an accuracy here is in percent: write 91.2 (or",
            ),
            (Node::Float(0.58), "write 58 (or 0.58% where that is meant)"),
            (Node::Int(1), "write 100 (or 1% where"),
            (Node::Int(912), "912 is not an accuracy in percent (0 to 100)"),
            (Node::Float(-0.1), "-0.1 is not an accuracy in percent (0 to 100)"),
            (Node::Text("91".into()), "`91` is not an accuracy in percent (0 to 100)"),
            (Node::Float(f64::NAN), "is not an accuracy in percent (0 to 100)"),
        ] {
            let message = read(node).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_share_is_no_percentage() {
        let read = |node| at(node, |at| at.share(0.0..1.0, "a momentum (from 0, below 1)"));
        assert_eq!((read(Node::Float(0.9)), read(Node::Text("90%".into()))), (Ok(0.9), Ok(0.9)));
        let refused = |node| read(node).unwrap_err();
        assert_eq!(refused(Node::Int(90)), "90 is not a momentum (from 0, below 1); for 90 % write 0.9");
        assert_eq!(refused(Node::Int(7)), "7 is not a momentum (from 0, below 1); for 7 % write 0.07");
        assert_eq!(refused(Node::Float(-0.1)), "-0.1 is not a momentum (from 0, below 1)");
        assert_eq!(refused(Node::Text("100%".into())), "`100%` is not a momentum (from 0, below 1)");
        assert_eq!(refused(Node::Int(101)), "101 is not a momentum (from 0, below 1)");
    }
}
