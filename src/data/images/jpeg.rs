//! Whether a JPEG file holds all of its image.
//!
//! Decoders fill what is missing with grey, as viewers do. Here the entropy-coded data is walked block by block without
//! being decoded to pixels (ITU-T T.81, annexes F and G), which tells to the bit where it ends. Files of kinds that
//! are not walked (arithmetic coding, lossless, a height told at the end) are left to the decoder to judge.

mod bits;
mod scan;

use bits::{Bits, Huffman};
use scan::{Part, Scan};

/// Why a walk ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The data ended, or a marker came, before the last block.
    Cut,
    /// A code that is in no table.
    Damaged,
    /// Of a kind that is not walked.
    Unknown,
}

type Walk<T> = Result<T, Stop>;

/// What is wrong with a JPEG file that is cut off or damaged, as a clause; `None` where all of its rows are there. What
/// follows the end marker does not matter, nor does it matter if the end marker alone is missing.
pub(super) fn fault(file: &[u8]) -> Option<String> {
    let mut image = Image::default();
    match image.walk(file) {
        Ok(()) | Err(Stop::Unknown) => None,
        Err(Stop::Cut) => Some(format!("it is cut off {}", image.reach())),
        Err(Stop::Damaged) => Some(format!("its data are damaged {}", image.reach())),
    }
}

/// A colour component: sampling factors, its blocks, and what is known of them.
#[derive(Debug, Clone)]
struct Component {
    id: u8,
    h: usize,
    v: usize,
    /// Blocks of a row and of a column, as scans of this component alone have them.
    across: usize,
    down: usize,
    /// Blocks of a row in `nonzero`, which has whole MCUs.
    stride: usize,
    /// For each block of a progressive image, a bit for each coefficient that is not zero.
    nonzero: Vec<u64>,
    /// The bit of each coefficient that was read last: 0 where all of it was; `None` where nothing was.
    read: [Option<u8>; 64],
}

/// The image as its headers tell of it.
#[derive(Debug, Default)]
struct Image {
    progressive: bool,
    components: Vec<Component>,
    /// MCUs of a row and of a column of an interleaved scan.
    across: usize,
    down: usize,
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    restart: usize,
    /// Share of the current scan that was walked.
    walked: (usize, usize),
    scans: usize,
}

/// Markers (T.81, table B.1).
mod marker {
    pub const SOF0: u8 = 0xc0;
    pub const SOF2: u8 = 0xc2;
    pub const DHT: u8 = 0xc4;
    pub const JPG: u8 = 0xc8;
    pub const DAC: u8 = 0xcc;
    pub const SOF15: u8 = 0xcf;
    pub const RST0: u8 = 0xd0;
    pub const RST7: u8 = 0xd7;
    pub const SOI: u8 = 0xd8;
    pub const EOI: u8 = 0xd9;
    pub const SOS: u8 = 0xda;
    pub const DRI: u8 = 0xdd;
    pub const TEM: u8 = 0x01;
}

impl Image {
    fn walk(&mut self, file: &[u8]) -> Walk<()> {
        let mut at = 2;
        loop {
            let Some((marker, after)) = next_marker(file, at) else {
                return if self.is_whole() { Ok(()) } else { Err(Stop::Cut) };
            };
            at = after;
            match marker {
                marker::EOI => return if self.has_every_component() { Ok(()) } else { Err(Stop::Cut) },
                marker::SOI | marker::TEM | marker::RST0..=marker::RST7 => continue,
                _ => {}
            }
            // A file that ends within the segments after its last scan lacks nothing of its rows.
            let Some((body, after)) = segment(file, at) else {
                return if self.is_whole() { Ok(()) } else { Err(Stop::Cut) };
            };
            at = after;
            match marker {
                marker::DHT => self.tables(body)?,
                marker::DRI => self.restart = usize::from(pair(body, 0)?),
                marker::SOS => at = self.scan(file, body, at)?,
                marker::SOF0..=marker::SOF2 => self.frame(body, marker == marker::SOF2)?,
                marker::JPG => {}
                marker::DAC | marker::SOF0..=marker::SOF15 => return Err(Stop::Unknown),
                _ => {}
            }
        }
    }

    /// Whether every component has been in a scan.
    fn has_every_component(&self) -> bool {
        !self.components.is_empty() && self.components.iter().all(|c| c.read[0].is_some())
    }

