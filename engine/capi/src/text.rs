//! The last error's words, one text for each thread, and texts in arrays of C's.

use std::cell::Cell;
use std::ffi::c_char;
use std::fmt::{self, Write};

use crate::code::Code;

/// Bytes of the last error's text with its zero: two lines of a terminal for each part of the longest one.
const TEXT_LEN: usize = 1024;

std::thread_local! {
    /// Without a destructor: nothing is left behind for a thread that ends after the library is gone.
    static LAST: Cell<[u8; TEXT_LEN]> = const { Cell::new([0; TEXT_LEN]) };
}

/// Leaves the words for `rw_last_error`, and answers the code.
#[cold]
#[inline(never)]
pub(crate) fn fail(code: Code, words: fmt::Arguments<'_>) -> Code {
    let mut text = Text { bytes: [0; TEXT_LEN], len: 0 };
    // It cuts what does not fit, and never fails.
    let _ = text.write_fmt(words);
    LAST.set(text.bytes);
    code
}

/// A text with a zero behind it.
struct Text {
    bytes: [u8; TEXT_LEN],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let cut = cut(text, TEXT_LEN - 1 - self.len);
        self.bytes[self.len..self.len + cut.len()].copy_from_slice(cut.as_bytes());
        self.len += cut.len();
        Ok(())
    }
}

/// The longest beginning of whole characters within so many bytes; none of them ends a text in C.
pub(crate) fn cut(text: &str, len_max: usize) -> &str {
    let text = text.split('\0').next().unwrap_or_default();
    let mut len = text.len().min(len_max);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    &text[..len]
}

/// A text in an array of C's, cut if it is too long.
pub(crate) fn array<const N: usize>(text: &str) -> [c_char; N] {
    let mut array = [0; N];
    for (slot, byte) in array.iter_mut().zip(cut(text, N - 1).bytes()) {
        *slot = byte.cast_signed();
    }
    array
}

export_text! {
    /// The thread's own text: it has no destructor, so its address holds as long as the thread does.
    fn rw_last_error() {
        LAST.with(|last| last.as_ptr().cast_const().cast())
    }
}

/// The text as C reads it.
#[cfg(test)]
pub(crate) fn last_error() -> String {
    let bytes = LAST.get();
    let text = std::ffi::CStr::from_bytes_until_nul(&bytes).expect("it has an end");
    text.to_str().expect("it is UTF-8").to_owned()
}
