//! Tests the media types of the program: they are those of nginx or of IANA (Debian's `/etc/mime.types`), and with
//! `--plain` those of CPython.
#![cfg(unix)]

#[path = "../../tests/client/mod.rs"]
mod client;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};

use client::{connect, site};
use process::Program;
use sanserve_core::mime;

/// The types of each extension in a table.
type Types = BTreeMap<String, Vec<String>>;

/// Reads a table of lines `TYPE EXTENSION...`.
fn table(path: &str) -> Types {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut types = Types::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.trim().trim_end_matches(';').split_whitespace();
        let Some(media_type) = words.next().filter(|word| word.contains('/')) else {
            continue;
        };
        for extension in words.filter(|word| !word.contains('.')) {
            let all = types.entry(extension.to_owned()).or_default();
            all.push(media_type.to_owned());
        }
    }
    assert!(types.len() > 50, "{path} is short");
    types
}

fn nginx() -> Types {
    table("/etc/nginx/mime.types")
}

fn iana() -> Types {
    table("/etc/mime.types")
}

/// Types that neither has, or that both use for something else, with their source.
const OTHERS: [(&str, &str, &str); 16] = [
    ("3g2", "video/3gpp2", "RFC 4393"),
    ("3gpp2", "video/3gpp2", "RFC 4393"),
    ("log", "text/plain", "Apache's mime.types"),
    ("m2ts", "video/mp2t", "shared-mime-info"),
    ("mts", "video/mp2t", "shared-mime-info"),
    ("map", "application/json", "ECMA-426"),
    ("parquet", "application/vnd.apache.parquet", "IANA"),
    ("taz", "application/gzip", "as .tar.gz"),
    ("tbz", "application/x-bzip2", "as .tar.bz2"),
    ("tbz2", "application/x-bzip2", "as .tar.bz2"),
    ("tgz", "application/gzip", "as .tar.gz"),
    ("txz", "application/x-xz", "as .tar.xz"),
    ("tzst", "application/zstd", "as .tar.zst"),
    ("toml", "application/toml", "IANA"),
    ("weba", "audio/webm", "the WebM project"),
    ("yaml", "application/yaml", "RFC 9512"),
];

#[test]
fn every_type_is_cpythons_ianas_or_nginxs() {
    let (nginx, iana) = (nginx(), iana());
    let others: BTreeMap<_, _> = OTHERS
        .iter()
        .map(|(name, kind, _)| (*name, *kind))
        .collect();
    let known = nginx.keys().chain(iana.keys()).map(String::as_str);
    let known: Vec<&str> = known.chain(others.keys().copied()).chain(["yml"]).collect();
    let mut seen = 0;
    for extension in known {
        let name = format!("x.{extension}");
        let ours = mime::guess_registered_type(name.as_bytes(), |_| None);
        if ours == mime::guess_type(name.as_bytes(), |_| None) {
            continue;
        }
        let ours = ours.expect("CPython's types remain");
        let has = |types: &Types| {
            let all = types.get(extension);
            all.is_some_and(|all| all.iter().any(|kind| kind == ours))
        };
        let is_other = others.get(extension.replace("yml", "yaml").as_str()) == Some(&ours);
        assert!(has(&nginx) || has(&iana) || is_other, "{extension}: {ours}");
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

/// Returns the type that the program sends for each of these names.
fn served(names: &[&str], options: &[&str]) -> Vec<String> {
    let site = site();
    for name in names {
        fs::write(site.path().join(name), "").unwrap();
    }
    let program = Program::serve(site.path(), options);
    let mut socket = connect(program.address());
    let heads = names
        .iter()
        .map(|name| format!("HEAD /{name} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let mut requests: String = heads.collect();
    requests += "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write_all(requests.as_bytes()).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    let lines = reply.lines();
    let types = lines.filter_map(|line| line.strip_prefix("Content-type: "));
    let mut types: Vec<String> = types
        .map(|kind| kind.trim_end_matches("; charset=utf-8").to_owned())
        .collect();
    types.pop();
    assert_eq!(types.len(), names.len(), "{reply}");
    program.stop();
    types
}

#[test]
fn the_program_sends_the_types_of_nginx_or_iana() {
    let (nginx, iana) = (nginx(), iana());
    let names: Vec<String> = nginx
        .keys()
        .map(|extension| format!("x.{extension}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // CPython's types that browsers display; e-books rather than programs for Palm; and no type for old archives.
    let exceptions = [
        ("pl", "text/plain"),
        ("prc", "application/x-mobipocket-ebook"),
        ("sea", "application/octet-stream"),
    ];
    let types = served(&names, &["-p", "HTTP/1.1"]);
    let mut wrong = Vec::new();
    for (extension, ours) in nginx.keys().zip(&types) {
        let has = |types: &Types| {
            let all = types.get(extension);
            all.is_some_and(|all| all.contains(ours))
        };
        let is_exception = exceptions.contains(&(extension.as_str(), ours));
        if !has(&nginx) && !has(&iana) && !is_exception {
            wrong.push(format!("{extension}: {ours}, nginx {:?}", nginx[extension]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn plain_sends_cpythons_types() {
    let names = [
        "a.rpm",
        "a.woff2",
        "a.opus",
        "a.ts",
        "a.html.br",
        "a.tgz",
        "a.mjs",
    ];
    let unknown = "application/octet-stream";
    assert_eq!(
        served(&names, &["--plain", "-p", "HTTP/1.1"]),
        [
            unknown,
            unknown,
            "audio/opus",
            unknown,
            "text/html",
            "application/x-tar",
            "text/javascript"
        ]
    );
    assert_eq!(
        served(&names, &["-p", "HTTP/1.1"]),
        [
            "application/x-redhat-package-manager",
            "font/woff2",
            "audio/ogg",
            "video/mp2t",
            unknown,
            "application/gzip",
            "text/javascript",
        ]
    );
}
