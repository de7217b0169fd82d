//! [`Limits`]: how much of a head is accepted.

/// How much of a head is accepted before it is refused.
///
/// ```
/// use sanserve_wire::Limits;
///
/// let mut limits = Limits::default();
/// limits.field_bytes = 16 * 1024;
/// assert_eq!(limits, Limits::new().with_field_bytes(16 * 1024));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The request line or status line with its CR LF, in bytes: 65,536 by default. A server answers a longer
    /// one with 414.
    pub request_line: usize,
    /// All field lines together, in bytes: 65,536 by default. A server answers more with 431.
    pub field_bytes: usize,
    /// The number of fields: 100 by default. A server answers more with 431. A head with more than 100 fields takes a
    /// temporary allocation of 32 bytes for each of them.
    pub field_count: usize,
}

impl Limits {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Limits {
            request_line: 65_536,
            field_bytes: 65_536,
            field_count: 100,
        }
    }

    /// Returns the size of a buffer in bytes that can hold every head that is accepted, with an empty line before it.
    #[must_use]
    pub const fn buffer_size(&self) -> usize {
        self.request_line
            .saturating_add(self.field_bytes)
            .saturating_add(4)
    }

    /// Returns the same with another [`request_line`](Self::request_line).
    #[must_use]
    pub const fn with_request_line(mut self, bytes: usize) -> Self {
        self.request_line = bytes;
        self
    }

    /// Returns the same with another [`field_bytes`](Self::field_bytes).
    #[must_use]
    pub const fn with_field_bytes(mut self, bytes: usize) -> Self {
        self.field_bytes = bytes;
        self
    }

    /// Returns the same with another [`field_count`](Self::field_count).
    #[must_use]
    pub const fn with_field_count(mut self, count: usize) -> Self {
        self.field_count = count;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits::new()
    }
}
