//! A JSON API with a query and a form: notes can be added and searched, next to files for the browser.
//!
//! `cargo run -p sanserve-examples --bin json_api`, then `curl -d text=hello ADDRESS/api/notes` and
//! `curl 'ADDRESS/api/notes?contains=ell'`.

use std::{collections::BTreeMap, io, net::Ipv4Addr, sync::Mutex};

use sanserve_core::{
    AsyncExchange, Config, Files, HttpError, Protocol, form_urlencoded, from_async_fn,
};
use sanserve_server::{Disk, event_loop::HTTPServer};
use serde_json::json;

type Notes = Mutex<BTreeMap<u64, String>>;

async fn serve(ex: AsyncExchange, notes: &Notes, files: Files) -> Result<(), HttpError> {
    if !ex.path().starts_with("/api/notes") {
        ex.delegate(files).await;
        return Ok(());
    }
    let (status, value) = match ex.command() {
        "GET" => {
            let part = ex.query().find(|(name, _)| name == "contains");
            let part = part.map(|(_, part)| part.into_owned()).unwrap_or_default();
            let notes = notes.lock().expect("not poisoned");
            let found = notes.iter().filter(|(_, text)| text.contains(&part));
            (
                200,
                found
                    .map(|(id, text)| json!({ "id": id, "text": text }))
                    .collect(),
            )
        }
        "POST" => {
            let form = ex.read_all(64 * 1024).await?;
            let text = form_urlencoded::parse(&form).find(|(name, _)| name == "text");
            let (_, text) = text.ok_or(HttpError::new(400, "expected the field text"))?;
            let mut notes = notes.lock().expect("not poisoned");
            let id = notes.len() as u64 + 1;
            notes.insert(id, text.to_string());
            (201, json!({ "id": id, "text": text }))
        }
        _ => return Err(HttpError::status(405)),
    };
    ex.reply(status, "application/json", value.to_string())
        .await;
    Ok(())
}

fn main() -> io::Result<()> {
    let server = HTTPServer::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}/", server.server_address());
    let config = Config::default().with_protocol(Protocol::Http11);
    let (notes, files) = (Notes::default(), Files::new());
    let handler = || from_async_fn(|ex| serve(ex, &notes, files.clone()));
    server.serve_forever(&Disk::open(".")?, config, handler)
}
