//! Formulas over what is known of a candidate: `95 - 400 * params^-0.25 - 30 / epoch`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A formula, as it was written and ready to be computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formula {
    text: String,
    term: Term,
}

/// What a formula may name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    pub params: f64,
    pub madds: f64,
    /// Counted from 1.
    pub epoch: f64,
    /// Epochs of the whole training.
    pub epochs: f64,
}

/// What stands in a formula, for messages.
pub const WORDS: &str = "numbers, params, madds, epoch, epochs, + - * / ^ ( ), exp, ln, sqrt, min and max";

/// Longest formula; with [`DEEPEST`] it bounds what computing one can take.
const LONGEST: usize = 1000;
/// Most parentheses, signs and powers inside one another.
const DEEPEST: usize = 64;

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Number(f64),
    Variable(Variable),
    Binary(Binary, Box<(Term, Term)>),
    Unary(Unary, Box<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Variable {
    Params,
    Madds,
    Epoch,
    Epochs,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unary {
    Negate,
    Exp,
    Ln,
    Sqrt,
}

impl Formula {
    /// Its value, which need not be finite.
    pub fn value(&self, known: &Known) -> f64 {
        self.term.value(known)
    }

    /// Whether it is another for a training of more epochs.
    pub fn depends_on_epochs(&self) -> bool {
        self.term.names(Variable::Epochs)
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        formula.text
    }
}

impl TryFrom<String> for Formula {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Formula {
    type Err = String;

    /// Reads a formula; what is wrong is a clause for the user.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} characters"));
        }
        let mut reader = Reader { rest: text.trim_start(), depth: 0 };
        let term = reader.sum()?;
        match reader.rest.chars().next() {
            None => Ok(Self { text: text.trim().to_owned(), term }),
            Some(c) => {
                Err(format!("`{c}` is not expected before `{}`", shortened(&reader.rest[c.len_utf8()..])))
            }
        }
    }
}

impl Term {
    fn names(&self, variable: Variable) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Variable(named) => *named == variable,
            Self::Binary(_, terms) => terms.0.names(variable) || terms.1.names(variable),
            Self::Unary(_, term) => term.names(variable),
        }
    }

    fn value(&self, known: &Known) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Variable(Variable::Params) => known.params,
            Self::Variable(Variable::Madds) => known.madds,
            Self::Variable(Variable::Epoch) => known.epoch,
            Self::Variable(Variable::Epochs) => known.epochs,
            Self::Binary(what, sides) => {
                let (a, b) = (sides.0.value(known), sides.1.value(known));
                match what {
                    Binary::Add => a + b,
                    Binary::Subtract => a - b,
                    Binary::Multiply => a * b,
                    Binary::Divide => a / b,
                    Binary::Power => a.powf(b),
                    Binary::Min => a.min(b),
                    Binary::Max => a.max(b),
                }
            }
            Self::Unary(what, of) => {
                let of = of.value(known);
                match what {
                    Unary::Negate => -of,
                    Unary::Exp => of.exp(),
                    Unary::Ln => of.ln(),
                    Unary::Sqrt => of.sqrt(),
                }
            }
        }
    }
}

