//! A publisher with a claim that lasts from one call to another.
//!
//! ```text
//!   rw_try_claim ──► Lent, kept beside the publisher that lent it ──► rw_commit, rw_abort
//! ```
//!
//! While there is a claim nobody touches the publisher: [`Desk::with`] refuses.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;

use ringwire::{Channel, Lent, Publisher};

use crate::code::{Code, INVALID, of_refusal};
use crate::text::fail;

/// A publisher, and its claim. One thread at a time, by [`crate::boundary::Handle::own`].
///
/// Each call writes here: no line of it is one that the shard writes as well.
#[repr(align(128))]
pub(crate) struct Desk {
    /// The claim under way.
    lent: UnsafeCell<Option<Lent<'static>>>,
    publisher: UnsafeCell<Publisher>,
}

// SAFETY: what is lent is a place in a ring that no other thread reaches, like the publisher, which is Send; its raw
// pointer alone keeps it from being so.
unsafe impl Send for Desk {}

impl Desk {
    pub(crate) fn new(publisher: Publisher) -> Self {
        Self { lent: UnsafeCell::new(None), publisher: UnsafeCell::new(publisher) }
    }

    /// Lends the publisher to `work`, unless a claim is under way.
    #[inline(always)]
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Publisher) -> T) -> Result<T, Code> {
        // SAFETY: the type is not Sync, so this thread alone is here; and `work` is one of this crate's closures, none of
        // which comes back to this desk.
        let (publisher, lent) = unsafe { (&mut *self.publisher.get(), &*self.lent.get()) };
        if lent.is_some() { Err(under_way()) } else { Ok(work(publisher)) }
    }

    /// Claims room, and answers where it is.
    #[inline(always)]
    pub(crate) fn claim(&self, channel: &Channel, len: usize) -> Result<*mut u8, Code> {
        // SAFETY: the channel lies in its handle's box, which the engine hands to its registry when it is freed; the registry
        // forgets nothing, and the publisher keeps it alive.
        let channel = unsafe { &*std::ptr::from_ref::<Channel>(channel) };
        let lent = self.with(|publisher| publisher.try_lend(channel, len))?.map_err(of_refusal)?;
        // SAFETY: as for `with`, which is over.
        Ok(unsafe { &mut *self.lent.get() }.insert(lent).place())
    }

    /// Publishes what was written at this place, and answers its sequence.
    #[inline(always)]
    pub(crate) fn commit(&self, place: usize) -> Result<u64, Code> {
        self.end(place, Publisher::publish_lent)?.map_err(of_refusal)
    }

    /// Gives the claim at this place up.
    pub(crate) fn abort(&self, place: usize) -> Result<(), Code> {
        self.end(place, Publisher::take_back)
    }

    /// Ends the claim at this place. It stays where it lies until then, and is not moved.
    #[inline(always)]
    fn end<T>(
        &self,
        place: usize,
        end: impl FnOnce(&mut Publisher, &mut Lent<'static>) -> T,
    ) -> Result<T, Code> {
        // SAFETY: as for `with`; nothing else borrows the claim.
        let (publisher, under_way) = unsafe { (&mut *self.publisher.get(), &mut *self.lent.get()) };
        match under_way {
            Some(lent) if lent.place().addr() == place => {
                let ended = end(publisher, lent);
                *under_way = None;
                Ok(ended)
            }
            _ => Err(no_such()),
        }
    }
}

#[cold]
#[inline(never)]
fn under_way() -> Code {
    fail(INVALID, format_args!("a claim is under way: rw_commit or rw_abort it first"))
}

#[cold]
#[inline(never)]
fn no_such() -> Code {
    fail(INVALID, format_args!("no claim of this publisher is under way at that place"))
}
