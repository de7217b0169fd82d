//! The page that people want to use: what is above its rows, and what is sent with it.

use alloc::vec::Vec;

use super::asked::{Format, Key, Sorting};
use super::text::{exact, number, shown, size};
use super::{Directory, Form, Listing, Part, data, rows, sending};
use crate::style::{HEAD, STYLE};
use crate::{Exchange, Next, decode};

/// What the page may load: its own style and scripts, by their hashes; the icon that there is none. Where
/// its forms may go, and what more it needs for them.
macro_rules! policy {
    ($forms:literal $(, $sending:literal)?) => {
        concat!(
            "default-src 'none'; ",
            "style-src 'sha256-s9qIfFMOBo5MpjjYZBj2XAU4k2s22ufJ4ESQO26fYmU=' ",
            "'sha256-u0/g05i/1D4mpZT3J+5S2Ppb1CqoKUr3Drh8gV51S6g='; ",
            "script-src 'sha256-OlSmBfJKDPkoucj+0OFJATNKOkBCxxTT8HeLFsQZJiw='",
            $($sending,)?
            "; ",
            "img-src data:; base-uri 'none'; form-action ",
            $forms,
            "; frame-ancestors 'self'"
        )
    };
}

/// Answers with a page that is good to read and to use, with a keyboard, on a telephone, without a
/// script: names, sizes and times, directories first, sorted by whatever `?sort=name`, `size` or
/// `time` and `&order=asc` or `desc` asks for. With `Accept: application/json`, or for `?json`, it
/// is an array of objects; with `Accept: text/plain` a name a line. It has an `ETag`, and comes with
/// a `Content-Security-Policy` that lets nothing else be loaded, unless
/// [`extra_headers`](crate::Files::extra_headers) has one.
///
/// Where directories can be had as archives, by [`Files::archive`](crate::Files::archive), it has links
/// to these; where an [`Upload`](crate::Upload) is around the file service, a form that sends files.
///
/// ```
/// use sanserve_core::{Files, archive::Download, listing};
///
/// let mut files = Files::new();
/// files.list_directory = listing::page;
/// files.archive = Download::parse;
/// ```
pub fn page(ex: &mut Exchange<'_>, directory: Directory<'_>) -> Next {
    let (format, varies) = Format::of(ex);
    let (form, about): (&'static Form, _) = match format {
        Format::Html => {
            let policy = if directory.files.uploads {
                policy!(
                    "'self'",
                    " 'sha256-SzKfY5M47NAxHTBW3DibnwMuFdpNTB0XatNe3BeE6K8='; connect-src 'self'"
                )
            } else {
                policy!("'none'")
            };
            (&PAGE, ("text/html; charset=utf-8", Some(policy)))
        }
        Format::Json => (&data::JSON, ("application/json", None)),
        Format::Text => (&data::TEXT, ("text/plain; charset=utf-8", None)),
    };
    let mut listing = Listing::new(ex, &directory, form);
    listing.downloads = (directory.files.archive)("/?zip").is_some();
    listing.uploads = directory.files.uploads;
    listing.above = directory.files.above;
    listing.sort(Sorting::of(ex));
    let start = directory
        .files
        .start_page(ex, listing.measure(), about, varies);
    match start {
        Some(next) => next,
        None => directory.files.go_on_with(ex, listing),
    }
}

const PAGE: Form = Form {
    write,
    len: rows::len,
};

fn write(listing: &Listing, part: Part<'_>, out: &mut Vec<u8>) {
    match part {
        Part::Top => top(listing, out),
        Part::Entry(entry, _) => rows::row(&entry, out),
        Part::Foot => out.extend_from_slice(b"</table>\n</main>\n</body>\n</html>\n"),
    }
}

