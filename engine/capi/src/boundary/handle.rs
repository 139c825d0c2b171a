//! Handles: what C holds of ours, and who may use it now.
//!
//! ```text
//!   word      kind                                         what it takes to get in
//!   0         any, in the child of a fork                  nothing does: RW_CLOSED
//!   SHARED    configuration, engine, channel               nothing
//!   UNBOUND   publisher, no thread's yet                   becomes the caller's thread number
//!   a thread  publisher                                    that thread's call
//!   IDLE      reports, subscriber, shard                   becomes BUSY until the call returns
//!   BUSY      the same, a call is under way
//!   FREED     any                                          nothing does: RW_INVALID
//! ```
//!
//! A publisher's thread compares one word: it tells at once that the handle is a publisher, was not freed, belongs to
//! this thread and did not come here by a fork.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use super::{chunks, thread};
use crate::code::{CLOSED, Code, INVALID, WRONG_THREAD};
use crate::text::fail;

const WIPED: usize = 0;
const SHARED: usize = 1;
const UNBOUND: usize = 2;
const IDLE: usize = 3;
const BUSY: usize = 4;
const FREED: usize = 5;

const _: () = assert!(FREED < thread::LEAST);
const _: () = assert!(size_of::<Shell>() <= chunks::PLACE_LEN);

/// A handle's place: see [`chunks`]. It is only ever reached by `&`.
struct Shell {
    word: AtomicUsize,
    /// [`Kind::KIND`].
    kind: AtomicU32,
    /// The boxed value.
    value: AtomicPtr<()>,
}

/// How a kind of handle is shared between threads.
pub(crate) trait Kind: Send + 'static {
    /// Tells the kinds apart; not 0.
    const KIND: u32;
    /// What errors call it.
    const NAME: &'static str;
}

/// A handle as C has it: anything at all, until it was looked at.
#[repr(transparent)]
pub(crate) struct Handle<T> {
    shell: *mut Shell,
    kind: PhantomData<T>,
}

// SAFETY: a handle is an address; every way to what it leads to checks the thread by itself.
unsafe impl<T> Send for Handle<T> {}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> Handle<T> {
    pub(crate) const NULL: Self = Self { shell: std::ptr::null_mut(), kind: PhantomData };

    /// The place, if this is the address of one.
    #[inline(always)]
    fn shell(&self) -> Option<&Shell> {
        if chunks::is_place(self.shell.addr()) {
            // SAFETY: places are mapped for ever, zero or a `Shell`, of which zero is one, and reached by `&` alone; NULL
            // is none.
            Some(unsafe { NonNull::new_unchecked(self.shell).as_ref() })
        } else {
            None
        }
    }
}

impl<T: Kind> Handle<T> {
    /// A handle that any number of threads may use at a time.
    pub(crate) fn shared(value: T) -> Result<Self, Code>
    where
        T: Sync,
    {
        Self::make(value, SHARED)
    }

    /// A handle that becomes the first thread's that uses it.
    pub(crate) fn unbound(value: T) -> Result<Self, Code> {
        Self::make(value, UNBOUND)
    }

    /// A handle that one thread at a time may use.
    pub(crate) fn exclusive(value: T) -> Result<Self, Code> {
        Self::make(value, IDLE)
    }

    fn make(value: T, word: usize) -> Result<Self, Code> {
        let place = chunks::take()?;
        let handle = Self { shell: place.as_ptr().cast(), kind: PhantomData };
        let shell = handle.shell().ok_or(INVALID)?;
        shell.value.store(Box::into_raw(Box::new(value)).cast(), Ordering::Relaxed);
        shell.kind.store(T::KIND, Ordering::Relaxed);
        shell.word.store(word, Ordering::Release);
        Ok(handle)
    }

    /// What a shared handle leads to.
    #[inline(always)]
    pub(crate) fn get(&self) -> Result<&T, Code>
    where
        T: Sync,
    {
        match self.shell() {
            Some(shell) if shell.kind.load(Ordering::Acquire) == T::KIND => {
                // SAFETY: places of this kind hold a boxed T that lives until `rw_free`, which by the header no call
                // on the handle overlaps. T is Sync: any thread may look.
                Ok(unsafe { &*shell.value.load(Ordering::Relaxed).cast::<T>() })
            }
            _ => Err(self.explained()),
        }
    }

    /// What a bound handle leads to: for its own thread, which a first call makes it.
    #[inline(always)]
    pub(crate) fn own(&self) -> Result<&T, Code> {
        match self.shell() {
            Some(shell) if shell.word.load(Ordering::Relaxed) == thread::number() => {
                // SAFETY: only publishers have a thread's number there (one kind is ever made by `unbound`), it is
                // taken away before the box is freed, and this is that thread: nobody else looks at the same time.
                Ok(unsafe { &*shell.value.load(Ordering::Relaxed).cast::<T>() })
            }
            _ => self.bound(),
        }
    }

