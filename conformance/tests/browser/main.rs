//! What a headless Chromium shows: the Service Worker of `examples/browser`, a subject of the list, and what a
//! user does with its page; our listings, by the rules of axe-core.

#![cfg(unix)]

mod chromium;
mod list;
mod listing;
mod look;
mod page;
#[path = "../tools/mod.rs"]
mod tools;
mod user;
