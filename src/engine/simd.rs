//! Running a loop with the widest vectors the machine has.
//!
//! Kernels are plain loops over slices in `#[inline(always)]` functions; `vectorized` compiles them once per
//! instruction set (through `pulp`) and picks one when it runs. The same arithmetic in the same order everywhere:
//! multiply-adds are fused on every instruction set, so results do not depend on which one ran.

/// Runs `kernel` compiled for the best instruction set of this machine.
#[inline]
pub fn vectorized<R>(kernel: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(kernel)
}

/// Calls `$kernel::<_, .., L>(c0, args..)` for channel blocks of L = 16, then 8, then 1, until `$channels` are done.
macro_rules! for_lanes {
    ($channels:expr, $c0:ident, $lanes:ident => $body:expr) => {{
        let mut $c0 = 0;
        while $c0 + 16 <= $channels {
            const $lanes: usize = 16;
            $body;
            $c0 += 16;
        }
        while $c0 + 8 <= $channels {
            const $lanes: usize = 8;
            $body;
            $c0 += 8;
        }
        while $c0 < $channels {
            const $lanes: usize = 1;
            $body;
            $c0 += 1;
        }
    }};
}
pub(crate) use for_lanes;

/// `L` neighbouring values, kept in registers.
#[inline(always)]
pub fn load<E: Copy, const L: usize>(from: &[E], at: usize) -> [E; L] {
    let slice = &from[at..at + L];
    std::array::from_fn(|i| slice[i])
}
