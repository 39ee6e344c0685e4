//! The numbers of a safetensors file, in and out.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};

use super::Entry;

/// Bytes of one number, where it is of a kind that is read.
pub(super) fn width(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F16 | Dtype::BF16 => Some(2),
        Dtype::F32 => Some(4),
        Dtype::F64 => Some(8),
        _ => None,
    }
}

/// A tensor's numbers, each the nearest f32.
pub fn numbers(view: &TensorView<'_>) -> Vec<f32> {
    let bytes = view.data();
    let halves = || bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
    match view.dtype() {
        Dtype::F16 => halves().map(of_f16).collect(),
        Dtype::BF16 => halves().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
    }
}

/// A number of IEEE 754's binary16: sign, 5 bits of exponent, 10 of fraction.
fn of_f16(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Bytes of a safetensors file: a length, a JSON header, the numbers. Metadata and tensors lie in the order given, so the
/// same model gives the same bytes (the safetensors crate writes metadata in an order of chance).
pub fn serialise(tensors: &[(Entry, Numbers)], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = Vec::with_capacity(tensors.len() + 1);
    if !metadata.is_empty() {
        let pairs: Vec<_> = metadata.iter().map(|(k, v)| format!("{}:{}", quoted(k), quoted(v))).collect();
        lines.push(format!("\"__metadata__\":{{{}}}", pairs.join(",")));
    }
    let mut at = 0;
    for (Entry { name, shape }, numbers) in tensors {
        let end = at + numbers.bytes();
        let (name, kind) = (quoted(name), numbers.kind());
        lines.push(format!(
            "{name}:{{\"dtype\":\"{kind}\",\"shape\":{shape:?},\"data_offsets\":[{at},{end}]}}"
        ));
        at = end;
    }
    let mut header = format!("{{{}}}", lines.join(","));
    // The numbers begin at a multiple of 8 bytes.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut file = Vec::with_capacity(8 + header.len() + at);
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.as_bytes());
    for (_, numbers) in tensors {
        match numbers {
            Numbers::Floats(values) => values.iter().for_each(|v| file.extend(v.to_le_bytes())),
            Numbers::Count(count) => file.extend(count.to_le_bytes()),
        }
    }
    file
}

/// The numbers of a tensor to write.
pub enum Numbers {
    Floats(Vec<f32>),
    /// One whole number.
    Count(i64),
}

impl Numbers {
    fn bytes(&self) -> usize {
        match self {
            Self::Floats(values) => values.len() * 4,
            Self::Count(_) => 8,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Floats(_) => "F32",
            Self::Count(_) => "I64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit patterns and values from IEEE 754's table of binary16.
    #[test]
    fn halves_are_read() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(of_f16(bits), value, "{bits:#x}");
        }
        assert!(of_f16(0x7e00).is_nan());
    }
}
