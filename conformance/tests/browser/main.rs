//! What a headless Chromium shows: the Service Worker of `examples/browser`, a subject of the list, and what a
//! user does with its page; our listings, by the rules of axe-core, and how they send files.

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
