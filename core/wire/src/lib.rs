//! A strict HTTP/1.1 parser and encoder without I/O, for the heads of requests and responses, and for content, chunks
//! and trailers.
//!
//! It has no connections and no timeouts, and is for servers, clients and proxies that do their own I/O.
//! `sanserve-core` is an engine on top of it that decides what to read and write, and when.
//!
//! # Reading
//!
//! [`RequestHead`] and [`ResponseHead`] parse all the input that has arrived and was not used yet. `parse` may be
//! called whenever bytes arrive, and examines each byte once. The head then has the [`method`](RequestHead::method),
//! the [`target`](RequestHead::target) and each [`field`](RequestHead::field), and [`Body`] tells which of the
//! following bytes are content.
//!
//! ```
//! use sanserve_wire::{Body, Limits, ParseError, Piece, RequestHead};
//!
//! /// Returns the content of a request, and how many bytes it took; `None` if it is incomplete.
//! fn read(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ParseError> {
//!     let mut head = RequestHead::new();
//!     let Some(mut at) = head.parse(input, &Limits::new())? else {
//!         return Ok(None);
//!     };
//!     let (mut body, mut content) = (Body::of_request(&head)?, Vec::new());
//!     loop {
//!         let piece = body.next(&input[at..])?;
//!         match piece {
//!             Piece::Data(n) => content.extend_from_slice(&input[at..at + n]),
//!             Piece::Skip(_) | Piece::Trailers(_) => {}
//!             Piece::More => return Ok(None),
//!             Piece::End => return Ok(Some((content, at))),
//!         }
//!         at += piece.len();
//!     }
//! }
//!
//! let input = b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET";
//! assert_eq!(read(input), Ok(Some((b"hi".to_vec(), input.len() - 3))));
//! assert_eq!(read(&input[..50]), Ok(None));
//! assert_eq!(read(b"GET / HTTP/1.1\r\n\r\n").map_err(ParseError::status), Err(400)); // no Host
//! ```
//!
//! # Writing
//!
//! [`HeadEncoder`] writes heads, [`encode_chunk`] and [`encode_last_chunk`] write chunked content. Every part is
//! checked, so that no value can begin another field or another message.
//!
//! ```
//! use sanserve_wire::{EncodeError, HeadEncoder, Version};
//!
//! let mut out = Vec::new();
//! let mut head = HeadEncoder::response(&mut out, Version::Http11, 200, "OK")?;
//! head.field("Content-Length", "2")?;
//! assert_eq!(head.field("X-Name", "a\r\nX-Other: b"), Err(EncodeError::Value));
//! head.end().extend_from_slice(b"hi");
//! assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
//! # Ok::<_, EncodeError>(())
//! ```
//!
//! # Strictness
//!
//! A message that two recipients could interpret differently is rejected, as such messages are used to smuggle requests
//! past a proxy: LF alone as a line end, folded lines, a space before a colon, two lengths, a length together with
//! chunks, chunks in HTTP/1.0, a second `Host`. Harmless deviations are accepted: an empty line before a request, bytes
//! above 0x7F in a target, a missing reason phrase. After an error the connection has to be closed;
//! [`ParseError::status`] is the status to reply with before that.
//!
//! # Limits and cost
//!
//! [`Limits`] limits a head, by default to 65,536 bytes for its first line, as many for its fields, and 100 fields.
//! Work is linear in the input. [`RequestHead`] and [`ResponseHead`] keep their memory, so that parsing another head
//! allocates nothing, and if the fields of a request are the same as those of the last one, they are not parsed again.
//!
//! # Text and bytes
//!
//! Targets, values and reason phrases are text in which each character up to U+00FF is one byte (ISO-8859-1); methods
//! with `bytes` in their name return the bytes that were sent. Names are ASCII. The order, duplicates and letter case
//! of fields are kept: see [`Fields`].
//!
//! # Features
//!
//! `http`: conversions to and from the heads of the `http` crate (`RequestHead::to_http`,
//! `HeadEncoder::from_http_response` and others). It requires std; without it the crate is `no_std` with `alloc`.
//!
//! # Where next
//!
//! Servers start with [`RequestHead`], clients with [`ResponseHead`] and [`Body::of_response`]. A proxy uses both:
//! `examples/proxy.rs` in the repository is one in under 100 lines. For a server of files, or one with deadlines, use
//! `sanserve-core`.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
#![warn(clippy::must_use_candidate, clippy::missing_errors_doc)]
#![deny(missing_docs)]

extern crate alloc;

mod authority;
mod body;
mod encode;
mod fields;
mod internal_redirect;
mod latin1;
mod limits;
mod name_bloom;
mod parse_error;
mod request_head;
mod request_host;
mod request_line;
mod response_head;
mod search;
pub mod syntax;
mod target;
#[cfg(feature = "http")]
mod to_http;

pub use body::{Body, Piece};
pub use encode::{EncodeError, HeadEncoder, encode_chunk, encode_chunk_size, encode_last_chunk};
pub use fields::Fields;
pub use limits::Limits;
pub use name_bloom::NameBloom;
pub use parse_error::ParseError;
pub use request_head::RequestHead;
pub use request_line::Version;
pub use response_head::ResponseHead;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
