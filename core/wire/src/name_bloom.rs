//! [`NameBloom`]: a Bloom filter of field names, which shows without a search that a head has none of them.

/// A set of field names as a Bloom filter of 64 bits, one for each name. A server can check for several fields at once
/// with a constant:
///
/// ```
/// use sanserve_wire::{Limits, NameBloom, RequestHead};
///
/// const CONDITIONS: NameBloom = NameBloom::of(&["If-Match", "If-None-Match", "If-Modified-Since"]);
///
/// let mut head = RequestHead::new();
/// head.parse(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", &Limits::new())?;
/// assert!(!head.fields().may_have(CONDITIONS)); // certainly none of the three
/// # Ok::<(), sanserve_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NameBloom(u64);

impl NameBloom {
    /// The empty set.
    pub const EMPTY: NameBloom = NameBloom(0);

    /// Returns the set of these names, which are case-insensitive.
    #[must_use]
    pub const fn of(names: &[&str]) -> Self {
        let (mut set, mut at) = (NameBloom::EMPTY, 0);
        while at < names.len() {
            set = set.and(NameBloom(bit(names[at])));
            at += 1;
        }
        set
    }

    /// Returns the set of one name.
    #[inline]
    pub(crate) const fn of_one(name: &str) -> Self {
        NameBloom(bit(name))
    }

    /// Returns the union of both sets.
    #[inline]
    pub(crate) const fn and(self, other: NameBloom) -> Self {
        NameBloom(self.0 | other.0)
    }

    /// Returns whether the sets may have a name in common. `false` is certain.
    #[inline]
    #[must_use]
    pub const fn may_share(self, other: NameBloom) -> bool {
        self.0 & other.0 != 0
    }
}

/// Returns one of 64 bits for a case-insensitive name, by its length and its first and last character. The factors are
/// chosen so that frequent names rarely collide with names that are looked up.
const fn bit(name: &str) -> u64 {
    let [first, .., last] = name.as_bytes() else {
        return name.len() as u64;
    };
    let (first, last) = ((*first | 0x20) as u32, (*last | 0x20) as u32);
    1 << ((name.len() as u32 * 21 + first * 9 + last * 16) % 64)
}
