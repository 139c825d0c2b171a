//! Borrowed reading: nothing is copied, nothing is reserved for a size that is merely declared.

use super::error::{WireError, WireErrorKind};
use super::fields::{Fields, List, Message};
use super::varint::{VARINT_LEN_MAX, VARLONG_LEN_MAX, Varint, read_unsigned, unzigzag};

/// An element takes a byte at least: no more elements than bytes.
const ELEMENT_LEN_MIN: usize = 1;

/// A position in bytes that hold one message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    message: &'static str,
    version: i16,
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the front of `bytes`. `message` and `version` are for errors; `flexible` says whether lengths
    /// are compact and structures end in tagged fields.
    pub fn new(message: &'static str, version: i16, flexible: bool, bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, message, version, flexible }
    }

    /// Bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Bytes that were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Nothing may follow.
    ///
    /// # Errors
    ///
    /// Bytes are left.
    pub fn finish(&self) -> Result<(), WireError> {
        match self.rest().len() {
            0 => Ok(()),
            left => Err(self.error("end", WireErrorKind::Trailing { left })),
        }
    }

    /// An error about the field that begins here.
    #[cold]
    pub fn error(&self, field: &'static str, kind: WireErrorKind) -> WireError {
        WireError { message: self.message, version: self.version, field, offset: self.at, kind }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    ///
    /// Fewer are left.
    pub fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], WireError> {
        let rest = self.rest();
        let Some(taken) = rest.get(..len) else {
            return Err(self.error(field, WireErrorKind::Truncated { wanted: len, left: rest.len() }));
        };
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        match self.rest().first_chunk::<N>() {
            Some(&chunk) => {
                self.at += N;
                Ok(chunk)
            }
            None => Err(self.error(field, WireErrorKind::Truncated { wanted: N, left: self.rest().len() })),
        }
    }

    /// An unsigned number of variable length, 32 bits at most.
    ///
    /// # Errors
    ///
    /// The bytes end inside it, or it is longer than 5 bytes or 32 bits.
    pub fn unsigned_varint(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.varint_of(field, u32::BITS, VARINT_LEN_MAX).map(|value| value as u32)
    }

    /// A signed number of variable length, 32 bits at most.
    ///
    /// # Errors
    ///
    /// As [`unsigned_varint`](Self::unsigned_varint).
    pub fn varint(&mut self, field: &'static str) -> Result<i32, WireError> {
        // 32 bits of zigzag are 32 bits signed.
        self.varint_of(field, u32::BITS, VARINT_LEN_MAX).map(|value| unzigzag(value) as i32)
    }

    /// A signed number of variable length, 64 bits at most.
    ///
    /// # Errors
    ///
    /// The bytes end inside it, or it is longer than 10 bytes or 64 bits.
    pub fn varlong(&mut self, field: &'static str) -> Result<i64, WireError> {
        self.varint_of(field, u64::BITS, VARLONG_LEN_MAX).map(unzigzag)
    }

    fn varint_of(&mut self, field: &'static str, bits: u32, max: usize) -> Result<u64, WireError> {
        match read_unsigned(self.rest(), bits) {
            Varint::Value(value, len) => {
                self.at += len;
                Ok(value)
            }
            Varint::Truncated => {
                let left = self.rest().len();
                Err(self.error(field, WireErrorKind::Truncated { wanted: left + 1, left }))
            }
            Varint::TooLong => Err(self.error(field, WireErrorKind::VarintTooLong { max })),
        }
    }

    /// A length or count as structures have it: compact, or of `WIDE` bytes. `None` is null.
    fn len_of<const WIDE: usize>(&mut self, field: &'static str) -> Result<Option<usize>, WireError> {
        let start = *self;
        if self.flexible {
            // One more than the length; zero is null.
            return Ok((self.unsigned_varint(field)? as usize).checked_sub(1));
        }
        let bytes = self.array::<WIDE>(field)?;
        let len = bytes.iter().fold(0_i64, |value, &byte| value << 8 | i64::from(byte));
        let len = (len << (64 - 8 * WIDE) >> (64 - 8 * WIDE)) as i32;
        match len {
            -1 => Ok(None),
            len if len < 0 => Err(start.error(field, WireErrorKind::NegativeLength { len })),
            len => Ok(Some(len as usize)),
        }
    }

    fn text(&mut self, field: &'static str) -> Result<Option<&'a str>, WireError> {
        let start = *self;
        let Some(len) = self.len_of::<2>(field)? else { return Ok(None) };
        let bytes = self.take(field, len)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| start.error(field, WireErrorKind::NotUtf8))
    }

    fn elements<T: Message<'a>>(&mut self, field: &'static str) -> Result<Option<List<'a, T>>, WireError> {
        let start = *self;
        let Some(count) = self.len_of::<4>(field)? else { return Ok(None) };
        let left = self.rest().len();
        if count > left / ELEMENT_LEN_MIN {
            return Err(start.error(field, WireErrorKind::CountBeyondEnd { count, left }));
        }
        let list = List::on_the_wire(*self, count);
        for _ in 0..count {
            T::default().fields(self)?;
        }
        Ok(Some(list))
    }

    fn some<T>(&self, field: &'static str, value: Option<T>) -> Result<T, WireError> {
        value.ok_or_else(|| self.error(field, WireErrorKind::Null))
    }
}

