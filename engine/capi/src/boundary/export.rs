//! What every exported function has around it: a panic ends there, and nobody prints it.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::code::{Code, INTERNAL};
use crate::text::fail;

/// Functions of `ringwire.h`. Their bodies answer a `Result<c_int, Code>`.
macro_rules! export {
    ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block)*) => { $(
        $(#[$attribute])*
        #[allow(unsafe_code)]
        // SAFETY: no other symbol of the process begins with `rw_`; that is what the prefix is for.
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name($($arg: $type),*) -> std::ffi::c_int {
            $crate::boundary::guarded(move || $body)
        }
    )* };
}

/// Functions of `ringwire.h` that answer a text, and cannot fail.
macro_rules! export_text {
    ($(#[$attribute:meta])* fn $name:ident($($arg:ident: $type:ty),*) $body:block) => {
        $(#[$attribute])*
        #[allow(unsafe_code)]
        // SAFETY: as for `export!`.
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name($($arg: $type),*) -> *const std::ffi::c_char {
            std::panic::catch_unwind(move || $body).unwrap_or(c"".as_ptr())
        }
    };
}

/// Calls `body`, and makes a code of whatever it comes to.
#[inline(always)]
pub(crate) fn guarded(body: impl FnOnce() -> Result<c_int, Code>) -> c_int {
    let call = || {
        #[cfg(test)]
        trap();
        body()
    };
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(count)) => count,
        Ok(Err(code)) => code.number(),
        Err(panic) => caught(panic),
    }
}

/// The panic's payload may panic when it is dropped: it is left alone.
#[cold]
#[inline(never)]
fn caught(panic: Box<dyn std::any::Any + Send>) -> c_int {
    let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (_, Some(words)) => words.clone(),
        _ => "a panic without words".to_owned(),
    };
    std::mem::forget(panic);
    fail(INTERNAL, format_args!("a defect of the library was caught: {words}")).number()
}

#[cfg(test)]
std::thread_local! {
    static PANIC_NEXT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The next exported function that this thread calls panics.
#[cfg(test)]
pub(crate) fn panic_next() {
    PANIC_NEXT.set(true);
}

#[cfg(test)]
fn trap() {
    assert!(!PANIC_NEXT.replace(false), "asked to panic");
}
