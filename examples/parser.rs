//! The HTTP parser on its own: reads a request from standard input and prints its parts.
//!
//! `printf 'GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n' | cargo run -p sanserve-examples --bin parser`

use std::io::{self, Read};
use std::process::ExitCode;

use sanserve_core::wire::{Body, Limits, RequestHead};

fn main() -> io::Result<ExitCode> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let mut head = RequestHead::new();
    match head.parse(&input, &Limits::default()) {
        Ok(Some(len)) => {
            println!("method  {:?}", head.method());
            println!("target  {:?}", head.target());
            println!("version {:?}", head.version());
            for (name, value) in head.fields().iter() {
                println!("field   {name:?}: {value:?}");
            }
            println!(
                "head    {len} bytes; content: {:?}",
                Body::of_request(&head)
            );
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => {
            println!("the head is not complete");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => {
            println!("{} {error}", error.status());
            Ok(ExitCode::FAILURE)
        }
    }
}
