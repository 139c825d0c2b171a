//! The only place where what C gives is trusted.
#![allow(unsafe_code)]

#[macro_use]
mod export;
mod chunks;
mod handle;
// A library for C has an allocator of its own to set; within a Rust program it is that program's.
#[cfg(any(feature = "capi", test))]
mod memory;
mod pointer;
mod thread;

pub(crate) use export::guarded;
#[cfg(test)]
pub(crate) use export::panic_next;
pub(crate) use handle::{Any, Handle, Kind};
pub(crate) use pointer::{Callback, In, LEN_MAX, Out, Slots, utf8};
