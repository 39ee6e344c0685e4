//! Products in AMX's tiles. Its intrinsics are not stable yet, its instructions are written out.
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};

use super::{Pairs, TILE};
use crate::engine::simd::prefetch;

/// Bytes of a row of a tile: 16 results, or 16 pairs.
const ROW: usize = 64;

/// Tiles of results that are summed at once, one below the other: enough to hide an instruction's delay.
const BLOCK: usize = 4;

/// Whether the machine has AMX for bf16 and the system lets this process use it (it must be asked).
pub(super) fn allowed() -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::arch::x86_64::__cpuid_count;
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_long = 18;
        // SAFETY: every x86-64 processor has the instruction.
        #[allow(unused_unsafe)]
        let (highest, features) = unsafe { (__cpuid_count(0, 0).eax, __cpuid_count(7, 0).edx) };
        let (bf16, tiles) = (1 << 22, 1 << 24);
        if highest < 7 || features & (bf16 | tiles) != bf16 | tiles {
            return false;
        }
        // SAFETY: asks for a permission; a system that does not know the question says no.
        let refused = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) };
        refused == 0
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Shapes of the eight tiles, all 16 rows of 64 bytes, in the form that the processor reads.
#[repr(C, align(64))]
struct Shapes([u8; 64]);

const SHAPES: Shapes = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = ROW as u8;
        bytes[48 + tile] = TILE as u8;
        tile += 1;
    }
    Shapes(bytes)
};

/// out = left * right or out += left * right; the sizes are checked by the caller.
pub(super) fn product(
    (rows, cols): (usize, usize),
    out: &mut [f32],
    accumulate: bool,
    (left, right): (&Pairs, &Pairs),
    next: [&[f32]; 2],
) {
    let tiles = rows.div_ceil(TILE);
    let steps = left.stride / TILE;
    assert!(out.len() >= rows * cols && left.data.len() >= tiles * TILE * left.stride);
    assert!(right.stride >= cols && right.data.len() >= steps * TILE * right.stride);
    let mut ahead = next.into_iter().flat_map(|next| next.chunks(ROW / 4));
    let lines = next.iter().map(|next| next.len().div_ceil(ROW / 4)).sum::<usize>();
    let lines = lines.div_ceil(tiles.div_ceil(BLOCK) * cols.div_ceil(TILE));
    // SAFETY: `Units` of this kind exist only where AMX is allowed.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, readonly)) };
    for first in (0..tiles).step_by(BLOCK) {
        let count = BLOCK.min(tiles - first);
        for col in (0..cols).step_by(TILE) {
            let own = [0.0; TILE * TILE];
            let mut results = Results { out, shape: (rows, cols), at: (first * TILE, col), own };
            results.expect_next(count);
            ahead.by_ref().take(lines).for_each(|line| prefetch(line.as_ptr()));
            // SAFETY: both sides hold whole tiles, zeros after their ends.
            unsafe {
                for tile in 0..count {
                    let (at, row) = results.place(tile, accumulate);
                    start(tile, accumulate.then_some(at), row);
                }
                let a = left.data[first * TILE * left.stride..].as_ptr();
                let b = right.data[col..].as_ptr();
                sum(count, steps, (a, left.stride), (b, right.stride));
                for tile in 0..count {
                    let (at, row) = results.place(tile, false);
                    finish(tile, at, row);
                    results.put(tile);
                }
            }
        }
    }
    // SAFETY: as above.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Where a column of tiles goes: straight to the output, or by a tile of our own where the output is not that large.
struct Results<'a> {
    out: &'a mut [f32],
    shape: (usize, usize),
    at: (usize, usize),
    own: [f32; TILE * TILE],
}

impl Results<'_> {
    /// Rows and columns of a tile that exist.
    fn size(&self, tile: usize) -> (usize, usize) {
        let row = self.at.0 + tile * TILE;
        ((self.shape.0 - row).min(TILE), (self.shape.1 - self.at.1).min(TILE))
    }

    fn start(&self, tile: usize) -> usize {
        (self.at.0 + tile * TILE) * self.shape.1 + self.at.1
    }

    /// Memory for a tile and the numbers from one of its rows to the next; with `filled`, it holds the output.
    fn place(&mut self, tile: usize, filled: bool) -> (*mut f32, usize) {
        let (start, (rows, cols)) = (self.start(tile), self.size(tile));
        if (rows, cols) == (TILE, TILE) {
            return (self.out[start..].as_mut_ptr(), self.shape.1);
        }
        if filled {
            for row in 0..rows {
                let from = &self.out[start + row * self.shape.1..][..cols];
                self.own[row * TILE..][..cols].copy_from_slice(from);
            }
        }
        (self.own.as_mut_ptr(), TILE)
    }

    /// Asks for the memory of the tiles right of these: it is far away, and the products are done before it is there.
    fn expect_next(&self, count: usize) {
        for row in self.at.0..(self.at.0 + count * TILE).min(self.shape.0) {
            let next = self.out.as_ptr().wrapping_add(row * self.shape.1 + self.at.1 + TILE);
            // SAFETY: a hint; any address may be given.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(next.cast()) };
        }
    }

    /// What lies in the tile of our own to the output.
    fn put(&mut self, tile: usize) {
        let (start, (rows, cols)) = (self.start(tile), self.size(tile));
        if (rows, cols) != (TILE, TILE) {
            for row in 0..rows {
                let to = &mut self.out[start + row * self.shape.1..][..cols];
                to.copy_from_slice(&self.own[row * TILE..][..cols]);
            }
        }
    }
}

