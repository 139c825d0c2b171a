//! One description of a message for both directions.
//!
//! A message is a `Copy` structure that borrows its strings, bytes and lists. Its `fields` visits each field in
//! the order of the wire: a [`Reader`] stores what it reads, a [`Writer`](super::Writer) appends what it finds.
//! So a version's layout stands in one place, and what one direction writes the other reads.

use std::fmt;

use super::error::WireError;
use super::reader::Reader;

/// What visits the fields of a [`Message`].
///
/// Each method handles one field: `field` is its name, for errors. Lengths are compact in the flexible versions
/// of a message. All of them fail as [`WireErrorKind`](super::WireErrorKind) says.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Fields<'a>: Sized {
    /// The version that is read or written.
    fn version(&self) -> i16;
    /// One byte, 0 or 1; any other than 0 is read as true.
    fn boolean(&mut self, field: &'static str, value: &mut bool) -> Result<(), WireError>;
    /// One byte.
    fn int8(&mut self, field: &'static str, value: &mut i8) -> Result<(), WireError>;
    /// Two bytes, big-endian.
    fn int16(&mut self, field: &'static str, value: &mut i16) -> Result<(), WireError>;
    /// Four bytes, big-endian.
    fn int32(&mut self, field: &'static str, value: &mut i32) -> Result<(), WireError>;
    /// Eight bytes, big-endian.
    fn int64(&mut self, field: &'static str, value: &mut i64) -> Result<(), WireError>;
    /// Sixteen bytes as they are.
    fn uuid(&mut self, field: &'static str, value: &mut [u8; 16]) -> Result<(), WireError>;
    /// A length, and UTF-8.
    fn string(&mut self, field: &'static str, value: &mut &'a str) -> Result<(), WireError>;
    /// A string or null.
    fn nullable_string(&mut self, field: &'static str, value: &mut Option<&'a str>) -> Result<(), WireError>;
    /// A length and bytes, or null.
    fn nullable_bytes(&mut self, field: &'static str, value: &mut Option<&'a [u8]>) -> Result<(), WireError>;
    /// A count and elements.
    fn list<T: Message<'a>>(&mut self, field: &'static str, value: &mut List<'a, T>)
    -> Result<(), WireError>;
    /// A list or null.
    fn nullable_list<T: Message<'a>>(
        &mut self,
        field: &'static str,
        value: &mut Option<List<'a, T>>,
    ) -> Result<(), WireError>;
    /// A field that this version does not have: the writer refuses a value that would be lost.
    fn absent(&mut self, field: &'static str, is_default: bool) -> Result<(), WireError>;
    /// The end of a structure: its tagged fields, nothing in versions that are not flexible.
    ///
    /// `known` lists the tags of this version in ascending order and which of them are to be written; `each`
    /// visits one of them. The reader skips tags that are not known.
    fn tags(
        &mut self,
        known: &[(u32, bool)],
        each: impl FnMut(&mut Self, u32) -> Result<(), WireError>,
    ) -> Result<(), WireError>;
    /// The end of a structure without tagged fields of its own.
    fn no_tags(&mut self) -> Result<(), WireError> {
        self.tags(&[], |_, _| Ok(()))
    }
}

/// A structure on the wire.
pub trait Message<'a>: Copy + Default {
    /// Visits every field of the visitor's version, in the order of the wire.
    ///
    /// # Errors
    ///
    /// As the visitor's methods.
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError>;
}

/// An array of numbers has elements of this form.
impl<'a> Message<'a> for i32 {
    fn fields<F: Fields<'a>>(&mut self, f: &mut F) -> Result<(), WireError> {
        f.int32("element", self)
    }
}

/// The elements of an array: a slice of the caller's, or bytes of a message that was read and checked.
///
/// Iterating over what was read decodes element by element; nothing is collected.
#[derive(Clone, Copy)]
pub struct List<'a, T> {
    source: Source<'a, T>,
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    Items(&'a [T]),
    /// The reader stands at the first of `count` elements that were read before without an error.
    Wire(Reader<'a>, usize),
}

impl<'a, T: Message<'a>> List<'a, T> {
    /// A list to be written.
    pub const fn new(items: &'a [T]) -> Self {
        Self { source: Source::Items(items) }
    }

    pub(super) fn on_the_wire(reader: Reader<'a>, count: usize) -> Self {
        Self { source: Source::Wire(reader, count) }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self.source {
            Source::Items(items) => items.len(),
            Source::Wire(_, count) => count,
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in order.
    pub fn iter(&self) -> Iter<'a, T> {
        Iter { source: self.source }
    }
}

impl<'a, T: Message<'a>> Default for List<'a, T> {
    fn default() -> Self {
        Self { source: Source::Items(&[]) }
    }
}

impl<'a, T: Message<'a>> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        Self::new(items)
    }
}

impl<'a, T: Message<'a>, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(items: &'a [T; N]) -> Self {
        Self::new(items)
    }
}

impl<'a, T: Message<'a> + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Message<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Message<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Message<'a>> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The elements of a [`List`], by value.
#[derive(Clone)]
pub struct Iter<'a, T> {
    source: Source<'a, T>,
}

impl<'a, T: Message<'a>> Iterator for Iter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.source {
            Source::Items(items) => {
                let (&first, rest) = items.split_first()?;
                *items = rest;
                Some(first)
            }
            Source::Wire(reader, count) => {
                *count = count.checked_sub(1)?;
                let mut element = T::default();
                // These bytes were read before, without an error.
                element.fields(reader).ok()?;
                Some(element)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match &self.source {
            Source::Items(items) => items.len(),
            Source::Wire(_, count) => *count,
        };
        (len, Some(len))
    }
}

impl<'a, T: Message<'a>> ExactSizeIterator for Iter<'a, T> {}
