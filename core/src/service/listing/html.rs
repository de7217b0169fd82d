//! [`page`]: replies with a listing as an HTML page, or as JSON or text if the client requests that. Writes the part of
//! the page above the rows: breadcrumbs, filter, upload form, summary and headings.

use alloc::vec::Vec;

use super::head::PageHead;
use super::negotiate::{Format, Key, Sorting};
use super::text::{TITLE_MAX, exact_size, excerpt, number, put, size, write_display};
use super::{Directory, Listing, Renderer, json, rows, upload_form};
use crate::engine::{Exchange, Next};
use crate::fs::percent_decode;
use crate::text::page_style::{HEAD, STYLE};

/// The content security policy of the page. It may load its own style and scripts, by their hashes, and the empty icon;
/// its forms lead to the directory itself. `sending` allows uploads by script.
macro_rules! policy {
    ($($sending:literal)?) => {
        concat!(
            "default-src 'none'; ",
            "style-src 'sha256-s9qIfFMOBo5MpjjYZBj2XAU4k2s22ufJ4ESQO26fYmU=' ",
            "'sha256-UgNlZscpo9eK5va0kulIxbe/jfo+9+YVBw1mbroq2cU='; ",
            "script-src 'sha256-OlSmBfJKDPkoucj+0OFJATNKOkBCxxTT8HeLFsQZJiw='",
            $($sending,)?
            "; ",
            "img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
        )
    };
}

/// Replies with an HTML page that works with a keyboard, on a phone, and without JavaScript: names, sizes and times,
/// directories first, sorted by `?sort=name`, `size` or `time` and `&order=asc` or `desc`, or for short
/// `?sort=size-desc`. With `Accept: application/json` or `?json` the reply is an array of objects; with `Accept:
/// text/plain`, one name per line. The page has an `ETag`, and a `Content-Security-Policy` that prevents it from
/// loading anything else, unless [`extra_headers`](crate::FileSettings::extra_headers) has one.
///
/// If [`FileSettings::archive`](crate::FileSettings::archive) offers archives, the page has buttons for them; if an
/// [`Upload`](crate::Upload) wraps the file service, it has a form for uploads.
///
/// ```
/// use std::sync::Arc;
///
/// use sanserve_core::{Files, archive::Download, listing};
///
/// let mut files = Files::new();
/// files.settings_mut().list_directory = Arc::new(listing::page);
/// files.settings_mut().archive = Arc::new(Download::parse);
/// ```
pub fn page(ex: &mut Exchange<'_>, directory: Directory<'_>) -> Next {
    let (format, varies) = Format::of(ex);
    let (renderer, content_type, security): (&'static Renderer, _, _) = match format {
        Format::Html => {
            let policy = if directory.scope.uploads {
                policy!(
                    " 'sha256-LxIqKCrKR1cfL3VcvaHT7ES+/WAXuV5fz1lBBDutYCw='; connect-src 'self'"
                )
            } else {
                policy!()
            };
            (&PAGE, "text/html; charset=utf-8", Some(policy))
        }
        Format::Json => (&json::JSON, "application/json", None),
        Format::Text => (&json::TEXT, "text/plain; charset=utf-8", None),
    };
    let listing = Listing::new(ex, &directory, renderer, Some(Sorting::of(ex)));
    let (len, version) = listing.measure();
    let head = PageHead {
        len,
        version,
        content_type,
        security,
        varies,
    };
    match head.send(ex, directory.fields) {
        Some(next) => next,
        None => directory.send(ex, listing),
    }
}

pub(super) const PAGE: Renderer = Renderer {
    number: 0,
    top,
    row: rows::row,
    len: rows::len,
    between: b"",
    foot: b"</table>\n</form>\n</main>\n</body>\n</html>\n",
    unavailable: false,
};

