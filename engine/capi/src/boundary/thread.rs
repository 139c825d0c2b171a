//! Which thread this is, in an instruction.

/// A number that no two living threads share, and that is never below [`LEAST`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn number() -> usize {
    let pointer: usize;
    // SAFETY: the x86-64 ABI has the thread pointer's own address stand at fs:0; reading it touches nothing else.
    unsafe {
        std::arch::asm!(
            "mov {}, qword ptr fs:[0]",
            out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    pointer
}

/// The address of a variable that each thread has for itself.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(super) fn number() -> usize {
    std::thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// The first page of memory is nobody's.
pub(super) const LEAST: usize = 4096;
