//! Appending to the caller's buffer.

use super::error::{WireError, WireErrorKind};
use super::fields::{Fields, List, Message};
use super::varint::{VARLONG_LEN_MAX, write_unsigned, zigzag};

/// A length on the wire is a signed number of 32 bits, or of 16 for the strings of older versions. The compact
/// form could say one more, but no peer takes it.
const LEN_MAX: usize = i32::MAX as usize;
const STRING_LEN_MAX: usize = i16::MAX as usize;

/// Appends one message to a buffer.
#[derive(Debug)]
pub struct Writer<'v> {
    out: &'v mut Vec<u8>,
    /// Length of `out` when the message began.
    start: usize,
    message: &'static str,
    version: i16,
    flexible: bool,
}

impl<'v> Writer<'v> {
    /// A writer at the end of `out`; see [`Reader::new`](super::Reader::new) for the rest.
    pub fn new(message: &'static str, version: i16, flexible: bool, out: &'v mut Vec<u8>) -> Self {
        Self { start: out.len(), out, message, version, flexible }
    }

    /// An error about the field that would begin here.
    #[cold]
    pub fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        let offset = self.out.len() - self.start;
        WireError { message: self.message, version: self.version, field, offset, kind }
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends an unsigned number of variable length.
    pub fn unsigned_varint(&mut self, value: u32) {
        self.varint_of(u64::from(value));
    }

    /// Appends a signed number of variable length, 32 bits at most.
    pub fn varint(&mut self, value: i32) {
        self.varint_of(zigzag(i64::from(value)));
    }

    /// Appends a signed number of variable length, 64 bits at most.
    pub fn varlong(&mut self, value: i64) {
        self.varint_of(zigzag(value));
    }

    fn varint_of(&mut self, value: u64) {
        let mut bytes = [0; VARLONG_LEN_MAX];
        let len = write_unsigned(&mut bytes, value);
        self.raw(&bytes[..len]);
    }

    /// Appends the count of an array, as structures have it.
    ///
    /// # Errors
    ///
    /// It is beyond what a count can say.
    pub fn count(&mut self, field: &'static str, count: Option<usize>) -> Result<(), WireError> {
        self.len_of::<4>(field, count, LEN_MAX)
    }

    fn len_of<const WIDE: usize>(
        &mut self,
        field: &'static str,
        len: Option<usize>,
        max: usize,
    ) -> Result<(), WireError> {
        if let Some(len) = len.filter(|&len| len > max) {
            return Err(self.error(field, WireErrorKind::TooLong { len, max }));
        }
        if self.flexible {
            // The check above leaves room for the one that is added.
            self.unsigned_varint(len.map_or(0, |len| len as u32 + 1));
        } else {
            let value = len.map_or(-1, |len| len as i64);
            self.raw(&value.to_be_bytes()[8 - WIDE..]);
        }
        Ok(())
    }

    fn text(&mut self, field: &'static str, text: Option<&str>) -> Result<(), WireError> {
        self.len_of::<2>(field, text.map(str::len), STRING_LEN_MAX)?;
        self.raw(text.unwrap_or_default().as_bytes());
        Ok(())
    }

    fn elements<'a, T: Message<'a>>(
        &mut self,
        field: &'static str,
        list: Option<List<'a, T>>,
    ) -> Result<(), WireError> {
        self.count(field, list.map(|list| list.len()))?;
        for mut element in list.unwrap_or_default() {
            element.fields(self)?;
        }
        Ok(())
    }
}

impl<'a> Fields<'a> for Writer<'_> {
    fn version(&self) -> i16 {
        self.version
    }

    fn boolean(&mut self, _: &'static str, value: &mut bool) -> Result<(), WireError> {
        self.raw(&[u8::from(*value)]);
        Ok(())
    }

    fn int8(&mut self, _: &'static str, value: &mut i8) -> Result<(), WireError> {
        self.raw(&value.to_be_bytes());
        Ok(())
    }

    fn int16(&mut self, _: &'static str, value: &mut i16) -> Result<(), WireError> {
        self.raw(&value.to_be_bytes());
        Ok(())
    }

    fn int32(&mut self, _: &'static str, value: &mut i32) -> Result<(), WireError> {
        self.raw(&value.to_be_bytes());
        Ok(())
    }

    fn int64(&mut self, _: &'static str, value: &mut i64) -> Result<(), WireError> {
        self.raw(&value.to_be_bytes());
        Ok(())
    }

    fn uuid(&mut self, _: &'static str, value: &mut [u8; 16]) -> Result<(), WireError> {
        self.raw(value);
        Ok(())
    }

    fn string(&mut self, field: &'static str, value: &mut &'a str) -> Result<(), WireError> {
        self.text(field, Some(value))
    }

    fn nullable_string(&mut self, field: &'static str, value: &mut Option<&'a str>) -> Result<(), WireError> {
        self.text(field, *value)
    }

    fn nullable_bytes(&mut self, field: &'static str, value: &mut Option<&'a [u8]>) -> Result<(), WireError> {
        self.len_of::<4>(field, value.map(<[u8]>::len), LEN_MAX)?;
        self.raw(value.unwrap_or_default());
        Ok(())
    }

    fn list<T: Message<'a>>(
        &mut self,
        field: &'static str,
        value: &mut List<'a, T>,
    ) -> Result<(), WireError> {
        self.elements(field, Some(*value))
    }

    fn nullable_list<T: Message<'a>>(
        &mut self,
        field: &'static str,
        value: &mut Option<List<'a, T>>,
    ) -> Result<(), WireError> {
        self.elements(field, *value)
    }

    fn absent(&mut self, field: &'static str, is_default: bool) -> Result<(), WireError> {
        if is_default { Ok(()) } else { Err(self.error(field, WireErrorKind::NotInThisVersion)) }
    }

    fn tags(
        &mut self,
        known: &[(u32, bool)],
        mut each: impl FnMut(&mut Self, u32) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if !self.flexible {
            return Ok(());
        }
        self.unsigned_varint(known.iter().filter(|(_, present)| *present).count() as u32);
        for &(tag, _) in known.iter().filter(|(_, present)| *present) {
            self.unsigned_varint(tag);
            // The size comes first but is known last: it is put in front of what it measures.
            let content = self.out.len();
            each(self, tag)?;
            let size = self.out.len() - content;
            self.unsigned_varint(size as u32);
            let size_len = self.out.len() - content - size;
            self.out[content..].rotate_right(size_len);
        }
        Ok(())
    }
}
