//! Bytes of a file as text.

/// Why bytes are no text: a clause for the user, and the line up to which they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotText {
    pub line: usize,
    pub why: &'static str,
}

/// The byte order mark of UTF-8, which some editors put before a text.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// UTF-8 text, without the byte order mark that some editors put before it.
///
/// # Errors
/// As [`str`](fn@str).
pub fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    let start = bytes.len() - str(&bytes)?.len();
    let mut text = String::from_utf8(bytes).map_err(|_| NotText { line: 1, why: NOT_UTF8 })?;
    text.drain(..start);
    Ok(text)
}

/// As [`text`], of bytes that stay where they are.
///
/// # Errors
/// The bytes are no UTF-8; UTF-16 and UTF-32 are named by their byte order marks, or by the zeros between plain letters.
pub fn str(bytes: &[u8]) -> Result<&str, NotText> {
    if let Some(why) = wide(bytes) {
        return Err(NotText { line: 1, why });
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        NotText { line: 1 + before.iter().filter(|byte| **byte == b'\n').count(), why: NOT_UTF8 }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

const NOT_UTF8: &str = "not UTF-8 text; save it as UTF-8";

fn wide(bytes: &[u8]) -> Option<&'static str> {
    const UTF16: &str = "UTF-16 text; save it as UTF-8";
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32 text; save it as UTF-8"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(UTF16),
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some(UTF16),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_passed_over_once() {
        assert_eq!(text(b"\xef\xbb\xbfa: 1\n".to_vec()).unwrap(), "a: 1\n");
        assert_eq!(text(b"\xef\xbb\xbf\xef\xbb\xbfa".to_vec()).unwrap(), "\u{feff}a");
        assert_eq!(text(Vec::new()).unwrap(), "");
    }

    #[test]
    fn other_encodings_are_named() {
        // python3 -c "print('a: 1\n'.encode('utf-16'), 'a: 1\n'.encode('utf-16-be'), 'a'.encode('utf-32'))"
        let utf16 = NotText { line: 1, why: "UTF-16 text; save it as UTF-8" };
        for bytes in [&b"\xff\xfea\0:\0 \x001\0\n\0"[..], b"\xfe\xff\0a\0:", b"\0a\0:\0 \x001\0\n", b"a\0:\0"]
        {
            assert_eq!(text(bytes.to_vec()), Err(utf16.clone()), "{bytes:?}");
        }
        let utf32 = text(b"\xff\xfe\0\0a\0\0\0".to_vec()).unwrap_err();
        assert_eq!(utf32.why, "UTF-32 text; save it as UTF-8");
        let latin = text(b"name: x\ndescription: caf\xe9\n".to_vec()).unwrap_err();
        assert_eq!(latin, NotText { line: 2, why: "not UTF-8 text; save it as UTF-8" });
    }
}
