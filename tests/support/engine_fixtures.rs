//! What PyTorch computed (`tests/fixtures/make_engine_fixtures.py`), and the formula for the numbers it was given.

use std::collections::BTreeMap;

use safetensors::SafeTensors;

/// Tensors of one fixture file by name, and the `cases` of its metadata.
pub struct Fixture {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
    pub cases: Vec<serde_json::Value>,
}

impl Fixture {
    /// Reads `tests/fixtures/engine/<name>.safetensors`.
    pub fn read(name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/engine");
        let bytes = std::fs::read(format!("{folder}/{name}.safetensors")).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let about = &metadata.metadata().as_ref().unwrap()["about"];
        let mut about: serde_json::Value = serde_json::from_str(about).unwrap();
        let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            assert_eq!(view.dtype(), safetensors::Dtype::F64, "{name}");
            let values =
                view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
            (name, (view.shape().to_vec(), values))
        };
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter().map(read).collect();
        Self { tensors, cases: serde_json::from_value(about["cases"].take()).unwrap() }
    }

    /// A tensor's values.
    pub fn values(&self, name: &str) -> &[f64] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("the fixture has no {name}")).1
    }

    /// A tensor's shape.
    #[allow(dead_code)] // Not every test that includes this file asks for it.
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensors[name].0
    }
}

/// 24 random bits for each of `count` elements of the tensor `name`: FNV-1a seeds splitmix64.
fn words(name: &str, count: usize) -> impl Iterator<Item = u64> {
    let fnv = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    (1..=count as u64).map(move |i| {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 40
    })
}

/// `count` numbers in [-1, 1), exact in f32.
pub fn unit(name: &str, count: usize) -> Vec<f64> {
    words(name, count).map(|word| word as f64 / f64::from(1 << 23) - 1.0).collect()
}

/// First values of a parameter, rounded to f32.
pub fn parameter(name: &str, shape: &[usize]) -> Vec<f64> {
    let fan_in: usize = shape[1..].iter().product();
    let halvings = (0..).find(|k| 4u64.pow(*k) * 6 >= fan_in as u64).unwrap();
    let scaled = |u: f64| match name {
        _ if name.ends_with("_norm.weight") => 1.0 + u / 4.0,
        _ if name.ends_with("_act.weight") => 0.25 + u / 8.0,
        _ if name.ends_with(".bias") => u / 4.0,
        _ => u / f64::from(1u32 << halvings),
    };
    unit(name, shape.iter().product()).into_iter().map(|u| f64::from(scaled(u) as f32)).collect()
}

/// `count` labels below `classes`.
#[allow(dead_code)] // Not every test that includes this file asks for it.
pub fn labels(name: &str, count: usize, classes: usize) -> Vec<u32> {
    words(name, count).map(|word| (word % classes as u64) as u32).collect()
}

/// `(N, C, P)` to `(N, P, C)`: with P the pixels, NCHW to NHWC; with the two swapped, back.
#[allow(dead_code)] // Not every test that includes this file asks for it.
pub fn transposed(values: &[f64], c: usize, pixels: usize) -> Vec<f64> {
    let images = values.chunks_exact(c * pixels);
    images.flat_map(|image| (0..pixels * c).map(|at| image[at % c * pixels + at / c])).collect()
}

/// The largest difference between two tensors, relative to the largest value of the second.
#[allow(dead_code)] // Not every test that includes this file asks for it.
pub fn difference(ours: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(ours.len(), reference.len());
    let largest = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(0.0f64, |m, v| if v > m || v.is_nan() { v } else { m })
    };
    let error = largest(&mut ours.iter().zip(reference).map(|(a, b)| (a - b).abs()));
    error / largest(&mut reference.iter().map(|v| v.abs())).max(1e-30)
}
