//! The parser without the server: reads a request from standard input and tells what is in it.
//!
//! `printf 'GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n' | cargo run -p sanserve-examples --bin parser`

use std::io::{self, Read};
use std::process::ExitCode;

use sanserve_core::Limits;
use sanserve_core::wire::{Body, Head};

fn main() -> io::Result<ExitCode> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let mut head = Head::new();
    match head.parse(&input, &Limits::default()) {
        Ok(Some(taken)) => {
            println!("command {:?}", head.command());
            println!("target  {:?}", head.target());
            println!("version {:?}", head.version());
            for (name, value) in head.fields() {
                println!("field   {name:?}: {value:?}");
            }
            println!("head    {taken} bytes; content: {:?}", Body::of(&head));
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => {
            println!("the head is not complete");
            Ok(ExitCode::FAILURE)
        }
        Err(bad) => {
            println!("{} {}", bad.status(), head.complaint(bad));
            Ok(ExitCode::FAILURE)
        }
    }
}
