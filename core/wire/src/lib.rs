//! The parser by itself: what a request head is, and where its content ends.
//!
//! Nothing here knows of connections, replies or time. Feed [`Head::parse`] everything that has
//! arrived, as often as you like: it remembers how far it has looked, and looks at each byte once.
//!
//! ```
//! use sanserve_core::{Limits, wire::{Body, Head, Piece}};
//!
//! let input = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
//! let mut head = Head::new();
//! assert_eq!(head.parse(&input[..9], &Limits::default()), Ok(None)); // not all there yet
//! let taken = head.parse(input, &Limits::default()).unwrap().expect("a whole head");
//! assert_eq!((head.command(), head.target(), head.field("host")), ("POST", "/echo", Some("h")));
//!
//! let mut body = Body::of(&head)?;
//! assert_eq!(body.next(&input[taken..])?, Piece::Data(5));
//! # Ok::<(), sanserve_core::wire::Bad>(())
//! ```

mod authority;
mod body;
mod fields;
mod internal_redirect;
mod latin1;
mod parse_error;
mod request_head;
mod request_line;
mod syntax;
mod target;

pub use body::{Body, Piece};
pub(crate) use fields::marks;
pub use parse_error::Bad;
pub use request_head::{FIELDS_MAX, Head};
pub use request_line::Version;
pub(crate) use syntax::{alphanumeric_and, is_among, is_token};
