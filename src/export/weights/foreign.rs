//! Files of weights that are not safetensors, known by how they begin.

/// What a file is that begins with `start`, and how its weights become safetensors; `None` where that is not known.
pub fn name(start: &[u8]) -> Option<String> {
    const PYTORCH: &str = "save its state dict with the Python package safetensors: \
        `safetensors.torch.save_file(torch.load(FILE, map_location='cpu', weights_only=True), 'weights.safetensors')`";
    let begins = |magic: &[u8]| start.starts_with(magic);
    let (what, remedy) = if begins(b"PK\x03\x04") {
        ("a zip archive, as PyTorch writes .pth, .pt and .bin files", PYTORCH)
    } else if begins(b"\x80") && start.get(1).is_some_and(|protocol| (2..=5).contains(protocol)) {
        ("a Python pickle, as PyTorch wrote .pth files before version 1.6", PYTORCH)
    } else if begins(b"\x08")
        && matches!(start.get(1..3), Some([1..=31, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42]))
    {
        ("an ONNX file", "give the safetensors file or the study that it was exported from")
    } else if begins(b"\x89HDF") {
        (
            "an HDF5 file, as Keras writes",
            "save the weights as safetensors under the names of this network's tensors",
        )
    } else if begins(b"\x93NUMPY") {
        ("a NumPy array", "save the weights as safetensors under the names of this network's tensors")
    } else if begins(b"GGUF") {
        ("a GGUF file", "get the weights as safetensors")
    } else if start.get(4..8) == Some(b"TFL3") {
        ("a TensorFlow Lite file", "get the weights as safetensors")
    } else if begins(b"\x1f\x8b") {
        ("compressed with gzip", "unpack it first")
    } else if begins(b"version ") {
        ("a pointer of Git LFS, not the file itself", "get it with `git lfs pull`")
    } else if begins(b"{") {
        ("JSON text, such as the index of weights in several files", "name the file with the weights itself")
    } else {
        return None;
    };
    Some(format!("not a safetensors file but {what}: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of files that PyTorch 1.4 and 2.2, onnx 1.15, Keras 3, NumPy 1.26 and llama.cpp wrote.
    #[test]
    fn files_of_others_are_named() {
        for (start, expected) in [
            (&b"PK\x03\x04\x00\x00\x08\x08"[..], "as PyTorch writes .pth"),
            (b"\x80\x02\x8a\nl\xfc\x9cF", "a Python pickle"),
            (b"\x08\x08\x12\x07pytorch", "an ONNX file"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"\x93NUMPY\x01\x00", "a NumPy array"),
            (b"GGUF\x03\x00\x00\x00", "a GGUF file"),
            (b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite file"),
            (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "compressed with gzip"),
            (b"version https", "a pointer of Git LFS"),
            (b"{\"metadata\"", "JSON text"),
        ] {
            let said = name(start).unwrap();
            assert!(said.starts_with("not a safetensors file but ") && said.contains(expected), "{said}");
        }
        assert_eq!(name(b"\x28\x01\0\0\0\0\0\0"), None);
    }
}
