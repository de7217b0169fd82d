//! [`Seed`]: the number from which a world is generated, and what is left out of that world.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::faults::FaultClass;

/// A world: the number from which it is generated, and the parts that are left out.
///
/// It is written as `17`, or as `17-short-c1-c0/r2..4`: the world of seed 17 without short reads and writes, without
/// connection 1, and without the requests 2 and 3 of connection 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// The number from which everything is generated.
    pub number: u64,
    /// What is left out.
    pub without: Vec<Reduction>,
}

/// A part of a world that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduction {
    /// The connection, for what is a part of one.
    pub connection: Option<usize>,
    /// The request, for what is a part of one.
    pub request: Option<usize>,
    /// The kind of the part.
    pub part: Part,
    /// Which of them, counted from 0 as in the unreduced world.
    pub range: Range<usize>,
}

/// The kinds of parts of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `c1`: a connection.
    Connection,
    /// `faults`, `c1/faults`: all faults.
    Faults,
    /// `short`, `c1/short3..9`: a fault, on all connections or one, always or at these occasions.
    Fault(FaultClass),
    /// `c1/r2`: a request.
    Request,
    /// `c1/r2/f0`: a field of a request.
    Field,
    /// `c1/r2/b100..`: bytes of content.
    Content,
    /// `c1/r2/chunks`: the division of content into chunks. It is sent by length.
    Chunks,
    /// `c1/damage`: a change of the bytes that the peer sends.
    Damage,
    /// `c1/cut`: the end of the bytes that the peer sends before the end of a request.
    Cut,
    /// `c1/pieces`: the division of these bytes into pieces that arrive one after the other.
    Pieces,
    /// `c1/break`: where the transport fails or the peer stops reading.
    Break,
    /// `c1/config`: limits and timeouts that are not the default.
    Config,
    /// `c1/start`: a start later than that of the world.
    Start,
}

/// The range of all parts of a kind.
pub(super) const ALL: Range<usize> = 0..usize::MAX;

impl Part {
    const NAMES: [(&str, Part); 12] = [
        ("c", Part::Connection),
        ("faults", Part::Faults),
        ("r", Part::Request),
        ("f", Part::Field),
        ("b", Part::Content),
        ("chunks", Part::Chunks),
        ("damage", Part::Damage),
        ("cut", Part::Cut),
        ("pieces", Part::Pieces),
        ("break", Part::Break),
        ("config", Part::Config),
        ("start", Part::Start),
    ];

    fn named(name: &str) -> Option<Part> {
        let mut plain = Part::NAMES.iter();
        let plain = plain.find(|(known, _)| *known == name);
        let part = plain.map(|(_, part)| *part);
        part.or_else(|| FaultClass::named(name).map(Part::Fault))
    }

    fn name(self) -> &'static str {
        match self {
            Part::Fault(class) => class.name(),
            _ => Part::NAMES
                .iter()
                .find(|(_, part)| *part == self)
                .map_or("", |(name, _)| name),
        }
    }

    /// Returns whether a part of this kind belongs to these parts of a world.
    fn belongs_to(self, connection: Option<usize>, request: Option<usize>) -> bool {
        match self {
            Part::Connection => connection.is_none(),
            Part::Faults | Part::Fault(_) => request.is_none(),
            Part::Field | Part::Content | Part::Chunks => request.is_some(),
            _ => connection.is_some() && request.is_none(),
        }
    }
}

impl Reduction {
    pub(super) fn new(
        connection: Option<usize>,
        request: Option<usize>,
        part: Part,
        range: Range<usize>,
    ) -> Reduction {
        Reduction {
            connection,
            request,
            part,
            range,
        }
    }

    /// Returns whether this leaves out everything that another reduction leaves out.
    fn includes(&self, other: &Reduction) -> bool {
        let is_owner = match self.part {
            Part::Connection => other
                .connection
                .is_some_and(|connection| self.range.contains(&connection)),
            Part::Request if other.connection == self.connection => other
                .request
                .is_some_and(|request| self.range.contains(&request)),
            Part::Faults if self.is_of_all(other) => matches!(other.part, Part::Fault(_)),
            Part::Fault(_) if self.connection.is_none() && self.range == ALL => {
                other.part == self.part
            }
            _ => false,
        };
        let (ours, theirs) = (&self.range, &other.range);
        let is_larger = ours.start <= theirs.start && theirs.end <= ours.end;
        is_owner || self.is_of_kind(other) && is_larger
    }

    /// Returns whether it is about the whole world, or the connection of the other.
    fn is_of_all(&self, other: &Reduction) -> bool {
        self.connection.is_none() || self.connection == other.connection
    }

    fn is_of_kind(&self, other: &Reduction) -> bool {
        (self.connection, self.request, self.part) == (other.connection, other.request, other.part)
    }

    /// Returns whether this leaves out part `at` of this kind.
    pub(super) fn contains(&self, part: Part, at: usize) -> bool {
        self.part == part && self.range.contains(&at)
    }
}

