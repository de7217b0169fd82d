//! [`Fields`]: the field lines of a head, and how a field is found in them.

use alloc::string::String;
use alloc::vec::Vec;

use memchr::memchr;

use super::Bad;
use super::latin1::decode;
use super::request_head::FIELDS_MAX;

/// Field lines, parsed once. They keep their memory from one head to the next.
#[derive(Debug)]
pub(super) struct Fields {
    /// As they came, with the empty line behind them.
    text: String,
    /// Where each begins in the text.
    places: Vec<u32>,
    /// The marks of their names.
    names: u64,
}

impl Fields {
    pub(super) const fn new() -> Self {
        Fields {
            text: String::new(),
            places: Vec::new(),
            names: 0,
        }
    }

    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
        self.names = 0;
    }

    /// Parses field lines, with the empty line behind them. Nothing was parsed before.
    pub(super) fn parse(&mut self, lines: &[u8]) -> Result<(), Bad> {
        decode(lines, &mut self.text);
        // Most heads have few fields, and to clear much room for nothing takes its time.
        match self.find::<16>() {
            Err(Bad::TooManyFields) => self.find::<FIELDS_MAX>(),
            found => found,
        }
    }

    /// Keeps where each field lies, if there are not more than `N`.
    fn find<const N: usize>(&mut self) -> Result<(), Bad> {
        let mut slots = [httparse::EMPTY_HEADER; N];
        match httparse::parse_headers(self.text.as_bytes(), &mut slots) {
            Ok(httparse::Status::Complete((_, fields))) => {
                // httparse lends slices of the text; what is kept is where they lie.
                let start = self.text.as_ptr() as usize;
                let place = |name: &str| (name.as_ptr() as usize - start) as u32;
                self.places.reserve_exact(fields.len());
                self.places
                    .extend(fields.iter().map(|field| place(field.name)));
                let names = fields.iter().map(|field| mark(field.name));
                self.names = names.fold(0, |names, name| names | name);
                Ok(())
            }
            Err(httparse::Error::TooManyHeaders) => Err(Bad::TooManyFields),
            _ => Err(Bad::Field),
        }
    }

    /// The lines as text: the very bytes that were sent, if it has as many.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether there may be a field of one of the names with these [marks](marks). `false` is certain.
    #[inline]
    pub(super) fn may_have(&self, marks: u64) -> bool {
        self.names & marks != 0
    }

    /// The values of all fields of this name, in any case.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let text = self.text.as_bytes();
        // Nearly every field that is looked for and not there is known by its mark.
        let places = match self.may_have(mark(name)) {
            true => &self.places[..],
            false => &[],
        };
        places.iter().filter_map(move |&place| {
            let place = place as usize;
            let colon = place + name.len();
            // Most names are of another length already.
            let is_meant = text.get(colon) == Some(&b':')
                && text[place..colon].eq_ignore_ascii_case(name.as_bytes());
            is_meant.then(|| self.value(colon))
        })
    }

    /// All fields, names as they came, in the order in which they came.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places.iter().map(|&place| {
            let place = place as usize;
            let len = memchr(b':', &self.text.as_bytes()[place..]).unwrap_or(0);
            let colon = place + len;
            (&self.text[place..colon], self.value(colon))
        })
    }

    /// The value behind the colon at this place, up to the end of its line.
    fn value(&self, colon: usize) -> &str {
        let rest = &self.text[colon + 1..];
        let len = memchr(b'\r', rest.as_bytes()).unwrap_or(rest.len());
        rest[..len].trim_matches([' ', '\t'])
    }

    /// How many bytes are allocated.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity() + self.places.capacity() * size_of::<u32>()
    }
}

/// The marks of several names.
pub(crate) const fn marks(names: &[&str]) -> u64 {
    let (mut marks, mut at) = (0, 0);
    while at < names.len() {
        marks |= mark(names[at]);
        at += 1;
    }
    marks
}

/// One of 64 bits for a name in any case, by its length and its ends. The factors are those with which
/// the names that are sent least often share a bit with another one that is looked for.
const fn mark(name: &str) -> u64 {
    let [first, .., last] = name.as_bytes() else {
        return name.len() as u64;
    };
    let (first, last) = ((*first | 0x20) as u32, (*last | 0x20) as u32);
    1 << ((name.len() as u32 * 21 + first * 9 + last * 16) % 64)
}
