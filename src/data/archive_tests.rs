use std::path::PathBuf;

use super::super::fixtures::{Entry, entry, tar_bytes};
use super::*;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures").join(name)
}

fn contents(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let archive = Archive::open(path, None)?;
    let files = archive.members().iter().enumerate();
    let wanted = files.filter(|(_, member)| matches!(member.what, What::File(_))).map(|(at, _)| at).collect();
    let mut all = Vec::new();
    archive.read(&wanted, None, |at, reader, size| {
        let bytes = archive.rest(at, Vec::new(), reader, size, None)?;
        all.push((archive.members()[at].name.clone(), bytes));
        Ok(())
    })?;
    all.sort();
    Ok(all)
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

fn refusal(bytes: &[u8]) -> String {
    let file = written(bytes);
    match contents(file.path()) {
        Err(Error::Request(message)) => message.replace(&file.path().display().to_string(), "FILE"),
        other => panic!("not refused: {other:?}"),
    }
}

/// Packed by Python's gzip, bz2, lzma and zipfile, and the zstandard package.
#[test]
fn every_packing_holds_the_same() {
    let gz = contents(&fixture("pets.tar.gz")).unwrap();
    assert_eq!(gz.len(), 8);
    assert_eq!(gz[0].0, "pets/test/cat/0.png");
    assert!(gz.iter().all(|(_, bytes)| bytes.starts_with(b"\x89PNG")));
    for name in ["pets.tar.bz2", "pets.tar.xz", "pets.tar.zst", "pets.zip"] {
        assert_eq!(contents(&fixture(name)).unwrap(), gz, "{name}");
    }
}

#[test]
fn what_is_cut_off_or_not_read_is_named() {
    for name in ["pets.tar.gz", "pets.tar.bz2", "pets.tar.xz", "pets.tar.zst", "pets.zip"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let message = refusal(&bytes[..bytes.len() * 2 / 3]);
        assert!(message.starts_with("FILE: not a whole archive ("), "{name}: {message}");
    }
    for (bytes, name) in [
        (&b"7z\xbc\xaf\x27\x1c\0\x04"[..], "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a rar archive"),
        (b"\x89PNG\r\n\x1a\n", "one image"),
        (b"", "the file is empty"),
    ] {
        let message = refusal(bytes);
        assert!(message.contains(name) && message.contains("unpack it"), "{message}");
    }
    assert!(
        refusal(&b"no archive at all, but text that goes on and on. ".repeat(20))
            .contains("not a whole archive")
    );
}

/// As unpacking does: the last of a name, whether written `a` or `./a`.
#[test]
fn of_members_of_one_name_the_last_counts() {
    let entries: Vec<Entry> = vec![
        entry("a/x", b"first"),
        entry("./a//x", b"second"),
        entry("a/y", b"other"),
        entry("b/../../z", b"out"),
    ];
    let mut bytes = tar_bytes(&entries[..3]);
    // The crate writes no name that leads out; the header's name is its first bytes.
    let out = tar_bytes(&[entry("b/xx/xx/z", b"out")]);
    let mut header = out[..1024].to_vec();
    header[..9].copy_from_slice(b"b/../../z");
    header[148..156].fill(b' ');
    let sum: u32 = header[..512].iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes.splice(..0, header);
    let file = written(&bytes);
    let archive = Archive::open(file.path(), None).unwrap();
    assert_eq!((archive.members().len(), archive.doubled), (2, 1));
    let all = contents(file.path()).unwrap();
    assert_eq!(all, [("a/x".into(), b"second".to_vec()), ("a/y".into(), b"other".to_vec())]);
}

#[test]
fn links_name_what_they_mean() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |kind, name: &str, target: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, name, target).unwrap();
    };
    add(tar::EntryType::Link, "train/cat/hard.png", "train/cat/1.png");
    add(tar::EntryType::Symlink, "train/cat/soft.png", "../dog/2.png");
    add(tar::EntryType::Symlink, "train/cat/out.png", "../../../etc/passwd");
    add(tar::EntryType::Symlink, "train/cat/root.png", "/etc/passwd");
    let file = written(&builder.into_inner().unwrap());
    let archive = Archive::open(file.path(), None).unwrap();
    let targets: Vec<&What> = archive.members().iter().map(|member| &member.what).collect();
    let expected = ["train/cat/1.png", "train/dog/2.png", "", ""].map(|name| What::Link(name.into()));
    assert_eq!(targets, expected.iter().collect::<Vec<_>>());
}

/// A long name, a pax header and a file that claim to be far longer than they are, or are.
#[test]
fn what_claims_too_much_is_refused_early() {
    let header = |kind, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_path("x").unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
        let message = refusal(&header(kind, 3 << 30));
        assert!(message.contains("a name or header of 3221225472 bytes"), "{message}");
    }
    let large = written(&header(tar::EntryType::Regular, 600 << 20));
    large.as_file().set_len((600 << 20) + 1536).unwrap();
    let message = contents(large.path()).unwrap_err().to_string();
    assert!(
        message.contains(": x: it has 600.00 MiB, and files of at most 512.00 MiB are read"),
        "{message}"
    );
    // 300 MiB of zeros in 300 KiB.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(300 << 20), &mut encoder).unwrap();
    let mut bytes = Vec::new();
    let mut whole = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
    std::io::Write::write_all(&mut whole, &header(tar::EntryType::Regular, 300 << 20)).unwrap();
    whole.finish().unwrap();
    bytes.extend(encoder.finish().unwrap());
    let message = refusal(&bytes);
    assert!(message.contains("unpacks to more than 200 times its size"), "{message}");
    // The list of a million members does not fit a memory of 1 MiB.
    let entries: Vec<Entry> = (0..3000).map(|at| entry(&format!("train/a/{at}"), b"")).collect();
    let file = written(&tar_bytes(&entries));
    let message = Archive::open(file.path(), Some(1 << 20)).map(drop).unwrap_err().to_string();
    assert!(message.contains("so many members"), "{message}");
}
