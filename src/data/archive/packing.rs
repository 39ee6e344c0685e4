//! How an archive is packed, and its bytes unpacked within bounds.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// How many times its own size an archive may unpack to. Images are packed already; what goes far beyond is made to fill
/// memories and disks.
const MOST_GROWTH: u64 = 200;
/// Bytes that any archive may unpack to.
const ALWAYS: u64 = 256 << 20;
/// Memory that unpacking may take where no budget is known: xz at its highest setting takes 65 MiB.
const WORKING_MEMORY: u64 = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Zip,
}

/// Beginnings of what holds images but is not read.
const OTHERS: [(&[u8], &str); 12] = [
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which is not read"),
    (b"Rar!\x1a\x07", "a rar archive, which is not read"),
    (b"\x04\x22\x4d\x18", "packed by lz4, which is not read"),
    (b"LZIP", "packed by lzip, which is not read"),
    (b"\x1f\x9d", "packed by compress, which is not read"),
    (b"\x5d\0\0", "packed by lzma, which is not read"),
    (b"MSCF", "a cab archive, which is not read"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, which is not read"),
    (b"\x93NUMPY", "a NumPy file, which is not read"),
    (b"PAR1", "a Parquet file, which is not read"),
    (b"\x89PNG", "one image, and a data set is a folder of them"),
    (b"\xff\xd8\xff", "one image, and a data set is a folder of them"),
];

impl Packing {
    /// By the first bytes of a file: names lie, contents do not. A clause where it is something else that is known.
    pub fn of(file: &mut File) -> io::Result<Result<Packing, &'static str>> {
        let mut start = Vec::new();
        file.take(16).read_to_end(&mut start)?;
        if start.is_empty() {
            return Err(io::Error::other("the file is empty"));
        }
        if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Ok(Err(what));
        }
        let known: [(&[u8], Packing); 6] = [
            (b"\x1f\x8b", Packing::Gzip),
            (b"BZh", Packing::Bzip2),
            (b"\xfd7zXZ\0", Packing::Xz),
            (b"\x28\xb5\x2f\xfd", Packing::Zstd),
            (b"PK\x03\x04", Packing::Zip),
            (b"PK\x05\x06", Packing::Zip),
        ];
        let packing = known.iter().find(|(magic, _)| start.starts_with(magic));
        // Anything else is a tar file, or no archive.
        Ok(Ok(packing.map_or(Packing::Tar, |(_, packing)| *packing)))
    }

    /// The bytes of the tar file that is packed in `file`.
    pub fn unpacked(self, file: File, memory: Option<u64>) -> io::Result<Box<dyn Read>> {
        let length = file.metadata()?.len();
        let working = memory.map_or(WORKING_MEMORY, |memory| memory / 2);
        let mut file = BufReader::with_capacity(1 << 16, file);
        file.seek(SeekFrom::Start(0))?;
        let reader: Box<dyn Read> = match self {
            Packing::Tar | Packing::Zip => return Ok(Box::new(file)),
            Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
            Packing::Bzip2 => Box::new(MultiBzDecoder::new(file)),
            Packing::Xz => {
                let kib = u32::try_from(working >> 10).unwrap_or(u32::MAX - 1);
                Box::new(XzReader::new_mem_limit(file, true, kib))
            }
            Packing::Zstd => Box::new(Frames { source: Some(file), frame: None, working }),
        };
        let most = length.saturating_mul(MOST_GROWTH).max(ALWAYS);
        Ok(Box::new(BufReader::with_capacity(1 << 16, Bounded { reader, left: most })))
    }
}

/// The frames of a Zstandard file, one after another.
struct Frames {
    source: Option<BufReader<File>>,
    frame: Option<StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>>,
    working: u64,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
                self.source = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut source) = self.source.take() else { return Ok(0) };
            match source.fill_buf()? {
                [] => return Ok(0),
                // A frame that is to be skipped (RFC 8878, 3.1.2).
                [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => {
                    let length = 8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
                    io::copy(&mut source.by_ref().take(length), &mut io::sink())?;
                    self.source = Some(source);
                    continue;
                }
                _ => {}
            }
            let frame = StreamingDecoder::new_with_max_window_size(source, self.working);
            self.frame = Some(frame.map_err(io::Error::other)?);
        }
    }
}

/// Gives no more bytes than a bound.
struct Bounded {
    reader: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(format!(
                "it unpacks to more than {MOST_GROWTH} times its size, which no archive of images does"
            ))
        })?;
        Ok(read)
    }
}
