//! Tests of our own listing pages: their content security policy (also that of error pages), length, tags,
//! order, and prepared directories. Some compare with CPython's page.

mod drive;

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use drive::{drive, entry, http11};
use sanserve_core::archive::Download;
use sanserve_core::{
    Ask, Config, Directory, Entries, Entry, Exchange, Files, FsError, Got, Handler, Next, Upload,
    error_page, from_fn, listing,
};
use sha2::{Digest, Sha256};

fn ours() -> Files {
    let mut files = Files::new();
    files.settings_mut().list_directory = Arc::new(listing::page);
    files
}

/// A root with these entries.
fn holds(entries: Entries) -> impl Fn(&Ask) -> Got<()> {
    let entries = Arc::new(entries);
    move |ask| match ask {
        Ask::List(_) => Got::Listed(Ok(Arc::clone(&entries))),
        _ => Got::Opened(Err(FsError::NotFound)),
    }
}

/// Returns head and content of the reply for `/`.
fn page(entries: Entries, target: &str, fields: &str) -> (String, String) {
    page_of(ours(), entries, target, fields)
}

fn page_of(
    handler: impl Handler,
    entries: Entries,
    target: &str,
    fields: &str,
) -> (String, String) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let said = drive(http11(), handler, request.as_bytes(), holds(entries));
    let (head, content) = said.text.split_once("\r\n\r\n").expect("a reply");
    (head.into(), content.into())
}

/// The same page with uploads and archives.
fn full_page(entries: Entries) -> (String, String) {
    let mut upload = Upload::new();
    upload.files = ours();
    upload.files.settings_mut().archive = Arc::new(Download::parse);
    page_of(upload, entries, "/", "")
}

/// A service that deletes files, and stores none.
fn deletes() -> Upload {
    let mut upload = Upload::new();
    upload.files = ours();
    (upload.store, upload.delete) = (false, true);
    upload
}

/// This many files with names of 20 bytes, and the longest sizes and times.
fn many(count: usize) -> Entries {
    let names: Vec<_> = (0..count).map(|at| format!("IMG_{at:012}.jpg")).collect();
    let entries = names.iter().map(|name| Entry {
        name: name.as_bytes(),
        len: Some(9_999_999_999),
        modified: Some(1_577_836_800),
        ..Entry::default()
    });
    entries.collect()
}

/// Returns the hashes of the texts between these tags, as in a policy. The first tag may have attributes.
fn hashes<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = String> + 'a {
    text.split(start).skip(1).map(move |rest| {
        let (_, rest) = rest.split_once('>').expect("a tag");
        let inside = rest.split(end).next().expect("it ends");
        let hash = BASE64_STANDARD.encode(Sha256::digest(inside));
        format!("'sha256-{hash}'")
    })
}

#[test]
fn the_policy_allows_only_the_content_of_the_page() {
    let pages = [
        (page(many(1), "/", ""), 1, false),
        (full_page(many(1)), 2, false),
        (page_of(deletes(), many(1), "/", ""), 2, false),
        (page(many(1), "/?pictures", ""), 1, true),
        (page_of(deletes(), many(1), "/?pictures", ""), 2, true),
    ];
    for ((head, content), count, pictures) in pages {
        let policy = head.split("Content-Security-Policy: ").nth(1);
        let policy = policy.expect("there is one");
        let styles: Vec<_> = hashes(&content, "<style", "</style>").collect();
        let scripts: Vec<_> = hashes(&content, "<script", "</script>").collect();
        let styles_wanted = count + 1 + usize::from(pictures);
        assert_eq!((styles.len(), scripts.len()), (styles_wanted, count));
        for (directive, hashes) in [("style-src", styles), ("script-src", scripts)] {
            let wanted = format!("; {directive} {};", hashes.join(" "));
            assert!(policy.contains(&wanted), "{wanted}\n{policy}");
        }
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert_eq!(policy.contains("; connect-src 'self';"), count == 2);
        assert_eq!(policy.contains("; img-src data: 'self';"), pictures);
        assert_eq!(policy.contains("; img-src data:;"), !pictures);
        // Either would hide the origin of a form's page.
        assert!(!policy.contains("sandbox") && !head.contains("Referrer-Policy"));
    }
}

#[test]
fn the_policy_of_an_error_page_allows_only_its_content() {
    let config = Config::default().with_error_page(error_page::page);
    let error = from_fn(|ex| ex.send_error(404, "<i>"));
    let text = drive(config, error, b"GET / HTTP/1.0\r\n\r\n", holds(many(0))).text;
    let styles: Vec<_> = hashes(&text, "<style", "</style>").collect();
    let wanted = format!("default-src 'none'; style-src {};", styles.join(" "));
    assert!(text.contains(&wanted), "{wanted}\n{text}");
    assert!(text.contains("<h1>404 &lt;i&gt;</h1>"), "{text}");
}

