//! Files of weights that other programs write, told by their first bytes and their names: what to give instead.

use std::path::Path;

/// What a file is and what to give in its place, as a clause; `None` where it is of no kind that is known.
pub(super) fn what(path: &Path, start: &[u8]) -> Option<&'static str> {
    let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let is_zip = start.starts_with(b"PK\x03\x04");
    match end.as_str() {
        _ if path.is_dir() => Some(
            "a folder, not a file of weights: name a safetensors file; those of a study's trials are in its folder checkpoints",
        ),
        "onnx" => Some(
            "an ONNX file, which is for other programs: give the folder of the study, or a safetensors file (`blocksmith export \
             ... --out FILE.safetensors`)",
        ),
        "pt" | "pth" | "ckpt" | "bin" | "pkl" => Some(PYTORCH),
        "npz" => Some(
            "NumPy arrays, which are not read here: give a safetensors file (safetensors.numpy.save_file writes one)",
        ),
        "h5" | "hdf5" | "keras" => Some(KERAS),
        "tflite" | "pb" => Some("a file of TensorFlow, which is not read here: give a safetensors file"),
        "yaml" | "yml" | "jsonl" => {
            Some("a text, not weights: give the folder of the study, or a safetensors file")
        }
        // A pickle of protocol 2 or later.
        _ if is_zip || start.starts_with(&[0x80, 2]) => Some(PYTORCH),
        _ if start.starts_with(b"\x89HDF") => Some(KERAS),
        _ => None,
    }
}

const PYTORCH: &str = "a file of PyTorch's own, which is not read here: give a safetensors file (in Python \
                       `safetensors.torch.save_file(torch.load(FILE), \"weights.safetensors\")`)";
const KERAS: &str = "a file of Keras, which is not read here: give a safetensors file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_named() {
        for (name, start, expected) in [
            ("x.onnx", &b"\x08\x08\x12\x0ablocksmith"[..], "ONNX"),
            ("x.ONNX", b"", "ONNX"),
            ("x.pth", b"PK\x03\x04", "PyTorch"),
            ("weights", b"PK\x03\x04", "PyTorch"),
            ("weights", b"\x80\x02}q", "PyTorch"),
            ("weights", b"\x89HDF\r\n", "Keras"),
            ("e.yaml", b"name: e", "a text"),
        ] {
            assert!(what(Path::new(name), start).is_some_and(|said| said.contains(expected)), "{name}");
        }
        assert_eq!(what(Path::new("x.safetensors"), b"\x10\0\0\0\0\0\0\0"), None);
        assert_eq!(what(Path::new("weights"), b"12345678"), None);
    }
}
