//! Returns freed memory to the system. Does nothing with allocators other than that of glibc.

/// Returns freed memory to the system. After a peak of connections glibc keeps most of their memory, in pages between
/// those in use. Does nothing with other allocators.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: malloc_trim(3) may be called by any thread at any time, and changes no memory in use.
        unsafe { libc::malloc_trim(0) };
    }
}
