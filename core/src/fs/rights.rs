//! [`Right`] and [`Rights`]: what clients may do. [`Who`] names the clients whose rights a [`Guard`](crate::Guard) asks
//! for.

use core::fmt;
use core::ops::BitOr;

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Right {
    /// To get files, listings and archives, and to run CGI scripts.
    Read,
    /// To store files and to create directories. [`Upload::overwrite`](crate::Upload::overwrite) decides whether a file
    /// may be replaced.
    Write,
    /// To delete files and directories.
    Delete,
}

impl Right {
    /// Returns the right that a method needs: `Read` for the methods that RFC 9110 §9.2.1 calls safe, which are GET,
    /// HEAD, OPTIONS and TRACE; `Delete` for DELETE; and `Write` for all others.
    #[must_use]
    pub fn for_method(method: &str) -> Right {
        match method {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" => Right::Read,
            "DELETE" => Right::Delete,
            _ => Right::Write,
        }
    }

    /// Returns its name: `read`, `write` or `delete`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
            Right::Delete => "delete",
        }
    }
}

/// A set of rights.
///
/// ```
/// use sanserve_core::{Right, Rights};
///
/// let rights = Rights::parse("read,write").unwrap();
/// assert_eq!(rights, Rights::NONE.with(Right::Read).with(Right::Write));
/// assert!(rights.contains(Right::Write) && !rights.contains(Right::Delete));
/// assert_eq!(rights.to_string(), "read,write");
/// assert_eq!(Rights::parse("raed"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);
    /// All rights.
    pub const ALL: Rights = Rights(7);

    /// Parses the names of rights, separated by commas: `read,write`. An empty text is [`NONE`](Self::NONE). Returns
    /// `None` if a name is unknown.
    #[must_use]
    pub fn parse(names: &str) -> Option<Rights> {
        if names.is_empty() {
            return Some(Rights::NONE);
        }
        let right = |name| EACH.into_iter().find(|right| right.name() == name);
        let mut names = names.split(',').map(str::trim);
        names.try_fold(Rights::NONE, |rights, name| Some(rights.with(right(name)?)))
    }

    /// Returns these rights and another one.
    #[must_use]
    pub const fn with(self, right: Right) -> Rights {
        Rights(self.0 | 1 << right as u8)
    }

    /// Returns whether this right is among them.
    #[must_use]
    pub const fn contains(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }

    /// Returns those of these rights that are not among the others.
    #[must_use]
    pub const fn without(self, others: Rights) -> Rights {
        Rights(self.0 & !others.0)
    }
}

impl BitOr for Rights {
    type Output = Rights;

    /// Returns the rights that are in at least one of the sets.
    fn bitor(self, others: Rights) -> Rights {
        Rights(self.0 | others.0)
    }
}

impl fmt::Display for Rights {
    /// Writes the names, separated by commas, as [`parse`](Rights::parse) reads them.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for right in EACH.into_iter().filter(|right| self.contains(*right)) {
            write!(out, "{separator}{}", right.name())?;
            separator = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Rights({self})")
    }
}

/// Clients that have rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who<'a> {
    /// Everybody, also a client that sends no credentials.
    Everybody,
    /// The user of this name, whose password was verified. A user also has the rights of everybody.
    User(&'a str),
    /// All users together: the rights that at least one of them has. A client without credentials is asked for a
    /// password only if a user has the right that it lacks.
    AllUsers,
}

const EACH: [Right; 3] = [Right::Read, Right::Write, Right::Delete];
