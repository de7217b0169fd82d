//! Reads from content that is in memory: in flash, in a tree, or in the disk's cache.

/// Returns the content from an offset on; empty if that is beyond the end.
pub(crate) fn rest(content: &[u8], at: u64) -> &[u8] {
    let rest = usize::try_from(at).ok().and_then(|at| content.get(at..));
    rest.unwrap_or_default()
}

/// Copies content from an offset, as [`FileSystem::read`](sanserve_core::FileSystem::read) does.
pub(crate) fn read(content: &[u8], at: u64, into: &mut [u8]) -> usize {
    let rest = rest(content, at);
    let n = rest.len().min(into.len());
    into[..n].copy_from_slice(&rest[..n]);
    n
}