fn top(listing: &Listing, out: &mut Vec<u8>) {
    let title = percent_decode(&listing.target);
    let title = excerpt(&title, TITLE_MAX);
    out.extend_from_slice(HEAD.as_bytes());
    out.extend_from_slice(b"<title>Directory listing for ");
    write_display(title, out);
    out.extend_from_slice(b"</title>\n");
    out.extend_from_slice(STYLE.as_bytes());
    out.extend_from_slice(TABLE_STYLE.as_bytes());
    out.extend_from_slice(b"</head>\n<body>\n<main>\n<h1>Directory listing for ");
    write_display(title, out);
    out.extend_from_slice(b"</h1>\n<header>\n");
    let depth = breadcrumbs(&listing.target, listing.scope.mount_depth, out);
    if listing.sums.count > 0 {
        out.extend_from_slice(FILTER.as_bytes());
    }
    if listing.scope.uploads {
        out.extend_from_slice(upload_form::FORM.as_bytes());
        out.extend_from_slice(upload_form::SCRIPT.as_bytes());
    }
    out.extend_from_slice(b"</header>\n<form>\n<table>\n<caption>");
    summary(listing, out);
    if listing.scope.archives {
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
    if listing.sums.count == 0 {
        out.extend_from_slice(b"<tr><td colspan=\"3\">This directory is empty.\n");
    }
}

/// Writes the breadcrumbs from the root, which is `mount_depth` segments below the start of the target, and returns the
/// number of directories below it. All links are relative, since a proxy may have removed a prefix of the path.
///
/// A link upwards has three bytes for each level, so that the length of all breadcrumbs would grow with the square of
/// the target's length. So only the last [`CRUMBS_MAX`] directories are shown, and the link to the root is omitted if
/// it would climb more than [`HOME_DEPTH_MAX`] levels.
fn breadcrumbs(target: &str, mount_depth: usize, out: &mut Vec<u8>) -> usize {
    let mut crumbs = Vec::new();
    let depth = segments(target)
        .inspect(|name| {
            if crumbs.len() < CRUMBS_MAX {
                crumbs.push(*name);
            }
        })
        .count()
        .saturating_sub(mount_depth);
    crumbs.truncate(depth);
    put(b"<nav aria-label=\"Breadcrumb\">", out);
    if depth <= HOME_DEPTH_MAX {
        breadcrumb(b"Home", depth, out);
    }
    if depth > crumbs.len() {
        put(b" / \xE2\x80\xA6", out);
    }
    for (climb, name) in crumbs.iter().enumerate().rev() {
        if !name.is_empty() {
            put(b" / ", out);
            breadcrumb(excerpt(&percent_decode(name), NAME_MAX), climb, out);
        }
    }
    put(b"</nav>\n", out);
    depth
}

/// Writes the link to the directory `climb` levels above this one.
fn breadcrumb(name: &[u8], climb: usize, out: &mut Vec<u8>) {
    put(b"<a href=\"", out);
    if climb == 0 {
        put(b"./\" aria-current=\"page", out);
    }
    (0..climb).for_each(|_| put(b"../", out));
    put(b"\"><bdi>", out);
    write_display(name, out);
    put(b"</bdi></a>", out);
}

/// Returns the segments of a target that a browser counts when it resolves a relative link, the last first: empty
/// segments count, dot segments in any encoding do not, and an encoded slash is not a separator.
fn segments(target: &str) -> impl Iterator<Item = &str> {
    let path = target.strip_prefix('/').unwrap_or(target);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut skipped = 0_usize;
    let all = path
        .rsplit('/')
        .filter(move |segment| match dot_count(segment) {
            1 => false,
            2 => {
                skipped += 1;
                false
            }
            _ if skipped > 0 => {
                skipped -= 1;
                false
            }
            _ => true,
        });
    let is_root = path.is_empty();
    all.filter(move |_| !is_root)
}

/// Returns the number of dots in a dot segment, one or two, or 0 for a name.
fn dot_count(segment: &str) -> usize {
    let mut rest = segment.as_bytes();
    let mut dots = 0;
    while let [b'.', left @ ..] | [b'%', b'2', b'e' | b'E', left @ ..] = rest {
        (rest, dots) = (left, dots + 1);
        if dots > 2 {
            return 0;
        }
    }
    if rest.is_empty() { dots } else { 0 }
}

/// Writes the number of entries, and their total length.
fn summary(listing: &Listing, out: &mut Vec<u8>) {
    let count = listing.sums.count as u64;
    number(count, out);
    out.extend_from_slice(if count == 1 { b" entry" } else { b" entries" });
    let total = listing.sums.bytes;
    out.extend_from_slice(b", <span title=\"");
    exact_size(total, out);
    out.extend_from_slice(b"\">");
    size(total, out);
    out.extend_from_slice(b"</span>");
}

/// Writes the heading of a column, which sorts by it: names in ascending, sizes and times in descending order first. It
/// is the button of a form, which needs no JavaScript, rather than a link, since a crawler would follow it and fetch
/// every directory in every order.
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
    out.extend_from_slice(b"><button name=\"sort\" value=\"");
    let (word, title) = match key {
        Key::Name => ("name", "Name"),
        Key::Size => ("size", "Size"),
        Key::Time => ("time", "Changed <small>UTC</small>"),
    };
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(match next {
        true => b"-desc\">",
        false => b"-asc\">",
    });
    out.extend_from_slice(title.as_bytes());
    out.extend_from_slice(b"</button>");
}

/// Writes the row with the link to the parent directory, in a table body of its own that the filter does not affect.
const PARENT: &str =
    "<tr><th scope=\"row\"><a href=\"../\">Parent directory</a><td><td>\n<tbody>\n";

/// Writes the buttons to download the directory as an archive. They are not links, since a crawler would download every
/// file once for each directory above it.
const DOWNLOADS: &str = "; download: <button name=\"zip\">zip</button>, \
    <button name=\"tar\">tar</button>";

