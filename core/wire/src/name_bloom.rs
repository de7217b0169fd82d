//! [`NameBloom`]: a Bloom filter of field names, which tells that a head has none of them without a search.

/// A set of field names as 64 bits, one for each name. A server that looks for ten fields of which a request has none
/// asks once, with a constant:
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

    /// Returns the set of these names; case makes no difference.
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

    /// Returns the names of both sets.
    #[inline]
    pub(crate) const fn and(self, other: NameBloom) -> Self {
        NameBloom(self.0 | other.0)
    }

    /// Returns whether a name may be in both sets. `false` is certain.
    #[inline]
    #[must_use]
    pub const fn may_share(self, other: NameBloom) -> bool {
        self.0 & other.0 != 0
    }
}

/// One of 64 bits for a name in any case, by its length and its ends. With these factors the names that are sent
/// most rarely share a bit with another one that is looked for.
const fn bit(name: &str) -> u64 {
    let [first, .., last] = name.as_bytes() else {
        return name.len() as u64;
    };
    let (first, last) = ((*first | 0x20) as u32, (*last | 0x20) as u32);
    1 << ((name.len() as u32 * 21 + first * 9 + last * 16) % 64)
}