fn top(listing: &Listing, out: &mut Vec<u8>) {
    let title = decode(&listing.target);
    out.extend_from_slice(HEAD.as_bytes());
    out.extend_from_slice(b"<link rel=\"alternate\" type=\"application/json\" href=\"?json\">\n");
    out.extend_from_slice(b"<title>Directory listing for ");
    shown(&title, out);
    out.extend_from_slice(b"</title>\n");
    out.extend_from_slice(STYLE.as_bytes());
    out.extend_from_slice(TABLE_STYLE.as_bytes());
    out.extend_from_slice(b"</head>\n<body>\n<main>\n<h1>Directory listing for ");
    shown(&title, out);
    out.extend_from_slice(b"</h1>\n<header>\n");
    let depth = trail(&listing.target, listing.above, out);
    if !listing.order.is_empty() {
        out.extend_from_slice(FILTER.as_bytes());
    }
    if listing.uploads {
        out.extend_from_slice(sending::FORM.as_bytes());
        out.extend_from_slice(sending::SCRIPT.as_bytes());
    }
    out.extend_from_slice(b"</header>\n<table>\n<caption>");
    summary(listing, out);
    if listing.downloads {
        out.extend_from_slice(DOWNLOADS.as_bytes());
    }
    out.extend_from_slice(b"</caption>\n<thead>\n<tr>");
    heading(listing, Key::Name, out);
    heading(listing, Key::Size, out);
    heading(listing, Key::Time, out);
    out.extend_from_slice(b"\n<tbody>\n");
    if depth > 0 {
        out.extend_from_slice(PARENT.as_bytes());
    }
    if listing.order.is_empty() {
        out.extend_from_slice(b"<tr><td colspan=\"3\">This directory is empty.\n");
    }
}

/// Writes the way from the root, below `above` segments, down to here, and answers how long it is. All links
/// are relative, since nobody knows what was cut off the front of the path before it came here.
fn trail(target: &str, above: usize, out: &mut Vec<u8>) -> usize {
    // As a browser counts: what is encoded parts nothing.
    let mut segments: Vec<&str> = Vec::new();
    let path = target.strip_prefix('/').unwrap_or(target);
    let path = path.strip_suffix('/').unwrap_or(path);
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => _ = segments.pop(),
            "" if path.is_empty() => {}
            segment => segments.push(segment),
        }
    }
    segments.drain(..above.min(segments.len()));
    let depth = segments.len();
    out.extend_from_slice(b"<nav aria-label=\"Breadcrumb\">");
    for (at, name) in core::iter::once("").chain(segments).enumerate() {
        if at > 0 && name.is_empty() {
            continue;
        }
        if at > 0 {
            out.extend_from_slice(b" / ");
        }
        out.extend_from_slice(b"<a href=\"");
        if at == depth {
            out.extend_from_slice(b"./\" aria-current=\"page");
        }
        (at..depth).for_each(|_| out.extend_from_slice(b"../"));
        out.extend_from_slice(b"\"><bdi>");
        match at {
            0 => out.extend_from_slice(b"Home"),
            _ => shown(&decode(name), out),
        }
        out.extend_from_slice(b"</bdi></a>");
    }
    out.extend_from_slice(b"</nav>\n");
    depth
}

/// Writes how many entries there are, and how long they are together.
fn summary(listing: &Listing, out: &mut Vec<u8>) {
    let count = listing.order.len() as u64;
    number(count, out);
    out.extend_from_slice(if count == 1 { b" entry" } else { b" entries" });
    let total = listing.shown().filter_map(|entry| entry.len);
    let total = total.fold(0, u64::saturating_add);
    out.extend_from_slice(b", <span title=\"");
    exact(total, out);
    out.extend_from_slice(b"\">");
    size(total, out);
    out.extend_from_slice(b"</span>");
}

/// Writes the head of a column, which sorts by it: names and the smallest first at the start, but
/// what is large or new.
fn heading(listing: &Listing, key: Key, out: &mut Vec<u8>) {
    let Sorting {
        key: by,
        descending,
    } = listing.sorting;
    out.extend_from_slice(b"<th scope=\"col\"");
    let next = if key == by {
        out.extend_from_slice(match descending {
            true => b" aria-sort=\"descending\"",
            false => b" aria-sort=\"ascending\"",
        });
        !descending
    } else {
        key != Key::Name
    };
    out.extend_from_slice(b"><a href=\"?sort=");
    let (word, title) = match key {
        Key::Name => ("name", "Name"),
        Key::Size => ("size", "Size"),
        Key::Time => ("time", "Changed <small>UTC</small>"),
    };
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(match next {
        true => b"&amp;order=desc\">",
        false => b"&amp;order=asc\">",
    });
    out.extend_from_slice(title.as_bytes());
    out.extend_from_slice(b"</a>");
}