#[test]
fn a_page_is_small() {
    for count in [0, 3, 1_000] {
        for ((_, content), most) in [
            (page(many(count), "/", ""), 9 * 1024),
            (full_page(many(count)), 19 * 1024),
        ] {
            let most = most + count * 210;
            assert!(content.len() < most, "{count}: {}", content.len());
        }
    }
}

#[test]
fn a_page_is_sent_as_fast_as_the_peer_reads() {
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let said = drive(http11(), ours(), get, holds(many(10_000)));
    assert!(
        said.text.len() > 1_000_000 && said.most < 40_000,
        "{}",
        said.most
    );
}

#[test]
fn the_root_has_no_link_to_a_parent() {
    let (_, content) = page(many(1), "/", "");
    let trail = r#"<nav aria-label="Breadcrumb"><a href="./" aria-current="page"><bdi>Home</bdi></a></nav>"#;
    assert!(content.contains(trail), "{content}");
    assert!(!content.contains("href=\"../"), "{content}");
}

#[test]
fn the_tag_of_a_listing_depends_on_what_is_shown() {
    let tag = |entries, target: &str, fields: &str| -> String {
        let (head, _) = page(entries, target, fields);
        let tag = head.split("ETag: ").nth(1).expect("there is one");
        tag.split("\r\n").next().expect("a line").into()
    };
    let first = tag(many(3), "/", "");
    assert_eq!(tag(many(3), "/", ""), first);
    let mut touched = many(2);
    touched.push(Entry {
        name: b"IMG_000000000002.jpg",
        len: Some(9_999_999_999),
        modified: Some(1_577_836_801),
        ..Entry::default()
    });
    let others = [
        tag(touched, "/", ""),
        tag(many(2), "/", ""),
        tag(many(3), "/?sort=name&order=desc", ""),
        tag(many(3), "/", "Accept: application/json\r\n"),
        tag(many(3), "/./", ""),
    ];
    for other in &others {
        assert_ne!(*other, first);
    }
    let (head, content) = page(many(3), "/", &format!("If-None-Match: \"x\", {first}\r\n"));
    assert!(head.starts_with("HTTP/1.1 304 "), "{head}");
    assert_eq!((head.contains(&first), content.len()), (true, 0));
}

#[test]
fn the_order_of_entries_does_not_depend_on_the_file_system() {
    let names = ["b10", "B9", "a", "\u{e4}", "z"];
    let entry = |name: &'static str| Entry {
        name: name.as_bytes(),
        directory: name == "z",
        ..Entry::default()
    };
    let mut sorted: Entries = names.map(entry).into_iter().collect();
    sorted.sort();
    for entries in [names.map(entry).into_iter().collect(), sorted] {
        let (_, content) = page(entries, "/", "Accept: text/plain\r\n");
        assert_eq!(content, "z/\na\nB9\nb10\n\u{c3}\u{a4}\n");
    }
}

#[test]
fn unknown_sizes_and_times_are_omitted() {
    let names = Entries::from_iter([b"a", b"b"].map(|name| Entry {
        name,
        ..Entry::default()
    }));
    let (_, content) = page(names.clone(), "/", "");
    let row = "<bdi>a</bdi></a><td><td>\n";
    assert!(content.contains(row), "{content}");
    assert_eq!(
        (names.len(), names.is_empty(), names.get(2)),
        (2, false, None)
    );
}

#[test]
fn the_content_length_of_a_listing_is_exact() {
    let names: [&[u8]; 7] = [
        b"plain",
        b"a b",
        b"1&2",
        b"<",
        b"\xC3\xA4",
        b"\xFF",
        b"\n\x7F'\"%~",
    ];
    let lens = [
        None,
        Some(0),
        Some(1),
        Some(10),
        Some(1_023),
        Some(1_024),
        Some(u64::MAX - 1),
    ];
    let mut entries = Entries::new();
    for name in names {
        for (at, len) in lens.into_iter().enumerate() {
            entries.push(Entry {
                name,
                len,
                directory: at % 2 == 0,
                link: at % 3 == 0,
                unavailable: at == 3,
                modified: (at > 3).then_some(1_577_836_800),
            });
        }
    }
    let files = (0..401).map(|at| format!("{at}")).collect::<Vec<_>>();
    entries.extend(files.iter().map(|name| entry(name.as_bytes())));
    for (files, query) in [(ours(), ""), (ours(), "?sort=time"), (Files::new(), "")] {
        let get = format!("GET /{query} HTTP/1.1\r\nHost: h\r\n\r\n");
        let said = drive(http11(), files, get.as_bytes(), holds(entries.clone()));
        let (head, content) = said.text.split_once("\r\n\r\n").expect("a reply");
        let len = head.split("Content-Length: ").nth(1).expect("there is one");
        let len = len.split("\r\n").next().expect("a line");
        assert_eq!(content.split_once("</html>\n").expect("an end").1, "");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        // Each character represents a byte.
        assert_eq!(len, content.chars().count().to_string());
    }
}

