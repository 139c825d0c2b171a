//! Answers: the codes of `ringwire.h`, and what becomes which.

use std::ffi::{CStr, c_int};

use ringwire::{OpenError, Refusal, StartError};

use crate::text::fail;

/// A negative answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(c_int);

impl Code {
    #[inline]
    pub(crate) const fn number(self) -> c_int {
        self.0
    }
}

pub(crate) const OK: c_int = 0;

/// Codes, each with its name in the header and what it means.
macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(pub(crate) const $name: Code = Code($number);)*
        /// Every code: name, number, text.
        pub(crate) const ALL: &[(&str, c_int, &CStr)] = &[$((stringify!($name), $number, $text)),*];
    };
}

codes! {
    BACK_PRESSURED = -1, c"back-pressured: wait until outcomes have freed room or credit";
    REPORTS_FULL = -2, c"no report slot is free: poll the reports";
    NOT_CONNECTED = -3, c"none of the channel's endpoints is connected: see the engine's status";
    CLOSED = -4, c"the engine was shut down, or this is the child of a fork";
    FAILED = -5, c"a shard of the engine failed: rw_engine_health tells why";
    TOO_LONG = -6, c"the message is longer than the ring takes: raise engine.ring_bytes and credit_bytes";
    INVALID = -7, c"an argument or a handle is not what it should be: see rw_last_error";
    WRONG_THREAD = -8, c"the handle is another thread's, another thread is in a call on it, or this is one of our callbacks";
    CONFIG = -9, c"the configuration cannot be: see rw_last_error";
    SYSTEM = -10, c"the system refused a thread, a descriptor or memory: see rw_last_error";
    NOT_FOUND = -11, c"there is none of that name or number";
    ABI_MISMATCH = -12, c"the library has another ABI than the header: compile with the library's own";
    INTERNAL = -13, c"a defect of the library was caught: please report rw_last_error";
}

/// The text of any number.
pub(crate) fn text(number: c_int) -> &'static CStr {
    if number >= OK {
        return c"no error";
    }
    ALL.iter().find(|(_, code, _)| *code == number).map_or(c"no code of this library", |(.., text)| *text)
}

export_text! {
    /// What a C program may keep for ever.
    fn rw_strerror(code: c_int) {
        text(code).as_ptr()
    }
}

/// Why a message was not accepted. The refusals that come by the thousand leave no text behind.
#[cold]
#[inline(never)]
pub(crate) fn of_refusal(refusal: Refusal) -> Code {
    match refusal {
        Refusal::BackPressured => BACK_PRESSURED,
        Refusal::ReportsFull => REPORTS_FULL,
        Refusal::NotConnected => NOT_CONNECTED,
        Refusal::TooLong { .. } => fail(TOO_LONG, format_args!("{refusal}")),
        Refusal::Closed => fail(CLOSED, format_args!("{refusal}")),
        Refusal::Failed => fail(FAILED, format_args!("a shard of the engine failed")),
        Refusal::WrongEngine | Refusal::Stale => fail(INVALID, format_args!("{refusal}")),
    }
}

/// Why something could not be opened.
pub(crate) fn of_open(error: &OpenError) -> Code {
    match error {
        OpenError::Closed => fail(CLOSED, format_args!("{error}")),
        OpenError::Failed => fail(FAILED, format_args!("a shard of the engine failed")),
        OpenError::BadName { .. } | OpenError::BadTopic { .. } | OpenError::NotHeard { .. } => {
            fail(INVALID, format_args!("{error}"))
        }
        OpenError::EndpointNeeded => {
            fail(INVALID, format_args!("with several endpoints a pattern needs the name of one"))
        }
        OpenError::UnknownEndpoint(_) => fail(NOT_FOUND, format_args!("{error}")),
        OpenError::System(_) => fail(SYSTEM, format_args!("{error}")),
    }
}

/// Why an engine did not start.
pub(crate) fn of_start(error: &StartError) -> Code {
    match error {
        StartError::Config(error) => fail(CONFIG, format_args!("{error}")),
        StartError::System(_) | StartError::Host(_) => fail(SYSTEM, format_args!("{error}")),
    }
}
