//! What this library is.

use std::ffi::CStr;

/// `RW_ABI_VERSION`.
pub(crate) const ABI_VERSION: u32 = 1;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

export_text! {
    /// As in `RW_VERSION`.
    fn rw_version() {
        CStr::from_bytes_with_nul(VERSION.as_bytes()).unwrap_or_default().as_ptr()
    }
}
