//! The Service Worker of `examples/browser` in a headless Chromium: a subject of the list, and what a
//! user does with its page.

#![cfg(unix)]

mod chromium;
mod list;
mod look;
mod page;
#[path = "../tools/mod.rs"]
mod tools;
mod user;