impl<'a> Fields<'a> for Reader<'a> {
    fn version(&self) -> i16 {
        self.version
    }

    fn boolean(&mut self, field: &'static str, value: &mut bool) -> Result<(), WireError> {
        let [byte] = self.array(field)?;
        *value = byte != 0;
        Ok(())
    }

    fn int8(&mut self, field: &'static str, value: &mut i8) -> Result<(), WireError> {
        *value = i8::from_be_bytes(self.array(field)?);
        Ok(())
    }

    fn int16(&mut self, field: &'static str, value: &mut i16) -> Result<(), WireError> {
        *value = i16::from_be_bytes(self.array(field)?);
        Ok(())
    }

    fn int32(&mut self, field: &'static str, value: &mut i32) -> Result<(), WireError> {
        *value = i32::from_be_bytes(self.array(field)?);
        Ok(())
    }

    fn int64(&mut self, field: &'static str, value: &mut i64) -> Result<(), WireError> {
        *value = i64::from_be_bytes(self.array(field)?);
        Ok(())
    }

    fn uuid(&mut self, field: &'static str, value: &mut [u8; 16]) -> Result<(), WireError> {
        *value = self.array(field)?;
        Ok(())
    }

    fn string(&mut self, field: &'static str, value: &mut &'a str) -> Result<(), WireError> {
        let start = *self;
        let text = self.text(field)?;
        *value = start.some(field, text)?;
        Ok(())
    }

    fn nullable_string(&mut self, field: &'static str, value: &mut Option<&'a str>) -> Result<(), WireError> {
        *value = self.text(field)?;
        Ok(())
    }

    fn nullable_bytes(&mut self, field: &'static str, value: &mut Option<&'a [u8]>) -> Result<(), WireError> {
        *value = match self.len_of::<4>(field)? {
            Some(len) => Some(self.take(field, len)?),
            None => None,
        };
        Ok(())
    }

    fn list<T: Message<'a>>(
        &mut self,
        field: &'static str,
        value: &mut List<'a, T>,
    ) -> Result<(), WireError> {
        let start = *self;
        let list = self.elements(field)?;
        *value = start.some(field, list)?;
        Ok(())
    }

    fn nullable_list<T: Message<'a>>(
        &mut self,
        field: &'static str,
        value: &mut Option<List<'a, T>>,
    ) -> Result<(), WireError> {
        *value = self.elements(field)?;
        Ok(())
    }

    fn absent(&mut self, _: &'static str, _: bool) -> Result<(), WireError> {
        Ok(())
    }

    fn tags(
        &mut self,
        known: &[(u32, bool)],
        mut each: impl FnMut(&mut Self, u32) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if !self.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint("tagged fields")?;
        // Each takes bytes or ends the loop: the count reserves nothing.
        for _ in 0..count {
            let tag = self.unsigned_varint("tag")?;
            let size = self.unsigned_varint("tag size")? as usize;
            let start = *self;
            let content = self.take("tagged field", size)?;
            if known.iter().any(|&(known, _)| known == tag) {
                let mut inner = Self { bytes: &self.bytes[..self.at], ..start };
                each(&mut inner, tag)?;
                let read = inner.at - start.at;
                if read != content.len() {
                    return Err(start.error("tagged field", WireErrorKind::TagSize { tag, size, read }));
                }
            }
        }
        Ok(())
    }
}
