//! Bits of entropy-coded data, and the Huffman codes in them.

use super::{Stop, Walk};

/// Reads bits up to the next marker; a zero after 0xff is stuffing, not data (T.81, F.1.2.3).
pub(super) struct Bits<'a> {
    file: &'a [u8],
    at: usize,
    /// The bits that come next, from the top; below them zeros.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(file: &'a [u8], at: usize) -> Self {
        Bits { file, at, buffer: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.file.get(self.at) else { return };
            let length = match (byte, self.file.get(self.at + 1)) {
                (0xff, Some(0)) => 2,
                // A marker, or a last byte of which it cannot be told whether it begins one.
                (0xff, _) => return,
                _ => 1,
            };
            self.at += length;
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Passes over `n` bits, at most 16, and gives them.
    pub fn take(&mut self, n: u32) -> Walk<u32> {
        if n == 0 {
            return Ok(0);
        }
        if self.count < n {
            self.fill();
            if self.count < n {
                return Err(Stop::Cut);
            }
        }
        let bits = (self.buffer >> (64 - n)) as u32;
        self.buffer <<= n;
        self.count -= n;
        Ok(bits)
    }

    /// The next symbol of a code.
    pub fn symbol(&mut self, code: &Huffman) -> Walk<u8> {
        if self.count < 16 {
            self.fill();
        }
        let next = (self.buffer >> 48) as u16;
        // What follows the last bit reads as zeros, which are in some code: only bits that are there count.
        let (symbol, length) =
            code.find(next).ok_or(if self.count < 16 { Stop::Cut } else { Stop::Damaged })?;
        if length > self.count {
            return Err(Stop::Cut);
        }
        self.buffer <<= length;
        self.count -= length;
        Ok(symbol)
    }

    /// Goes past the restart marker that must come here, which drops what is left of the byte before it.
    pub fn restart(&mut self) -> Walk<()> {
        (self.buffer, self.count) = (0, 0);
        match super::next_marker(self.file, self.at) {
            Some((super::marker::RST0..=super::marker::RST7, after)) => {
                self.at = after;
                Ok(())
            }
            _ => Err(Stop::Cut),
        }
    }

    /// Where the search for the next marker goes on.
    pub fn end(&self) -> usize {
        self.at
    }
}

/// Bits that are looked up at once.
const LOOKED_UP: u32 = 9;

/// A canonical code of at most 16 bits (T.81, annex C).
#[derive(Debug, Clone)]
pub(super) struct Huffman {
    /// Symbol and length of the codes of at most [`LOOKED_UP`] bits, by what begins with them; length 0 for others.
    short: Vec<(u8, u8)>,
    /// For each length: the first code that is longer, from the top of 16 bits; and what added to a code gives its symbol's
    /// place.
    long: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The code with so many symbols of each length, which are given in order. `None` where there are more than fit.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut code =
            Self { short: vec![(0, 0); 1 << LOOKED_UP], long: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut next, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = u32::from(counts[length as usize - 1]);
            code.long[length as usize].1 = place as i32 - next as i32;
            if next + count > 1 << length {
                return None;
            }
            if length <= LOOKED_UP {
                for (value, &symbol) in (next..next + count).zip(&symbols[place..]) {
                    let spare = LOOKED_UP - length;
                    let from = (value << spare) as usize;
                    code.short[from..from + (1 << spare)].fill((symbol, length as u8));
                }
            }
            next += count;
            place += count as usize;
            code.long[length as usize].0 = next << (16 - length);
            next <<= 1;
        }
        Some(code)
    }

    /// The symbol whose code the bits begin with, and its length.
    fn find(&self, bits: u16) -> Option<(u8, u32)> {
        let (symbol, length) = self.short[usize::from(bits >> (16 - LOOKED_UP))];
        if length > 0 {
            return Some((symbol, u32::from(length)));
        }
        let length = (LOOKED_UP + 1..=16).find(|&length| u32::from(bits) < self.long[length as usize].0)?;
        let place = i32::from(bits >> (16 - length)) + self.long[length as usize].1;
        Some((*self.symbols.get(usize::try_from(place).ok()?)?, length))
    }
}