/// The row that leads up, in a body of its own: it is not filtered.
const PARENT: &str =
    "<tr><th scope=\"row\"><a href=\"../\">Parent directory</a><td><td>\n<tbody>\n";

/// The directory as one file. A robot that follows links would have it made for nothing.
const DOWNLOADS: &str = "; download: <a href=\"?zip\" rel=\"nofollow\">zip</a>, \
    <a href=\"?tar\" rel=\"nofollow\">tar</a>";

const TABLE_STYLE: &str = "<style>\
    h1{position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}\
    header{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;min-height:2.5rem;padding:0 .75rem}\
    nav{flex:1 1 auto;font-size:1.25rem;color:var(--soft)}\
    nav a{display:inline-block;min-width:1.5rem;text-align:center}\
    nav [aria-current]{color:var(--text);font-weight:600}\
    bdi{white-space:pre-wrap}\
    [type=search]{width:14rem;height:2.5rem;padding:0 .75rem;border:1px solid #858f9a;border-radius:6px;background:var(--back);color:inherit;font:inherit}\
    form{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem}\
    progress{flex:1 1 10rem;accent-color:var(--link)}\
    [type=file]{min-width:0;width:15rem;color:var(--soft);font:inherit;font-size:.875rem}\
    ::file-selector-button{margin-right:.5rem}\
    button,::file-selector-button{flex:none;height:2.5rem;padding:0 .75rem;border:1px solid #858f9a;border-radius:6px;background:var(--back);color:var(--text);font:inherit;font-size:.875rem;cursor:pointer}\
    output,::placeholder{color:var(--soft);opacity:1}\
    form output{color:inherit}\
    table{width:100%;border-collapse:collapse;table-layout:fixed;font-variant-numeric:tabular-nums}\
    caption{padding:.25rem .75rem 1rem;text-align:left;color:var(--soft)}\
    caption a{display:inline-block;min-width:1.5rem;text-align:center}\
    th,td{padding:.375rem .75rem;border-top:1px solid var(--line);text-align:left;vertical-align:baseline;font-weight:400}\
    td,thead a{color:var(--soft)}\
    th:nth-child(n+2),td:nth-child(n+2){width:8rem;text-align:right}\
    th:nth-child(3){width:11.5rem}\
    thead th{position:sticky;top:0;border:0;background:var(--back);box-shadow:inset 0 -1px var(--line)}\
    th a{display:block;margin:-.375rem -.75rem;padding:.375rem .75rem}\
    tbody a[href$='/']{font-weight:600}\
    tbody tr:hover{background:var(--over)}\
    [aria-sort] a{color:var(--text);font-weight:600}\
    [aria-sort=ascending] a:after{content:' \\2191'}\
    [aria-sort=descending] a:after{content:' \\2193'}\
    @media(max-width:40rem){\
    main{padding:1rem .25rem 3rem}\
    td{font-size:.875rem}\
    header,caption,th,td{padding-left:.5rem;padding-right:.5rem}\
    th a{margin:-.375rem -.5rem;padding:.375rem .5rem}\
    th:nth-child(2){width:5.25rem}\
    th:nth-child(3){width:6.25rem}\
    time{display:block;height:1.5em;overflow:hidden}\
    small{display:none}\
    form,input[type]{width:100%}\
    [type=file]{flex:1 1 8rem}\
    }\
    @media print{form,input,output{display:none}thead th{position:static}}\
    </style>\n";

const FILTER: &str = "<script>{\
    const s=document.currentScript,i=document.createElement('input'),o=document.createElement('output');\
    i.type='search';\
    i.placeholder='Filter';\
    i.ariaLabel='Filter by name';\
    i.autocomplete='off';\
    i.oninput=()=>{\
    const q=i.value.toLowerCase();\
    let n=0;\
    for(const r of document.querySelector('tbody:last-of-type').rows)\
    n+=!(r.hidden=!r.cells[0].textContent.toLowerCase().includes(q));\
    o.value=q&&n+' shown'};\
    s.before(o,i)\
    }</script>\n";