/// Reads by recursive descent: sums of products of signed powers of atoms.
struct Reader<'a> {
    /// What is left, without spaces before it.
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn sum(&mut self) -> Result<Term, String> {
        let mut term = self.product()?;
        loop {
            let what = if self.takes('+') {
                Binary::Add
            } else if self.takes('-') {
                Binary::Subtract
            } else {
                return Ok(term);
            };
            term = Term::Binary(what, Box::new((term, self.product()?)));
        }
    }

    fn product(&mut self) -> Result<Term, String> {
        let mut term = self.signed()?;
        loop {
            let what = if self.takes('*') {
                Binary::Multiply
            } else if self.takes('/') {
                Binary::Divide
            } else {
                return Ok(term);
            };
            term = Term::Binary(what, Box::new((term, self.signed()?)));
        }
    }

    /// `-x^2` is the negative of a square, and `2^-1` a half.
    fn signed(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} parentheses and signs stand inside one another"));
        }
        let term = if self.takes('-') {
            Term::Unary(Unary::Negate, Box::new(self.signed()?))
        } else {
            let base = self.atom()?;
            if self.takes('^') { Term::Binary(Binary::Power, Box::new((base, self.signed()?))) } else { base }
        };
        self.depth -= 1;
        Ok(term)
    }

    fn atom(&mut self) -> Result<Term, String> {
        if self.takes('(') {
            let inside = self.sum()?;
            return self.closed(inside);
        }
        let Some(first) = self.rest.chars().next() else {
            return Err("it ends where a number or a name is expected".into());
        };
        if first.is_ascii_digit() || first == '.' {
            return self.number();
        }
        if !first.is_ascii_alphabetic() {
            return Err(format!("`{first}` stands where a number or a name is expected"));
        }
        let word = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        let variable = match word {
            "params" => Variable::Params,
            "madds" => Variable::Madds,
            "epoch" => Variable::Epoch,
            "epochs" => Variable::Epochs,
            function => return self.call(function),
        };
        Ok(Term::Variable(variable))
    }

    fn number(&mut self) -> Result<Term, String> {
        let mut before = ' ';
        let digits = self.word(|c| {
            let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            before = c;
            c.is_ascii_alphanumeric() || c == '.' || sign
        });
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Term::Number(number)),
            _ => Err(format!("`{digits}` is not a number")),
        }
    }

    fn call(&mut self, function: &str) -> Result<Term, String> {
        let (of_one, of_two) = match function {
            "exp" => (Some(Unary::Exp), None),
            "ln" => (Some(Unary::Ln), None),
            "sqrt" => (Some(Unary::Sqrt), None),
            "min" => (None, Some(Binary::Min)),
            "max" => (None, Some(Binary::Max)),
            other => return Err(format!("`{other}` is not known")),
        };
        if !self.takes('(') {
            return Err(format!("`{function}` needs parentheses after it"));
        }
        let first = self.sum()?;
        let term = match (of_one, of_two) {
            (Some(what), _) => Term::Unary(what, Box::new(first)),
            (None, Some(what)) if self.takes(',') => Term::Binary(what, Box::new((first, self.sum()?))),
            _ => return Err(format!("`{function}` needs two values with a comma between")),
        };
        self.closed(term)
    }

    fn closed(&mut self, term: Term) -> Result<Term, String> {
        if self.takes(')') { Ok(term) } else { Err("a parenthesis is not closed".into()) }
    }

    fn takes(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn word(&mut self, mut belongs: impl FnMut(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { params: 10_000.0, madds: 2e6, epoch: 2.0, epochs: 3.0 };

    fn value(text: &str) -> f64 {
        text.parse::<Formula>().unwrap().value(&KNOWN)
    }

    #[test]
    fn a_formula_knows_whether_it_takes_the_number_of_epochs() {
        for (text, expected) in
            [("1 / epoch", false), ("max(3, -(epoch / epochs))", true), ("exp(epochs)", true)]
        {
            assert_eq!(text.parse::<Formula>().unwrap().depends_on_epochs(), expected, "{text}");
        }
    }

    /// Expected values by Python, `**` for `^`.
    #[test]
    fn formulas_mean_what_they_do_elsewhere() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("8 / 4 / 2", 1.0),
            ("5 - 3 - 1", 1.0),
            ("-2^2", -4.0),
            ("2^3^2", 512.0),
            ("2^-1", 0.5),
            (" ( 1+2 )*3 ", 9.0),
            ("1.5e-3 * 2E+3 + .5", 3.5),
            ("params^-0.25", 0.1),
            ("madds / 1e6 + epoch * 10 + epochs * 100", 322.0),
            ("min(3, max(1, 2)) - sqrt(16) + exp(0) + ln(1)", -1.0),
            ("95 - 400 * params^-0.25 - 30 / epoch", 40.0),
        ] {
            let found = value(text);
            assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{text}: {found}");
        }
        assert!(value("ln(0 - 1)").is_nan() && value("1 / 0").is_infinite());
    }

    #[test]
    fn what_is_no_formula_is_named() {
        for (text, part) in [
            ("", "it ends where"),
            ("1 +", "it ends where"),
            ("1 2", "`2` is not expected"),
            ("(1", "not closed"),
            ("1)", "`)` is not expected"),
            ("width * 2", "`width` is not known"),
            ("exp 2", "needs parentheses"),
            ("min(1)", "needs two values"),
            ("1e999", "`1e999` is not a number"),
            ("10k", "`10k` is not a number"),
            ("* 3", "`*` stands where"),
            ("3 $", "`$` is not expected"),
            ("\u{b5}", "`\u{b5}` stands where"),
        ] {
            let error = text.parse::<Formula>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        for deep in ["(".repeat(500), "-".repeat(900), "2^".repeat(400), "x".repeat(2000)] {
            assert!(deep.parse::<Formula>().is_err());
        }
        let wide = vec!["1"; 500].join("+");
        assert_eq!(value(&wide), 500.0);
    }

    #[test]
    fn a_formula_is_kept_as_it_was_written() {
        let formula: Formula = " 1 +  params".parse().unwrap();
        let json = serde_json::to_string(&formula).unwrap();
        assert_eq!(json, "\"1 +  params\"");
        assert_eq!(serde_json::from_str::<Formula>(&json).unwrap(), formula);
        assert!(serde_json::from_str::<Formula>("\"1 +\"").is_err());
    }
}