    /// As [`Handle::own`], for a call that takes long: until the answer is dropped no other thread frees what it leads to.
    pub(crate) fn own_long(&self) -> Result<Long<'_, T>, Code> {
        let value = self.own()?;
        let shell = self.shell().ok_or(INVALID)?;
        shell.word.store(BUSY, Ordering::Relaxed);
        Ok(Long { shell, value })
    }

    /// By value, as `explained`: what has an address does not stay in a register.
    #[cold]
    #[inline(never)]
    fn bound<'a>(self) -> Result<&'a T, Code> {
        let Some(shell) = self.shell() else { return Err(self.explained()) };
        if shell.kind.load(Ordering::Acquire) != T::KIND {
            return Err(self.explained());
        }
        match shell.word.compare_exchange(UNBOUND, thread::number(), Ordering::Acquire, Ordering::Relaxed) {
            // SAFETY: as in `own`: the number is now this thread's, and the kind was compared.
            Ok(_) => Ok(unsafe { &*shell.value.load(Ordering::Relaxed).cast::<T>() }),
            Err(FREED | WIPED) => Err(self.explained()),
            Err(_) => Err(WRONG_THREAD),
        }
    }

    /// Gives a bound handle up: the next thread has it.
    pub(crate) fn unbind(&self) {
        if let Some(shell) = self.shell() {
            let here = thread::number();
            let _ = shell.word.compare_exchange(here, UNBOUND, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// What an exclusive handle leads to, until the lease is dropped.
    pub(crate) fn lease(&mut self) -> Result<Lease<'_, T>, Code> {
        let shell = match self.shell() {
            Some(shell) if shell.kind.load(Ordering::Acquire) == T::KIND => shell,
            _ => return Err(self.explained()),
        };
        match shell.word.compare_exchange(IDLE, BUSY, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {
                Ok(Lease { shell, value: shell.value.load(Ordering::Relaxed).cast(), lent: PhantomData })
            }
            Err(BUSY) => Err(WRONG_THREAD),
            Err(_) => Err(self.explained()),
        }
    }

    /// Why there is no way in.
    #[cold]
    #[inline(never)]
    fn explained(self) -> Code {
        if self.shell.is_null() {
            return fail(INVALID, format_args!("{} is NULL", T::NAME));
        }
        let Some(shell) = self.shell() else {
            return fail(INVALID, format_args!("no {}: the pointer is no handle", T::NAME));
        };
        match (shell.word.load(Ordering::Relaxed), shell.kind.load(Ordering::Relaxed)) {
            (WIPED, _) => {
                fail(CLOSED, format_args!("the {} stayed with the parent of this process", T::NAME))
            }
            (FREED, _) => fail(INVALID, format_args!("the {} was freed", T::NAME)),
            _ => fail(INVALID, format_args!("no {}: the handle is of another kind", T::NAME)),
        }
    }
}

/// A bound handle in use for long, by its own thread.
pub(crate) struct Long<'a, T> {
    shell: &'a Shell,
    value: &'a T,
}

impl<T> Deref for Long<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> Drop for Long<'_, T> {
    fn drop(&mut self) {
        self.shell.word.store(thread::number(), Ordering::Release);
    }
}

/// An exclusive handle in use.
pub(crate) struct Lease<'a, T> {
    shell: &'a Shell,
    value: *mut T,
    lent: PhantomData<&'a mut T>,
}

impl<T> Deref for Lease<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the place says BUSY because of this lease alone, so nobody else has the value, nor frees it.
        unsafe { &*self.value }
    }
}

impl<T> DerefMut for Lease<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the lease is borrowed exclusively.
        unsafe { &mut *self.value }
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        self.shell.word.store(IDLE, Ordering::Release);
    }
}

/// A handle of whatever kind.
pub(crate) type Any = Handle<()>;

impl Any {
    pub(crate) fn is_null(&self) -> bool {
        self.shell.is_null()
    }

    /// The handle, if it is of this kind.
    pub(crate) fn of<T: Kind>(&self) -> Option<Handle<T>> {
        let shell = self.shell()?;
        let is_it = shell.kind.load(Ordering::Acquire) == T::KIND;
        is_it.then_some(Handle { shell: self.shell, kind: PhantomData })
    }

    /// Why it is no handle.
    pub(crate) fn refused(&self) -> Code {
        match self.shell().map(|shell| shell.word.load(Ordering::Relaxed)) {
            None => fail(INVALID, format_args!("the pointer is no handle")),
            Some(WIPED) => fail(CLOSED, format_args!("the handle stayed with the parent of this process")),
            Some(_) => fail(INVALID, format_args!("the handle was freed")),
        }
    }
}

impl<T: Kind> Handle<T> {
    /// Takes the value out; the place goes to another handle some day.
    pub(crate) fn take(self) -> Result<Box<T>, Code> {
        let shell = self.shell().ok_or(INVALID)?;
        let word = shell.word.load(Ordering::Relaxed);
        if word == BUSY {
            return Err(WRONG_THREAD);
        }
        // Of two that free it one comes first.
        if word == FREED
            || word == WIPED
            || shell.word.compare_exchange(word, FREED, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return Err(self.explained());
        }
        shell.kind.store(0, Ordering::Relaxed);
        let value = shell.value.swap(std::ptr::null_mut(), Ordering::Relaxed).cast::<T>();
        // SAFETY: `make` put it there, for this kind; the exchange above went through once.
        let value = unsafe { Box::from_raw(value) };
        chunks::give_back(self.shell.addr());
        Ok(value)
    }
}