    /// Whether every bit of every coefficient has been in a scan.
    fn is_whole(&self) -> bool {
        let whole = |c: &Component| c.read.iter().all(|bit| *bit == Some(0));
        !self.components.is_empty() && self.components.iter().all(whole)
    }

    /// How far it was walked, as the rest of a clause.
    fn reach(&self) -> String {
        match self.walked {
            (done, of) if of > 0 && !self.progressive && self.scans == 1 => {
                format!("after {} % of its image", 100 * done / of)
            }
            _ => format!("in its scan {}", self.scans.max(1)),
        }
    }

    fn frame(&mut self, body: &[u8], progressive: bool) -> Walk<()> {
        if !self.components.is_empty() {
            return Err(Stop::Unknown);
        }
        let (height, width) = (usize::from(pair(body, 1)?), usize::from(pair(body, 3)?));
        let count = usize::from(*body.get(5).ok_or(Stop::Unknown)?);
        let told = body.get(6..6 + 3 * count).ok_or(Stop::Unknown)?;
        if height == 0 || width == 0 {
            return Err(Stop::Unknown);
        }
        let parts: Vec<(u8, usize, usize)> = told
            .as_chunks::<3>()
            .0
            .iter()
            .map(|[id, hv, _]| (*id, usize::from(hv >> 4), usize::from(hv & 15)))
            .collect();
        if parts.iter().any(|(_, h, v)| !(1..=4).contains(h) || !(1..=4).contains(v)) {
            return Err(Stop::Unknown);
        }
        let h_max = parts.iter().map(|part| part.1).max().ok_or(Stop::Unknown)?;
        let v_max = parts.iter().map(|part| part.2).max().ok_or(Stop::Unknown)?;
        self.progressive = progressive;
        (self.across, self.down) = (width.div_ceil(8 * h_max), height.div_ceil(8 * v_max));
        for (id, h, v) in parts {
            let (stride, rows) = (self.across * h, self.down * v);
            self.components.push(Component {
                id,
                h,
                v,
                across: (width * h).div_ceil(h_max).div_ceil(8),
                down: (height * v).div_ceil(v_max).div_ceil(8),
                stride,
                nonzero: if progressive { vec![0; stride * rows] } else { Vec::new() },
                read: [None; 64],
            });
        }
        Ok(())
    }

    fn tables(&mut self, mut body: &[u8]) -> Walk<()> {
        while let [head, rest @ ..] = body {
            let counts: &[u8; 16] = rest.first_chunk().ok_or(Stop::Unknown)?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum::<usize>();
            let symbols = rest.get(16..16 + symbols).ok_or(Stop::Unknown)?;
            let (class, slot) = (head >> 4, usize::from(head & 15));
            let tables = if class == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(slot).ok_or(Stop::Unknown)? =
                Some(Huffman::new(counts, symbols).ok_or(Stop::Unknown)?);
            body = &rest[16 + symbols.len()..];
        }
        Ok(())
    }

    /// Walks the scan whose header is `body` and whose data begin at `at`; gives where they end.
    fn scan(&mut self, file: &[u8], body: &[u8], at: usize) -> Walk<usize> {
        let scan = Scan::read(body, &self.components)?;
        self.scans += 1;
        let mut bits = Bits::new(file, at);
        scan::walk(self, &scan, &mut bits)?;
        for Part { component, .. } in &scan.parts {
            let read = &mut self.components[*component].read;
            match self.progressive {
                true => read[scan.first..=scan.last].fill(Some(scan.low)),
                false => read.fill(Some(0)),
            }
        }
        Ok(bits.end())
    }
}

/// The next marker at or after `at`, and where it ends.
fn next_marker(file: &[u8], at: usize) -> Option<(u8, usize)> {
    let mut at = at;
    loop {
        at += file.get(at..)?.iter().position(|&byte| byte == 0xff)? + 1;
        match *file.get(at)? {
            0 | 0xff => {}
            marker => return Some((marker, at + 1)),
        }
    }
}

/// The body of the segment whose length is at `at`, and where it ends.
fn segment(file: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = usize::from(u16::from_be_bytes(*file.get(at..)?.first_chunk()?));
    let body = file.get(at + 2..at + length.max(2))?;
    Some((body, at + length.max(2)))
}

fn pair(body: &[u8], at: usize) -> Walk<u16> {
    let two = body.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Stop::Unknown)?;
    Ok(u16::from_be_bytes(*two))
}
