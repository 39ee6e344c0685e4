//! Params and multiply-adds of one layer.

use crate::arch::{LayerId, Network, Op};

/// Learned values of a layer; at most `u64::MAX`.
pub fn params(network: &Network, id: LayerId) -> u64 {
    let layer = &network.layers[id];
    let inputs = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    let with_bias = |weights: u64, bias: bool, out: usize| {
        if bias { weights.saturating_add(out as u64) } else { weights }
    };
    match layer.op {
        Op::Conv { out_channels, kernel, groups, bias, .. } => {
            with_bias(product(&[out_channels, inputs / groups, kernel, kernel]), bias, out_channels)
        }
        Op::Linear { out, bias } => with_bias(product(&[inputs, out]), bias, out),
        Op::BatchNorm(_) => product(&[2, inputs]),
        Op::Prelu => 1,
        _ => 0,
    }
}

/// Multiply-adds of a layer for one image; at most `u64::MAX`.
pub fn madds(network: &Network, id: LayerId) -> u64 {
    let layer = &network.layers[id];
    let inputs = layer.inputs.first().map_or(0, |&from| network.layers[from].output.c);
    match layer.op {
        Op::Conv { kernel, groups, .. } => product(&[layer.output.len(), inputs / groups, kernel, kernel]),
        Op::Linear { out, .. } => product(&[inputs, out]),
        _ => 0,
    }
}

/// A sum of costs. Networks that nobody could train may cost more than a `u64` holds: then it stays at the largest, so
/// that no constraint takes them for small ones.
pub fn total(costs: impl Iterator<Item = u64>) -> u64 {
    costs.fold(0, u64::saturating_add)
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
}

#[cfg(test)]
mod tests {
    use crate::arch::{Shape, build};
    use crate::cost;
    use crate::space::notation;

    /// 2^24 pixels, 2^22 hidden channels and 2^16 outputs are 2^62 multiply-adds for each projection: four of them are
    /// one more than a u64 holds.
    #[test]
    fn costs_beyond_all_bounds_are_the_largest() {
        let candidate = notation::parse("stem_c65536 ir_r4_e64_c65536").unwrap();
        let network = build::network(&candidate, Shape::new(1, 4096, 4096), 10).unwrap();
        let cost = cost::of(&network);
        assert_eq!(cost.madds, u64::MAX);
        assert_eq!(cost::Profile::of(&network).madds, u64::MAX);
        // Four expansions and projections of 2^38 weights each, and what is small beside them.
        assert!(cost.params > 8 << 38 && cost.params < 9 << 38, "{}", cost.params);
    }
}