const TABLE_STYLE: &str = "<style>\
    h1{position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}\
    header{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;min-height:2.5rem;padding:0 .75rem}\
    nav{flex:1 1 auto;font-size:1.25rem;color:var(--soft)}\
    nav a{display:inline-block;min-width:1.5rem;text-align:center}\
    nav [aria-current]{color:var(--text);font-weight:600}\
    bdi{white-space:pre-wrap}\
    [type=search]{width:14rem;height:2.5rem;padding:0 .75rem;border:1px solid #858f9a;border-radius:6px;background:var(--back);color:inherit;font:inherit}\
    header form{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem}\
    progress{flex:1 1 10rem;accent-color:var(--link)}\
    [type=file]{min-width:0;width:15rem;color:var(--soft);font:inherit;font-size:.875rem}\
    ::file-selector-button{margin-right:.5rem}\
    button,::file-selector-button{flex:none;height:2.5rem;padding:0 .75rem;border:1px solid #858f9a;border-radius:6px;background:var(--back);color:var(--text);font:inherit;font-size:.875rem;cursor:pointer}\
    table button{height:auto;min-width:1.5rem;padding:0;border:0;background:none;color:var(--link);font-size:inherit}\
    table button:hover{text-decoration:underline}\
    output,::placeholder{color:var(--soft);opacity:1}\
    form output{color:inherit}\
    table{width:100%;border-collapse:collapse;table-layout:fixed;font-variant-numeric:tabular-nums}\
    caption{padding:.25rem .75rem 1rem;text-align:left;color:var(--soft)}\
    th,td{padding:.375rem .75rem;border-top:1px solid var(--line);text-align:left;vertical-align:baseline;font-weight:400}\
    td,thead button{color:var(--soft)}\
    th:nth-child(n+2),td:nth-child(n+2){width:8rem;text-align:right}\
    th:nth-child(3){width:11.5rem}\
    thead th{position:sticky;top:0;border:0;background:var(--back);box-shadow:inset 0 -1px var(--line)}\
    th a,th button{display:block;margin:-.375rem -.75rem;padding:.375rem .75rem}\
    th button{width:calc(100% + 1.5rem);text-align:inherit}\
    tbody a[href$='/']{font-weight:600}\
    tbody tr:hover{background:var(--over)}\
    [aria-sort] button{color:var(--text);font-weight:600}\
    [aria-sort=ascending] button:after{content:' \\2191'}\
    [aria-sort=descending] button:after{content:' \\2193'}\
    @media(max-width:40rem){\
    main{padding:1rem .25rem 3rem}\
    td{font-size:.875rem}\
    header,caption,th,td{padding-left:.5rem;padding-right:.5rem}\
    th a,th button{margin:-.375rem -.5rem;padding:.375rem .5rem}\
    th button{width:calc(100% + 1rem)}\
    th:nth-child(2){width:5.25rem}\
    th:nth-child(3){width:6.25rem}\
    time{display:block;height:1.5em;overflow:hidden}\
    small{display:none}\
    header form,input[type]{width:100%}\
    [type=file]{flex:1 1 8rem}\
    }\
    @media print{header form,input,output{display:none}thead th{position:static}}\
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

/// The largest number of directories in the breadcrumbs.
const CRUMBS_MAX: usize = 16;
/// The largest number of levels that the link to the root climbs.
const HOME_DEPTH_MAX: usize = 256;
/// The number of bytes of a name that a breadcrumb shows.
const NAME_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    fn breadcrumbs(target: &str, mount_depth: usize) -> (usize, Vec<u8>) {
        let mut out = Vec::new();
        (super::breadcrumbs(target, mount_depth, &mut out), out)
    }

    #[test]
    fn breadcrumbs_count_the_segments_that_a_browser_counts() {
        // URL standard, section 4.4: dot segments are removed in any encoding, empty ones are kept.
        for (target, depth) in [
            ("/", 0),
            ("/a/", 1),
            ("/a//b/", 3),
            ("/a/../b/", 1),
            ("/../../a/", 1),
            ("/a/../../b/c/", 2),
            ("/%2e/%2E/a/", 1),
            ("/a/%2e%2E/.%2e/%2E./b/", 1),
            ("/.../", 1),
            ("/a%2fb/", 1),
        ] {
            assert_eq!(breadcrumbs(target, 0).0, depth, "{target}");
        }
        assert_eq!(breadcrumbs("/x/y/z/", 2).0, 1);
        assert_eq!(breadcrumbs("/x/", 2).0, 0);
    }

    #[test]
    fn breadcrumbs_are_no_longer_than_a_small_page_however_deep_the_directory_is() {
        for pattern in [
            "/d",
            "/",
            "/%2e",
            "/..",
            "/a%2f..",
            "/&&&&&&&&&&&&&&&&&&&&&&&&&&&&",
        ] {
            let target = pattern.repeat(65_536 / pattern.len()) + "/";
            let len = breadcrumbs(&target, 0).1.len();
            assert!(len < 12_000, "{pattern}: {len}");
        }
        let (depth, page) = breadcrumbs(&"/d".repeat(300), 0);
        assert_eq!(depth, 300);
        assert!(page.starts_with(b"<nav aria-label=\"Breadcrumb\"> / \xE2\x80\xA6 / <a "));
    }
}
