//! What becomes of memory that is no longer needed.

/// Gives to the system what was freed. glibc keeps most of what a crowd of connections had, in
/// pages between those that are in use; where there is another allocator nothing is done.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: malloc_trim(3) may be called by any thread at any time; it takes a number, and
        // changes nothing that is in use.
        unsafe { libc::malloc_trim(0) };
    }
}
