//! One scan: its header, and the walk over its blocks.

use super::bits::{Bits, Huffman};
use super::{Component, Image, Stop, Walk};

/// A component of a scan, with the tables of its codes.
#[derive(Debug)]
pub(super) struct Part {
    pub component: usize,
    dc: usize,
    ac: usize,
}

/// The header of a scan (T.81, B.2.3).
#[derive(Debug)]
pub(super) struct Scan {
    pub parts: Vec<Part>,
    /// First and last coefficient.
    pub first: usize,
    pub last: usize,
    /// The bit before this one was read by an earlier scan; 0 for the first scan of these coefficients.
    high: u8,
    /// The lowest bit of this scan.
    pub low: u8,
}

impl Scan {
    pub fn read(body: &[u8], components: &[Component]) -> Walk<Scan> {
        let count = usize::from(*body.first().ok_or(Stop::Unknown)?);
        let told = body.get(1..1 + 2 * count).filter(|told| !told.is_empty()).ok_or(Stop::Unknown)?;
        let part = |[id, tables]: &[u8; 2]| {
            let component =
                components.iter().position(|component| component.id == *id).ok_or(Stop::Unknown)?;
            Ok(Part { component, dc: usize::from(tables >> 4), ac: usize::from(tables & 15) })
        };
        let parts = told.as_chunks::<2>().0.iter().map(part).collect::<Walk<Vec<Part>>>()?;
        let [first, last, bits] =
            *body.get(1 + 2 * count..).and_then(|rest| rest.first_chunk()).ok_or(Stop::Unknown)?;
        let (first, last) = (usize::from(first), usize::from(last));
        if first > last || last > 63 {
            return Err(Stop::Unknown);
        }
        Ok(Scan { parts, first, last, high: bits >> 4, low: bits & 15 })
    }
}

/// Walks every block of a scan.
pub(super) fn walk(image: &mut Image, scan: &Scan, bits: &mut Bits<'_>) -> Walk<()> {
    let alone = match scan.parts[..] {
        [Part { component, .. }] => Some(component),
        _ => None,
    };
    let (across, down) = match alone {
        Some(at) => (image.components[at].across, image.components[at].down),
        None => (image.across, image.down),
    };
    let units = across * down;
    let mut run = 0;
    image.walked = (0, units);
    for unit in 0..units {
        if image.restart > 0 && unit > 0 && unit.is_multiple_of(image.restart) {
            bits.restart()?;
            run = 0;
        }
        let (row, column) = (unit / across, unit % across);
        for part in &scan.parts {
            let (h, v, stride) = {
                let component = &image.components[part.component];
                (component.h, component.v, component.stride)
            };
            match alone {
                Some(_) => block(image, scan, part, row * stride + column, &mut run, bits)?,
                None => {
                    for (y, x) in (0..v).flat_map(|y| (0..h).map(move |x| (y, x))) {
                        block(image, scan, part, (row * v + y) * stride + column * h + x, &mut run, bits)?;
                    }
                }
            }
        }
        image.walked.0 = unit + 1;
    }
    Ok(())
}

/// Walks one block; `run` is how many blocks are still to come that end before their first coefficient (T.81, G.1.2.2).
fn block(
    image: &mut Image,
    scan: &Scan,
    part: &Part,
    at: usize,
    run: &mut u32,
    bits: &mut Bits<'_>,
) -> Walk<()> {
    let Image { dc, ac, progressive, components, .. } = image;
    let dc = || table(dc, part.dc);
    let ac = || table(ac, part.ac);
    if !*progressive {
        let size = bits.symbol(dc()?)?;
        bits.take(u32::from(size.min(16)))?;
        return coefficients(ac()?, bits);
    }
    let nonzero = components[part.component].nonzero.get_mut(at).ok_or(Stop::Unknown)?;
    match (scan.first, scan.high) {
        (0, 0) => {
            let size = bits.symbol(dc()?)?;
            bits.take(u32::from(size.min(16))).map(drop)
        }
        (0, _) => bits.take(1).map(drop),
        (_, 0) => first_pass(ac()?, scan, nonzero, run, bits),
        _ => refinement(ac()?, scan, nonzero, run, bits),
    }
}

fn table(tables: &[Option<Huffman>; 4], at: usize) -> Walk<&Huffman> {
    tables.get(at).and_then(Option::as_ref).ok_or(Stop::Unknown)
}

/// The coefficients after the first of a block of a sequential image (T.81, F.2.2.2).
fn coefficients(code: &Huffman, bits: &mut Bits<'_>) -> Walk<()> {
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(code)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => break,
            _ => {
                bits.take(u32::from(size))?;
                k += u32::from(zeros) + 1;
            }
        }
    }
    Ok(())
}

/// The highest bits of some coefficients (T.81, G.1.2.2).
fn first_pass(
    code: &Huffman,
    scan: &Scan,
    nonzero: &mut u64,
    run: &mut u32,
    bits: &mut Bits<'_>,
) -> Walk<()> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut k = scan.first;
    while k <= scan.last {
        let symbol = bits.symbol(code)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => {
                *run = (1 << zeros) - 1 + bits.take(zeros)?;
                break;
            }
            _ => {
                bits.take(size)?;
                k += zeros as usize;
                *nonzero |= 1_u64.checked_shl(k as u32).unwrap_or(0);
                k += 1;
            }
        }
    }
    Ok(())
}

/// One more bit of some coefficients (T.81, G.1.2.3): one for each that is not zero, among the codes of new ones.
fn refinement(
    code: &Huffman,
    scan: &Scan,
    nonzero: &mut u64,
    run: &mut u32,
    bits: &mut Bits<'_>,
) -> Walk<()> {
    let mut k = scan.first;
    while *run == 0 && k <= scan.last {
        let symbol = bits.symbol(code)?;
        let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
        if size == 0 && zeros < 15 {
            *run = (1 << zeros) + bits.take(zeros)?;
            break;
        }
        bits.take(u32::from(size > 0))?;
        while k <= scan.last {
            if *nonzero >> k & 1 == 1 {
                bits.take(1)?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        if size > 0 && k <= scan.last {
            *nonzero |= 1 << k;
        }
        k += 1;
    }
    if *run > 0 {
        for k in k..=scan.last {
            bits.take(u32::from(*nonzero >> k & 1 == 1))?;
        }
        *run -= 1;
    }
    Ok(())
}
