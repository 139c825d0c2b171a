//! What C points at: looked at before it is followed, and never kept beyond the call.
//!
//! The types stand in the signatures of exported functions, so C alone makes them, and promises in `ringwire.h` that they
//! are NULL or lead to that many of what they say until the call returns.

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;

use crate::code::{Code, INVALID, TOO_LONG};
use crate::text::fail;

/// The longest run of bytes that any ring could ever take: longer ones are refused without a look at them.
pub(crate) const LEN_MAX: usize = 1 << 28;
/// The longest text of a setting, path or name, in bytes: one that has no end is noticed before long.
const TEXT_LEN_MAX: usize = 1 << 16;

/// Something of C's to read: `const T *`.
#[repr(transparent)]
pub(crate) struct In<T>(*const T);

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T> In<T> {
    pub(crate) const NULL: Self = Self(std::ptr::null());

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// For C to have: what it leads to has to outlive it.
    pub(crate) fn to(bytes: &[u8]) -> Self {
        Self(bytes.as_ptr().cast())
    }
}

/// What bytes are declared as in C.
pub(crate) trait Byte {}

impl Byte for c_void {}
impl Byte for c_char {}

impl<T: Byte> In<T> {
    /// So many bytes; none where `len` is 0.
    #[inline(always)]
    pub(crate) fn bytes(&self, len: usize) -> Result<&[u8], Code> {
        if len.wrapping_sub(1) >= LEN_MAX || self.0.is_null() {
            return self.no_bytes(len);
        }
        // SAFETY: not NULL, shorter than `isize::MAX`, and by the header readable until the call returns.
        Ok(unsafe { std::slice::from_raw_parts(self.0.cast(), len) })
    }

    #[cold]
    fn no_bytes(&self, len: usize) -> Result<&[u8], Code> {
        match len {
            0 => Ok(&[]),
            len if len > LEN_MAX => {
                Err(fail(TOO_LONG, format_args!("{len} bytes: no ring takes more than {LEN_MAX}")))
            }
            _ => Err(fail(INVALID, format_args!("a pointer to {len} bytes is NULL"))),
        }
    }

    /// The bytes, or none where the pointer is NULL.
    pub(crate) fn optional(&self, len: usize) -> Result<Option<&[u8]>, Code> {
        if self.is_null() && len == 0 { Ok(None) } else { self.bytes(len).map(Some) }
    }
}

impl In<c_char> {
    /// A text that ends with a zero byte.
    pub(crate) fn text(&self, what: &str) -> Result<&str, Code> {
        if self.0.is_null() {
            return Err(fail(INVALID, format_args!("{what} is NULL")));
        }
        // SAFETY: by the header every byte up to the first zero is readable; none is read beyond it.
        let is_end = |at: &usize| unsafe { *self.0.add(*at) } == 0;
        let Some(len) = (0..TEXT_LEN_MAX).find(is_end) else {
            return Err(fail(INVALID, format_args!("{what} has no end within {TEXT_LEN_MAX} bytes")));
        };
        // SAFETY: these bytes have just been read.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.cast::<u8>(), len) };
        utf8(bytes, what)
    }
}

/// Bytes as text.
pub(crate) fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Code> {
    std::str::from_utf8(bytes).map_err(|_| fail(INVALID, format_args!("{what} is not UTF-8")))
}

/// Types of `ringwire.h` that C fills in: any bytes are one.
///
/// Sealed here: every field of each is an integer, or a pointer that is looked at before it is followed.
pub(crate) trait Plain: Copy {}

impl Plain for crate::message::rw_msg {}
impl Plain for crate::message::rw_header {}
impl Plain for crate::message::rw_slice {}

impl<T: Plain> In<T> {
    /// One of them.
    pub(crate) fn one(&self, what: &str) -> Result<&T, Code> {
        self.many(1, what).map(|all| &all[0])
    }

