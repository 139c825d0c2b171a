//! A publisher with a claim that lasts from one call to another.
//!
//! ```text
//!   rw_try_claim ──► Claim<'publisher>, kept beside the publisher that it borrows ──► rw_commit, rw_abort
//! ```
//!
//! While there is a claim nobody touches the publisher: [`Desk::publisher`] refuses.
#![allow(unsafe_code)]

use std::cell::{Cell, UnsafeCell};
use std::mem::{MaybeUninit, needs_drop};

use ringwire::{Channel, Claim, Publisher, Refusal};

use crate::code::{Code, INVALID};
use crate::text::fail;

/// A publisher, or its claim. One thread at a time, by [`crate::boundary::Handle::own`].
pub(crate) struct Desk {
    /// The claim, while there is one: written where it stays, and read from there. It borrows `publisher` and what that
    /// keeps alive, and nobody drops it.
    claim: UnsafeCell<MaybeUninit<Claim<'static>>>,
    /// Where the claimed payload begins; 0 for no claim.
    place: Cell<usize>,
    publisher: UnsafeCell<Publisher>,
}

// A claim that is left behind is aborted without a drop.
const _: () = assert!(!needs_drop::<Claim<'static>>());

// SAFETY: a claim is a place in a ring that no other thread reaches, like the publisher, which is Send; its raw pointer
// alone keeps it from being so.
unsafe impl Send for Desk {}

/// Why there is no claim.
pub(crate) enum NoClaim {
    Refused(Refusal),
    Code(Code),
}

impl Desk {
    pub(crate) fn new(publisher: Publisher) -> Self {
        Self {
            claim: UnsafeCell::new(MaybeUninit::uninit()),
            place: Cell::new(0),
            publisher: UnsafeCell::new(publisher),
        }
    }

    /// Lends the publisher to `work`, unless a claim has it.
    #[inline(always)]
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Publisher) -> T) -> Result<T, Code> {
        if self.place.get() != 0 {
            return Err(under_way());
        }
        // SAFETY: no claim borrows it; the type is not Sync, so this thread alone is here; and `work` is one of this
        // crate's closures, none of which comes back to this desk.
        Ok(work(unsafe { &mut *self.publisher.get() }))
    }

    /// Claims room, and answers where it is.
    #[inline(always)]
    pub(crate) fn claim(&self, channel: &Channel, len: usize) -> Result<*mut u8, NoClaim> {
        if self.place.get() != 0 {
            return Err(NoClaim::Code(under_way()));
        }
        // SAFETY: as in `with`; and from here on nobody borrows the publisher until the claim is gone, which does nothing
        // when it is left behind. What the claim borrows of the channel lies in the engine's registry, which never forgets a
        // channel and which the publisher keeps alive.
        let (publisher, channel) =
            unsafe { (&mut *self.publisher.get(), &*std::ptr::from_ref::<Channel>(channel)) };
        let mut claim: Claim<'static> = publisher.try_claim(channel, len).map_err(NoClaim::Refused)?;
        let place = claim.as_mut_ptr();
        self.place.set(place.addr());
        // SAFETY: this thread alone is here, by the type, and nobody borrows what is there.
        unsafe { (*self.claim.get()).write(claim) };
        Ok(place)
    }

    /// Takes the claim at this place out.
    #[inline(always)]
    pub(crate) fn take(&self, place: usize) -> Result<Claim<'_>, Code> {
        if place == 0 || self.place.get() != place {
            return Err(no_such());
        }
        self.place.set(0);
        // SAFETY: there was a place, so `claim` has written one; this thread alone is here, and reads it once, for the
        // place is gone.
        Ok(unsafe { (*self.claim.get()).assume_init_read() })
    }
}

#[cold]
fn under_way() -> Code {
    fail(INVALID, format_args!("a claim is under way: rw_commit or rw_abort it first"))
}

#[cold]
fn no_such() -> Code {
    fail(INVALID, format_args!("no claim of this publisher is under way at that place"))
}
