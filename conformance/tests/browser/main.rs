//! Tests with a headless Chromium: the suite on the Service Worker of `examples/browser`, and the use of its page;
//! listings and their accessibility, uploads, and resumed downloads.

#![cfg(unix)]

mod appearance;
mod chromium;
mod listing;
mod page;
mod resuming;
mod suite;
#[path = "../tools/mod.rs"]
mod tools;
mod uploads;
mod user;
