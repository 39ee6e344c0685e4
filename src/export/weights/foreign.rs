//! Files of weights that are not safetensors, known by their first bytes and else by their names: what to give instead.

use std::path::Path;

/// What the file at `path`, which begins with `start`, is, and what to give in its place, as a clause; `None` where its kind is
/// not known.
pub fn what(path: &Path, start: &[u8]) -> Option<&'static str> {
    if path.is_dir() {
        return Some(
            "a folder, not a file of weights: name a safetensors file; those of a study's trials are in its folder checkpoints",
        );
    }
    by_content(start).or_else(|| by_name(path))
}

const PYTORCH: &str = "a file of PyTorch's own (a zip archive or a pickle), which is not read here: save its state dict with the \
                       Python package safetensors: `safetensors.torch.save_file(torch.load(FILE, map_location='cpu', \
                       weights_only=True), 'weights.safetensors')`";
const ONNX: &str = "an ONNX file, which is for other programs: give the folder of the study, or a safetensors file \
                    (`blocksmith export ... --out FILE.safetensors`)";
const KERAS: &str = "an HDF5 file, as Keras writes: save the weights as safetensors under the names of this network's tensors";
const NUMPY: &str =
    "NumPy arrays, which are not read here: give a safetensors file (safetensors.numpy.save_file writes one)";
const TENSORFLOW: &str = "a file of TensorFlow, which is not read here: give a safetensors file";
const TEXT: &str = "a text, not weights: give the folder of the study, or a safetensors file";

fn by_content(start: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| start.starts_with(magic);
    if begins(b"PK\x03\x04") || begins(b"\x80") && matches!(start.get(1), Some(2..=5)) {
        Some(PYTORCH)
    } else if begins(b"\x08")
        && matches!(start.get(1..3), Some([1..=31, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42]))
    {
        Some(ONNX)
    } else if begins(b"\x89HDF") {
        Some(KERAS)
    } else if begins(b"\x93NUMPY") {
        Some(NUMPY)
    } else if begins(b"GGUF") {
        Some("a GGUF file: get the weights as safetensors")
    } else if start.get(4..8) == Some(b"TFL3") {
        Some(TENSORFLOW)
    } else if begins(b"\x1f\x8b") {
        Some("compressed with gzip: unpack it first")
    } else if begins(b"version ") {
        Some("a pointer of Git LFS, not the file itself: get it with `git lfs pull`")
    } else if begins(b"{") {
        Some(
            "JSON text, such as the index of weights in several files: name the file with the weights itself",
        )
    } else {
        None
    }
}

fn by_name(path: &Path) -> Option<&'static str> {
    let ending = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "onnx" => Some(ONNX),
        "pt" | "pth" | "ckpt" | "bin" | "pkl" => Some(PYTORCH),
        "npz" | "npy" => Some(NUMPY),
        "h5" | "hdf5" | "keras" => Some(KERAS),
        "tflite" | "pb" => Some(TENSORFLOW),
        "yaml" | "yml" | "jsonl" => Some(TEXT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of files that PyTorch 1.4 and 2.2, onnx 1.15, Keras 3, NumPy 1.26 and llama.cpp wrote.
    #[test]
    fn files_of_others_are_known_by_their_first_bytes() {
        for (start, expected) in [
            (&b"PK\x03\x04\x00\x00\x08\x08"[..], "PyTorch"),
            (b"\x80\x02\x8a\nl\xfc\x9cF", "a pickle"),
            (b"\x08\x08\x12\x07pytorch", "an ONNX file"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"\x93NUMPY\x01\x00", "NumPy arrays"),
            (b"GGUF\x03\x00\x00\x00", "a GGUF file"),
            (b"\x1c\x00\x00\x00TFL3", "TensorFlow"),
            (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "compressed with gzip"),
            (b"version https", "a pointer of Git LFS"),
            (b"{\"metadata\"", "JSON text"),
        ] {
            let said = what(Path::new("weights"), start).unwrap();
            assert!(said.contains(expected), "{said}");
        }
        assert_eq!(what(Path::new("weights"), b"\x28\x01\0\0\0\0\0\0"), None);
        assert_eq!(what(Path::new("weights"), b"12345678"), None);
    }

    #[test]
    fn files_of_others_are_known_by_their_names_where_their_bytes_say_nothing() {
        for (name, start, expected) in
            [("x.ONNX", &b""[..], "ONNX"), ("x.pth", b"\x00", "PyTorch"), ("e.yaml", b"name: e", "a text")]
        {
            assert!(what(Path::new(name), start).is_some_and(|said| said.contains(expected)), "{name}");
        }
        assert_eq!(what(Path::new("x.safetensors"), b"\x10\0\0\0\0\0\0\0"), None);
    }
}