/// Zeros, or what lies at `from`, into the results' tile.
///
/// # Safety
/// AMX is set up; 16 rows of 16 numbers, `row` apart, are readable.
unsafe fn start(tile: usize, from: Option<*mut f32>, row: usize) {
    macro_rules! start {
        ($name:literal) => {
            match from {
                // SAFETY: the caller's promise.
                Some(from) => unsafe {
                    asm!(concat!("tileloadd ", $name, ", [{}+{}*1]"), in(reg) from, in(reg) row * 4,
                        options(nostack, readonly))
                },
                // SAFETY: as above.
                None => unsafe { asm!(concat!("tilezero ", $name), options(nostack, nomem)) },
            }
        };
    }
    match tile {
        0 => start!("tmm0"),
        1 => start!("tmm1"),
        2 => start!("tmm2"),
        _ => start!("tmm3"),
    }
}

/// The results' tile to memory.
///
/// # Safety
/// As [`start`], writable.
unsafe fn finish(tile: usize, to: *mut f32, row: usize) {
    macro_rules! finish {
        ($name:literal) => {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(concat!("tilestored [{}+{}*1], ", $name), in(reg) to, in(reg) row * 4, options(nostack))
            }
        };
    }
    match tile {
        0 => finish!("tmm0"),
        1 => finish!("tmm1"),
        2 => finish!("tmm2"),
        _ => finish!("tmm3"),
    }
}

/// Adds `steps` products of tiles to the first `count` tiles of results. A step of the left side is 16 pairs further along
/// its rows, of the right side 16 rows further down.
///
/// # Safety
/// AMX is set up, and all these tiles are readable.
unsafe fn sum(
    count: usize,
    steps: usize,
    (mut a, a_row): (*const f32, usize),
    (mut b, b_row): (*const f32, usize),
) {
    let a_rows = |tile: usize, a: *const f32| a.wrapping_add(tile * TILE * a_row);
    macro_rules! step {
        ($($lines:literal),*) => {
            // SAFETY: the caller's promise.
            unsafe {
                asm!("tileloadd tmm4, [{b}+{b_row}*1]", $($lines,)*
                    "/* {a1} {a2} {a3} */",
                    b = in(reg) b, b_row = in(reg) b_row * 4, a_row = in(reg) a_row * 4,
                    a = in(reg) a, a1 = in(reg) a_rows(1, a), a2 = in(reg) a_rows(2, a), a3 = in(reg) a_rows(3, a),
                    options(nostack, readonly))
            }
        };
    }
    for _ in 0..steps {
        match count {
            1 => step!("tileloadd tmm5, [{a}+{a_row}*1]", "tdpbf16ps tmm0, tmm5, tmm4"),
            2 => step!(
                "tileloadd tmm5, [{a}+{a_row}*1]",
                "tdpbf16ps tmm0, tmm5, tmm4",
                "tileloadd tmm6, [{a1}+{a_row}*1]",
                "tdpbf16ps tmm1, tmm6, tmm4"
            ),
            3 => step!(
                "tileloadd tmm5, [{a}+{a_row}*1]",
                "tdpbf16ps tmm0, tmm5, tmm4",
                "tileloadd tmm6, [{a1}+{a_row}*1]",
                "tdpbf16ps tmm1, tmm6, tmm4",
                "tileloadd tmm7, [{a2}+{a_row}*1]",
                "tdpbf16ps tmm2, tmm7, tmm4"
            ),
            _ => step!(
                "tileloadd tmm5, [{a}+{a_row}*1]",
                "tdpbf16ps tmm0, tmm5, tmm4",
                "tileloadd tmm6, [{a1}+{a_row}*1]",
                "tdpbf16ps tmm1, tmm6, tmm4",
                "tileloadd tmm7, [{a2}+{a_row}*1]",
                "tdpbf16ps tmm2, tmm7, tmm4",
                "tileloadd tmm5, [{a3}+{a_row}*1]",
                "tdpbf16ps tmm3, tmm5, tmm4"
            ),
        }
        a = a.wrapping_add(TILE);
        b = b.wrapping_add(TILE * b_row);
    }
}