impl Seed {
    /// Returns this seed without one more part. What is left out twice is written once.
    pub(super) fn without(mut self, mut reduction: Reduction) -> Seed {
        if self.without.iter().any(|one| one.includes(&reduction)) {
            return self;
        }
        loop {
            let touches = |one: &Reduction| {
                let (a, b) = (&one.range, &reduction.range);
                one.is_of_kind(&reduction) && a.start <= b.end && b.start <= a.end
            };
            let Some(at) = self.without.iter().position(touches) else {
                break;
            };
            let range = self.without.remove(at).range;
            reduction.range.start = reduction.range.start.min(range.start);
            reduction.range.end = reduction.range.end.max(range.end);
        }
        self.without.retain(|one| !reduction.includes(one));
        self.without.push(reduction);
        self
    }

    /// Returns whether it leaves out this part of the world.
    pub(super) fn lacks(&self, part: Part, at: usize) -> bool {
        let mut without = self.without.iter();
        without.any(|one| one.connection.is_none() && one.contains(part, at))
    }

    /// Returns whether it leaves out this request of a connection.
    pub(super) fn lacks_request(&self, connection: usize, request: usize) -> bool {
        let mut without = self.without.iter();
        without
            .any(|one| one.connection == Some(connection) && one.contains(Part::Request, request))
    }
}

impl From<u64> for Seed {
    fn from(number: u64) -> Seed {
        let without = Vec::new();
        Seed { number, without }
    }
}

impl From<&Seed> for Seed {
    fn from(seed: &Seed) -> Seed {
        seed.clone()
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.number)?;
        self.without
            .iter()
            .try_for_each(|reduction| write!(out, "-{reduction}"))
    }
}

impl fmt::Display for Reduction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(connection) = self.connection {
            write!(out, "c{connection}/")?;
        }
        if let Some(request) = self.request {
            write!(out, "r{request}/")?;
        }
        out.write_str(self.part.name())?;
        let Range { start, end } = self.range;
        match end - start {
            usize::MAX => Ok(()),
            1 => write!(out, "{start}"),
            _ if end == usize::MAX => write!(out, "{start}.."),
            _ => write!(out, "{start}..{end}"),
        }
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Seed, String> {
        let mut words = text.trim().split('-');
        let number = words.next().unwrap_or_default();
        let number = number
            .parse()
            .map_err(|_| format!("expected a seed such as 17 or 17-short (got {text})"))?;
        let without = words.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Seed { number, without })
    }
}

impl FromStr for Reduction {
    type Err = String;

    fn from_str(text: &str) -> Result<Reduction, String> {
        let error = || format!("{text} is not a part of a world, such as short or c0/r2");
        let (mut connection, mut request) = (None, None);
        let mut words = text.split('/').peekable();
        while let Some(word) = words.next() {
            let (part, range) = read_part(word).ok_or_else(error)?;
            if words.peek().is_some() {
                let single = (range.end - range.start == 1).then_some(range.start);
                match (part, connection) {
                    (Part::Connection, None) => connection = Some(single.ok_or_else(error)?),
                    (Part::Request, Some(_)) => request = Some(single.ok_or_else(error)?),
                    _ => return Err(error()),
                }
                continue;
            }
            if part.belongs_to(connection, request) {
                return Ok(Reduction {
                    connection,
                    request,
                    part,
                    range,
                });
            }
        }
        Err(error())
    }
}

/// Parses a name with a range, such as `short`, `r2`, `r2..4` or `b100..`.
fn read_part(word: &str) -> Option<(Part, Range<usize>)> {
    let digits = word.find(|c: char| c.is_ascii_digit());
    let (name, range) = word.split_at(digits.unwrap_or(word.len()));
    let part = Part::named(name)?;
    let range = match range.split_once("..") {
        None if range.is_empty() => ALL,
        None => {
            let at: usize = range.parse().ok()?;
            at..at.checked_add(1)?
        }
        Some((start, "")) => start.parse().ok()?..usize::MAX,
        Some((start, end)) => start.parse().ok()?..end.parse().ok()?,
    };
    (range.start <= range.end).then_some((part, range))
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn a_seed_with_reductions_is_read_as_it_is_written() {
        for text in [
            "17",
            "18446744073709551615",
            "17-short-c1",
            "17-faults-c0/faults",
            "17-c0/short3-c0/fs_error3..9-late5..",
            "17-c0/r2-c0/r3..7-c1/r0/f2-c1/r0/b100..-c1/r0/chunks",
            "17-c0/damage2-c0/cut-c0/pieces-c0/break-c0/config-c0/start",
        ] {
            let seed: Seed = text.parse().expect(text);
            assert_eq!(seed.to_string(), text);
        }
    }

    #[test]
    fn invalid_reductions_are_refused_with_a_message() {
        for text in [
            "",
            "x",
            "-17",
            "17-",
            "17-x",
            "17-r0",
            "17-f0",
            "17-c0/f0",
            "17-c0/c1",
            "17-c0..2/r1",
            "17-c0/r1/short",
            "17-c0/r3..1",
            "17-c0/r99999999999999999999",
            "17-c0/",
        ] {
            assert!(text.parse::<Seed>().is_err(), "{text}");
        }
        let error = "17-shirt".parse::<Seed>();
        let expected = "shirt is not a part of a world, such as short or c0/r2";
        assert_eq!(error, Err(expected.into()));
    }
}