    /// So many of them.
    pub(crate) fn many(&self, count: usize, what: &str) -> Result<&[T], Code> {
        if count == 0 {
            return Ok(&[]);
        }
        if self.0.is_null() || !self.0.is_aligned() {
            return Err(fail(INVALID, format_args!("{what} is NULL or not aligned")));
        }
        if count > LEN_MAX / size_of::<T>() {
            return Err(fail(TOO_LONG, format_args!("{count} of {what}: no ring takes so many")));
        }
        // SAFETY: not NULL, aligned, shorter than `isize::MAX`, by the header readable until the call returns, and any
        // bytes are a T.
        Ok(unsafe { std::slice::from_raw_parts(self.0, count) })
    }

    /// Its first `size` bytes over a default, for a caller whose type is another version's.
    pub(crate) fn partly(&self, size: usize, mut default: T) -> T {
        let size = size.min(size_of::<T>());
        // SAFETY: by the header `size` bytes are there; any bytes are a T.
        unsafe { std::ptr::copy_nonoverlapping(self.0.cast::<u8>(), (&raw mut default).cast(), size) };
        default
    }

    /// What a later version has behind ours.
    pub(crate) fn beyond(&self, size: usize) -> &[u8] {
        let ours = size_of::<T>();
        // SAFETY: by the header `size` bytes are there, and the caller has bounded it.
        unsafe { std::slice::from_raw_parts(self.0.cast::<u8>().add(ours), size.saturating_sub(ours)) }
    }

    /// The number at its beginning: its size.
    pub(crate) fn size(&self, what: &str) -> Result<usize, Code> {
        if self.0.is_null() || !self.0.is_aligned() {
            return Err(fail(INVALID, format_args!("{what} is NULL or not aligned")));
        }
        // SAFETY: not NULL and aligned; every version of the type begins with this number.
        Ok(unsafe { *self.0.cast::<u32>() } as usize)
    }
}

/// Something of C's to write: `T *`.
#[repr(transparent)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    #[cfg(test)]
    pub(crate) const NULL: Self = Self(std::ptr::null_mut());

    /// Writes it, unless C does not want it.
    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        if !self.0.is_null() {
            // SAFETY: not NULL, and by the header writable and aligned until the call returns.
            unsafe { self.0.write(value) };
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// To be handed back to C.
    pub(crate) fn pointer(&self) -> *mut T {
        self.0
    }

    /// That C wants it.
    pub(crate) fn wanted(&self, what: &str) -> Result<(), Code> {
        if self.0.is_null() || !self.0.is_aligned() {
            Err(fail(INVALID, format_args!("{what} is NULL or not aligned")))
        } else {
            Ok(())
        }
    }

    /// Room for so many, to be written in order. It may be NULL where there is room for none.
    pub(crate) fn slots(&self, capacity: usize, what: &str) -> Result<Slots<'_, T>, Code> {
        if capacity > 0 {
            self.wanted(what)?;
        }
        if capacity > LEN_MAX / size_of::<T>().max(1) {
            return Err(fail(INVALID, format_args!("{capacity} of {what}: no array is so long")));
        }
        Ok(Slots { next: self.0, left: capacity, lent: PhantomData })
    }
}

/// An array of C's that is being written.
pub(crate) struct Slots<'a, T> {
    next: *mut T,
    left: usize,
    lent: PhantomData<&'a mut T>,
}

impl<T> Slots<'_, T> {
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Writes the next one, if there is room.
    pub(crate) fn push(&mut self, value: T) {
        if self.left > 0 {
            // SAFETY: `Out::slots` found it aligned and not NULL; by the header there is room for `left` more.
            unsafe {
                self.next.write(value);
                self.next = self.next.add(1);
            }
            self.left -= 1;
        }
    }
}

/// A function of the application's and what it wants to be told with it.
pub(crate) struct Callback<F> {
    pub(crate) function: F,
    pub(crate) user: *mut c_void,
}

impl<F: Copy> Clone for Callback<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Copy> Copy for Callback<F> {}

// SAFETY: by the header the function may be called, with this pointer, on threads of ours.
unsafe impl<F> Send for Callback<F> {}
// SAFETY: as above.
unsafe impl<F> Sync for Callback<F> {}
