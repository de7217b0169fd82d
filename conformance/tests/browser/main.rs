//! Tests with a headless Chromium: the suite on the Service Worker of `examples/browser`, and the use of its page; the
//! accessibility of listings, and uploads with them.

#![cfg(unix)]

mod chromium;
mod list;
mod listing;
mod look;
mod page;
mod resuming;
mod sending;
#[path = "../tools/mod.rs"]
mod tools;
mod user;