/// A browser lays out only the groups that are in sight.
#[test]
fn rows_are_in_groups_of_200() {
    for (count, groups) in [(1, 1), (200, 1), (201, 2), (400, 2), (401, 3)] {
        let (head, content) = page(many(count), "/", "");
        let sizes: Vec<_> = content
            .split("<tbody")
            .skip(1)
            .map(|group| group.matches("<tr>").count())
            .collect();
        assert_eq!(sizes.len(), groups, "{count}");
        assert!(
            sizes[..groups - 1].iter().all(|size| *size == 200),
            "{count}: {sizes:?}"
        );
        let len = format!("Content-Length: {}\r\n", content.len());
        assert!(head.contains(&len), "{count}: {head}, not {len}");
    }
}

/// Unavailable entries are only in CPython's listing, and are not counted.
#[test]
fn unavailable_entries_are_listed_only_by_cpythons_page() {
    let mut entries = Entries::from_iter([entry(b"here")]);
    let only_here = entries.clone();
    entries.push(Entry {
        link: true,
        unavailable: true,
        ..entry(b"lost")
    });
    let mut prepared = entries.clone();
    listing::prepare(&mut prepared);
    for query in ["", "?json", "?sort=size"] {
        for accept in ["*/*", "text/plain"] {
            let page = |entries: &Entries| {
                let accept = format!("Accept: {accept}\r\n");
                page_of(ours(), entries.clone(), &format!("/{query}"), &accept)
            };
            let expected = page(&only_here);
            assert!(page(&entries) == expected && page(&prepared) == expected);
        }
    }
    for entries in [entries, prepared] {
        let (_, page) = page_of(Files::new(), entries, "/", "");
        assert!(
            page.contains("<li><a href=\"lost\">lost@</a></li>"),
            "{page}"
        );
    }
}

/// A function that replies with a listing.
type List = fn(&mut Exchange<'_>, Directory<'_>) -> Next;

#[test]
fn a_prepared_directory_has_the_same_pages() {
    let names: Vec<_> = (0..600)
        .map(|at| format!("{}-{at}", [".x", "B", "a", "n&m", "nul."][at % 5]))
        .collect();
    let plain: Entries = names
        .iter()
        .zip(0..)
        .map(|(name, at)| Entry {
            name: name.as_bytes(),
            directory: at % 7 == 0,
            link: at % 11 == 0,
            unavailable: at % 7 != 0 && at % 5 == 2,
            len: (at % 7 != 0).then_some(at as u64 * 37 % 50),
            modified: (at % 13 != 0).then_some(at * 91 % 40),
        })
        .collect();
    let mut prepared = plain.clone();
    listing::prepare(&mut prepared);
    for (list, hidden) in [
        (listing::page as List, false),
        (listing::page, true),
        (listing::python, false),
        (listing::python, true),
    ] {
        for query in [
            "",
            "?sort=name&order=desc",
            "?sort=size",
            "?sort=size&order=desc",
            "?sort=time",
            "?sort=time&order=desc",
            "?json",
        ] {
            for accept in ["*/*", "text/plain"] {
                let page = |entries: &Entries| {
                    let mut files = Files::new();
                    files.settings_mut().hidden = hidden;
                    files.settings_mut().list_directory = Arc::new(list);
                    page_of(
                        files,
                        entries.clone(),
                        &format!("/{query}"),
                        &format!("Accept: {accept}\r\n"),
                    )
                };
                let (head, content) = page(&plain);
                assert!(content.len() > 1000);
                assert!(
                    (head, content) == page(&prepared),
                    "{query} {accept} {hidden}"
                );
            }
        }
    }
}

#[test]
fn the_order_is_part_of_the_tag() {
    let tag = |target: &str| {
        let (head, _) = page(many(20), target, "");
        let tag = head.lines().find_map(|line| line.strip_prefix("ETag: "));
        tag.expect("a tag").to_owned()
    };
    let tags: std::collections::HashSet<_> = [
        "/?json",
        "/?json&sort=size",
        "/?json&order=desc",
        "/",
        "/?sort=time",
    ]
    .map(tag)
    .into();
    assert_eq!(tags.len(), 5);
    assert_eq!(tag("/?json"), tag("/?json&sort=name"));
}

#[test] // tie of lower case; surrogate of 80..BF
fn a_listing_is_sorted_and_has_links() {
    let names: [&[u8]; 4] = [b"a", b"b", b"A", b"\x80.txt"];
    let fs = holds(names.iter().map(|name| entry(name)).collect());
    let said = drive(
        http11(),
        Files::new(),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        fs,
    );
    let links: Vec<_> = said
        .text
        .split("<a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(
        links,
        [Some("A"), Some("a"), Some("b"), Some("%ED%B2%80.txt")]
    );
    assert_eq!(sanserve_core::percent_decode("%ED%B2%80.txt"), b"\x80.txt");
}
