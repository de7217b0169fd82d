//! Runs the suite on the Service Worker of `examples/browser`, in a headless Chromium: every case that applies to a
//! host is passed to the worker as data, and those that `fetch` can send are also fetched.

use std::cell::RefCell;
use std::collections::HashSet;

use sanserve_conformance::host::{Reply, Request};
use sanserve_conformance::{Case, FRAGMENTATIONS, Fragmentation, hosts};
use serde_json::{Value, json};

use crate::page::Page;

fn open() -> Option<Page> {
    let files = [
        ("cases.html", include_str!("cases.html")),
        ("cases.js", include_str!("cases.js")),
    ];
    Page::open("conformance", &files, "cases.html")
}

/// Converts a request for the page, with one character for each byte.
fn asked(request: &Request) -> Value {
    let fields = request.fields.iter();
    let fields = fields.flat_map(|(name, value)| [name.clone(), latin1(value)]);
    json!({
        "method": request.method,
        "target": request.target,
        "fields": fields.collect::<Vec<_>>(),
        "content": request.content.as_deref().map(|content| [latin1(content)]),
    })
}

/// Sends a request of a case with a function of the page.
fn send(
    page: &mut Page,
    function: &str,
    case: &Case,
    request: &Request,
    fragmentation: Fragmentation,
) -> Value {
    let mut asked = asked(request);
    asked["name"] = json!(case.name);
    asked["fragmentation"] = json!(
        FRAGMENTATIONS
            .iter()
            .position(|other| *other == fragmentation)
    );
    if let Some(mut content) = request.content.as_deref() {
        let (mut pieces, mut lengths) = (Vec::new(), fragmentation.sizes());
        while !content.is_empty() {
            let (piece, rest) = content.split_at(lengths.next_size(content.len()));
            pieces.push(latin1(piece));
            content = rest;
        }
        asked["content"] = json!(pieces);
    }
    call(page, function, &asked)
}

fn call(page: &mut Page, function: &str, asked: &Value) -> Value {
    let script = format!("return {function}({asked})");
    page.chromium.evaluate(&page.tab, &script)
}

fn reply(answer: &Value) -> Reply {
    assert!(answer["error"].is_null(), "{}", answer["error"]);
    let fields = answer["fields"].as_array().expect("a list");
    let text = |text: &Value| text.as_str().expect("a text").to_owned();
    let bytes = |value: &Value| {
        text(value)
            .chars()
            .map(|char| char as u8)
            .collect::<Vec<_>>()
    };
    let fields = fields.chunks(2);
    Reply {
        status: answer["status"].as_u64().expect("a status") as u16,
        fields: fields
            .map(|field| (text(&field[0]), bytes(&field[1])))
            .collect(),
        content: bytes(&answer["content"]),
        log: text(&answer["log"]),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Returns why a case does not apply: dropped files and the site are read-only, and in memory all names are allowed.
fn excludes(case: &Case) -> Option<&'static str> {
    match case {
        _ if case.stores => Some("files that are stored"),
        _ if case.portable_names() => Some("names that Windows forbids"),
        // The worker has the handlers that need no std.
        _ if case.is_timed() => Some("waits"),
        _ => None,
    }
}

#[test]
fn conforms() {
    let Some(mut page) = open() else { return };
    hosts(
        "service worker",
        |case, _| excludes(case),
        |case, request, fragmentation| {
            reply(&send(&mut page, "pass", case, request, fragmentation))
        },
    );
}

#[test]
fn conforms_by_fetch() {
    let Some(page) = open() else { return };
    let page = RefCell::new(page);
    let mut hidden = HashSet::new();
    hosts(
        "service worker, fetched",
        |case, request| {
            if let Some(why) = excludes(case) {
                return Some(why);
            }
            // These scripts print the host of the request, which the browser chooses.
            let prints_host = |script: &&str| request.target.contains(script);
            if case.setup().checks_host()
                || ["/vars.sh", "/fields.sh", "/client.sh"]
                    .iter()
                    .any(prints_host)
            {
                return Some("the host");
            }
            let why = call(&mut page.borrow_mut(), "excludes", &asked(request));
            why.as_str().map(|why| &*String::leak(why.into()))
        },
        |case, request, fragmentation| {
            let answer = send(&mut page.borrow_mut(), "get", case, request, fragmentation);
            if answer["hidden"] == true {
                hidden.insert(case.name.clone());
            }
            reply(&answer)
        },
    );
    let hidden = hidden.len();
    println!("{hidden} of them redirect or have a status above 599, which scripts cannot see");
}
