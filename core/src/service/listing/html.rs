//! [`page`]: replies with a listing as an HTML page, or as JSON or text if the client requests that. Writes the part of
//! the page above the rows: breadcrumbs, filter, upload form, summary and headings.

use alloc::vec::Vec;

use super::head::{self, PageHead};
use super::negotiate::{Format, Key, Sorting, View};
use super::policy::Policy;
use super::text::{TITLE_MAX, exact_size, excerpt, number, put, size, write_display};
use super::{Directory, Listing, Renderer, json, pictures, rows};
use crate::engine::{Exchange, Next};
use crate::fs::entries::Sums;
use crate::fs::percent_decode;
#[cfg(feature = "gzip")]
use crate::service::coding::{Coding, Compression};
use crate::service::etag::ETag;
use crate::text::page_style::{HEAD, STYLE};
#[cfg(feature = "gzip")]
use crate::text::status;

/// Replies with an HTML page that works with a keyboard, on a phone, and without JavaScript: names, sizes and times,
/// directories first, sorted by `?sort=name`, `size` or `time` and `&order=asc` or `desc`, or for short
/// `?sort=size-desc`. With `?pictures` or `?pictures=size-desc` each entry is a card, with the picture if it is one. With
/// `Accept: application/json` or `?json` the reply is an array of objects; with `Accept: text/plain`, one name per line.
/// The page has an `ETag`, and a `Content-Security-Policy` that prevents it from loading anything else, unless
/// [`extra_headers`](crate::FileSettings::extra_headers) has one.
///
/// With [`FileSettings::readme`](crate::FileSettings::readme) the text of the README follows below. If
/// [`FileSettings::archive`](crate::FileSettings::archive) offers archives, the page has buttons for them; if an
/// [`Upload`](crate::Upload) wraps the file service, it has a form for uploads. With JavaScript, it also has buttons to
/// upload a folder, to create one, and to delete files, as far as the service allows that.
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
pub fn page(ex: &mut Exchange<'_>, mut directory: Directory<'_>) -> Next {
    let (format, varies) = match directory.scope.may_read {
        true => Format::of(ex),
        // The other formats could not say that there are no entries for another reason.
        false => (Format::Html, false),
    };
    let (sorting, view) = Sorting::of(ex);
    let (renderer, content_type, security): (&'static Renderer, _, _) = match format {
        Format::Html => {
            let policy = Policy {
                changes: directory.scope.changes.map(|changes| changes.texts),
                pictures: view == View::Pictures,
            };
            let renderer = match view {
                View::List => &PAGE,
                View::Pictures => &PICTURES,
            };
            (renderer, "text/html; charset=utf-8", Some(policy))
        }
        Format::Json => (&json::JSON, "application/json", None),
        Format::Text => (&json::TEXT, "text/plain; charset=utf-8", None),
    };
    let mut listing = Listing::new(ex, &directory, renderer, Some(sorting));
    listing.readme = directory.readme.take();
    if format == Format::Html {
        listing.view = view;
        if (sorting, view) != Default::default() {
            listing.query = view.query(sorting);
        }
    }
    let (len, version) = listing.measure();
    let meta = head::meta(len, version);
    #[cfg_attr(
        not(feature = "gzip"),
        expect(unused_mut, reason = "nothing is compressed")
    )]
    let mut head = PageHead {
        tag: ETag::new(meta, ""),
        content_type,
        coding: None,
        security,
        varies,
    };
    #[cfg(feature = "gzip")]
    if directory.compresses {
        match Compression::choose(ex, head.tag.as_ref(), len) {
            Compression::None => {}
            Compression::Gzip => {
                listing.compress();
                head.tag = ETag::of_compressed(meta);
                head.coding = Some(Coding::Gzip.name());
            }
            Compression::Refused => {
                let message = &status::phrase(406);
                return directory.fields.send_error(ex, 406, message, &mut |_| ());
            }
        }
    }
    match head.send(ex, directory.fields, &mut || listing.content_len(len)) {
        Some(next) => next,
        None => directory.send(ex, listing),
    }
}

/// Returns whether [`page`] replies with HTML.
pub(crate) fn is_html(ex: &Exchange<'_>) -> bool {
    Format::of(ex).0 == Format::Html
}

pub(super) const PAGE: Renderer = Renderer {
    number: 0,
    top,
    row: rows::row,
    len: rows::len,
    between: b"",
    group: b"<tbody class=\"more\">\n",
    rows_end: b"</table>\n</form>\n",
    foot: b"</main>\n</body>\n</html>\n",
    unavailable: false,
};

/// The page in the view with pictures.
pub(super) const PICTURES: Renderer = Renderer {
    number: 4,
    row: pictures::row,
    len: pictures::len,
    ..PAGE
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
    let changes = listing.scope.changes;
    if let Some(changes) = &changes {
        changes.style(out);
    }
    if listing.view == View::Pictures {
        put(pictures::STYLE.as_bytes(), out);
    }
    out.extend_from_slice(b"</head>\n<body>\n<main>\n<h1>Directory listing for ");
    write_display(title, out);
    out.extend_from_slice(b"</h1>\n<header>\n");
    let depth = breadcrumbs(
        &listing.target,
        listing.scope.mount_depth,
        listing.query,
        out,
    );
    // A browser may show the page as it is after a script, and the form must not move later. So the script of the filter,
    // which inserts it before the form, comes after the form.
    if let Some(changes) = &changes {
        changes.form(out);
    }
    if listing.scope.can_log_in {
        login(depth, out);
    }
    if listing.sums.count > 0 {
        out.extend_from_slice(FILTER.as_bytes());
    }
    if let Some(changes) = &changes {
        changes.script(out);
    }
    out.extend_from_slice(b"</header>\n<form>\n<table>\n<caption><span>");
    summary(listing, out);
    put(b"</span>", out);
    if listing.scope.archives && listing.sums.count > 0 {
        out.extend_from_slice(DOWNLOADS.as_bytes());
    }
    view_button(listing, out);
    if listing.scope.qr_code {
        put(QR_CODE, out);
    }
    out.extend_from_slice(b"</caption>\n");
    if !listing.scope.may_read {
        return;
    }
    out.extend_from_slice(b"<thead>\n<tr>");
    heading(listing, Key::Name, out);
    heading(listing, Key::Size, out);
    heading(listing, Key::Time, out);
    out.extend_from_slice(b"\n<tbody>\n");
    if depth > 0 {
        put(b"<tr><th scope=\"row\"><a href=\"../", out);
        put(listing.query.as_bytes(), out);
        put(b"\">Parent folder</a><td><td>\n<tbody>\n", out);
    }
}

/// Writes the breadcrumbs from the root, which is `mount_depth` segments below the start of the target, and returns the
/// number of directories below it. All links are relative, since a proxy may have removed a prefix of the path.
///
/// A link upwards has three bytes for each level, so that the length of all breadcrumbs would grow with the square of
/// the target's length. So only the last [`CRUMBS_MAX`] directories are shown, and the link to the root is omitted if
/// it would climb more than [`HOME_DEPTH_MAX`] levels.
fn breadcrumbs(target: &str, mount_depth: usize, query: &str, out: &mut Vec<u8>) -> usize {
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
        breadcrumb(b"Home", depth, query, out);
    }
    if depth > crumbs.len() {
        put(b" / \xE2\x80\xA6", out);
    }
    for (climb, name) in crumbs.iter().enumerate().rev() {
        if !name.is_empty() {
            put(b" / ", out);
            breadcrumb(excerpt(&percent_decode(name), NAME_MAX), climb, query, out);
        }
    }
    put(b"</nav>\n", out);
    depth
}

/// Writes the link to the directory `climb` levels above this one, in the same order.
fn breadcrumb(name: &[u8], climb: usize, query: &str, out: &mut Vec<u8>) {
    put(b"<a href=\"", out);
    if climb == 0 {
        put(b"./", out);
    }
    (0..climb).for_each(|_| put(b"../", out));
    put(query.as_bytes(), out);
    if climb == 0 {
        put(b"\" aria-current=\"page", out);
    }
    put(b"\"><bdi>", out);
    write_display(name, out);
    put(b"</bdi></a>", out);
}

/// Writes the link that lets a [`Guard`](crate::Guard) ask for a password. It leads to the root, since browsers send
/// credentials only below the directory in which they were asked for (RFC 7617 §2.2).
fn login(depth: usize, out: &mut Vec<u8>) {
    put(b"<a href=\"", out);
    (0..depth.min(HOME_DEPTH_MAX)).for_each(|_| put(b"../", out));
    put(b"?login\">Log in</a>\n", out);
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

/// Writes the numbers of directories and files, and the total length of the files.
fn summary(listing: &Listing, out: &mut Vec<u8>) {
    let Sums {
        count,
        directories,
        bytes,
        ..
    } = listing.sums;
    if !listing.scope.may_read {
        return put(b"You may store files here, but not see them", out);
    }
    let files = count - directories;
    if count == 0 {
        return put(b"This folder is empty", out);
    }
    if directories > 0 {
        counted(directories, b" folder", out);
    }
    if directories > 0 && files > 0 {
        put(b", ", out);
    }
    if files > 0 {
        counted(files, b" file", out);
        put(b", <span title=\"", out);
        exact_size(bytes, out);
        put(b"\">", out);
        size(bytes, out);
        put(b"</span>", out);
    }
}

/// Writes a number with a noun, which is in the plural unless the number is 1.
fn counted(count: usize, noun: &[u8], out: &mut Vec<u8>) {
    number(count as u64, out);
    put(noun, out);
    if count != 1 {
        put(b"s", out);
    }
}

/// Writes the heading of a column, which sorts by it: names in ascending, sizes and times in descending order first. It
/// is the button of a form, which needs no JavaScript, rather than a link, since a crawler would follow it and fetch
/// every directory in every order.
fn heading(listing: &Listing, key: Key, out: &mut Vec<u8>) {
    let Sorting {
        key: by,
        descending,
    } = listing.sorting;
    put(b"<th scope=\"col\"", out);
    let descending = if key == by {
        put(
            match descending {
                true => b" aria-sort=\"descending\"",
                false => b" aria-sort=\"ascending\"",
            },
            out,
        );
        !descending
    } else {
        key != Key::Name
    };
    put(b">", out);
    button(listing.view, Sorting { key, descending }, out);
    let title = match key {
        Key::Name => "Name",
        Key::Size => "Size",
        Key::Time => "Changed <small>UTC</small>",
    };
    put(title.as_bytes(), out);
    out.extend_from_slice(b"</button>");
}

/// Writes the button that changes the view, if there are pictures or they are shown.
fn view_button(listing: &Listing, out: &mut Vec<u8>) {
    let (other, text) = match listing.view {
        View::List if listing.sums.pictures == 0 => return,
        View::List => (View::Pictures, "Show pictures"),
        View::Pictures => (View::List, "Show list"),
    };
    put(b" ", out);
    button(other, listing.sorting, out);
    put(text.as_bytes(), out);
    put(b"</button>", out);
}

/// Writes the start of a button that requests this view in this order.
fn button(view: View, sorting: Sorting, out: &mut Vec<u8>) {
    let query = view.query(sorting);
    let (name, value) = query[1..].split_once('=').unwrap_or_default();
    put(b"<button name=\"", out);
    put(name.as_bytes(), out);
    put(b"\" value=\"", out);
    put(value.as_bytes(), out);
    put(b"\">", out);
}

/// The buttons to download the directory as an archive. They are not links, since a crawler would download every
/// file once for each directory above it.
const DOWNLOADS: &str = " <button name=\"zip\">Download zip</button> \
    <button name=\"tar\">Download tar</button>";

/// The button that requests the QR code of the address.
const QR_CODE: &[u8] = b" <button name=\"qr\">QR code</button>";

/// The style of the table, and of what is above it. Rows are flex containers rather than table rows, since a browser
/// does not lay out groups of them that are out of sight, and a phone shows the size and the time below the name.
const TABLE_STYLE: &str = "<style>\
    h1{position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}\
    header{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;min-height:2.5rem;padding:0 .75rem}\
    nav{flex:1 1 auto;font-size:1.25rem;color:var(--soft)}\
    nav a{margin:0 -.5rem;padding:.25rem .5rem}\
    nav [aria-current]{color:var(--text);font-weight:600}\
    bdi{white-space:pre-wrap}\
    [data-local] small{display:none}\
    [type=search]{width:14rem;height:2.5rem;padding:0 .75rem;border:1px solid #858f9a;border-radius:6px;background:var(--back);color:inherit;font:inherit}\
    button,::file-selector-button{flex:none;height:2.5rem;padding:0 .75rem;border:1px solid #858f9a;border-radius:6px;background:var(--back);color:var(--text);font:inherit;font-size:.875rem;cursor:pointer}\
    button:hover{border-color:var(--link)}\
    output,::placeholder{color:var(--soft);opacity:1}\
    table,tbody,thead{display:block;font-variant-numeric:tabular-nums}\
    caption{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem .75rem;min-height:2.5rem;margin:.5rem 0;padding:0 .75rem;color:var(--soft)}\
    tr{display:flex;align-items:baseline;border-top:1px solid var(--line);text-align:end}\
    .more{content-visibility:auto;contain-intrinsic-size:auto 462.5rem}\
    [hidden]{display:none!important}\
    th{flex:1;min-width:0;text-align:start;font-weight:400}\
    td{direction:ltr;text-align:match-parent}\
    td,thead th+th{flex:none;width:8rem;padding:.375rem .75rem}\
    thead th+th{text-align:end}\
    td+td,thead th+th+th{width:11.5rem}\
    td,thead button{color:var(--soft)}\
    thead{position:sticky;top:0;background:var(--back);box-shadow:0 1px var(--line);z-index:1}\
    thead tr{border:0}\
    thead th,thead th+th{padding:0}\
    thead button{width:100%;height:auto;padding:.375rem .75rem;border:0;background:none;font-size:1rem;text-align:inherit}\
    thead button:hover{text-decoration:underline}\
    th a{display:block;padding:.375rem .75rem;padding-inline-start:2.5rem}\
    th a:before{content:'';float:inline-start;margin-block-start:.1875rem;margin-inline-start:-1.75rem;width:1.125rem;height:1.125rem;background:var(--soft);clip-path:polygon(20% 4%,60% 4%,84% 28%,84% 96%,20% 96%,20% 4%,29% 13%,29% 87%,75% 87%,75% 37%,51% 37%,51% 13%,29% 13%)}\
    th [href*='/']{font-weight:600}\
    th [href*='/']:before{background:var(--link);clip-path:polygon(4% 14%,40% 14%,50% 26%,96% 26%,96% 88%,4% 88%)}\
    th [href^='../']:before{clip-path:polygon(50% 8%,92% 50%,68% 50%,68% 92%,32% 92%,32% 50%,8% 50%)}\
    tbody tr:hover{background:var(--over)}\
    [aria-sort] button{color:var(--text);font-weight:600}\
    [aria-sort=ascending] button:after{content:' \\2191'}\
    [aria-sort=descending] button:after{content:' \\2193'}\
    article{margin:2rem .75rem 0}\
    h2{margin:0;font-size:1rem}\
    pre{margin:.5rem 0 0;font:.875rem/1.5 ui-monospace,monospace;white-space:pre-wrap}\
    @media(max-width:40rem){\
    main{padding:1rem .25rem 3rem}\
    header,caption{padding:0 .5rem}\
    tbody tr{flex-wrap:wrap;padding-bottom:.375rem;padding-inline-start:2.25rem}\
    tbody th{flex:none;width:calc(100% + 2.25rem);margin-inline-start:-2.25rem}\
    th a{padding:.375rem .5rem 0;padding-inline-start:2.25rem}\
    tbody td{width:auto;padding:0;margin-inline-end:.75rem;font-size:.875rem}\
    td:empty{display:none}\
    thead th{flex:none;width:auto!important}\
    thead button{padding:.375rem .5rem}\
    header form,input[type]{width:100%}\
    [type=file]{flex:1 1 8rem}\
    }\
    @media print{header form,input,output,caption button{display:none}thead{position:static}tbody{content-visibility:visible}}\
    </style>\n";

/// The script of the page: shows times in the reader's time zone, and adds the filter. It reads the table again if
/// another script has replaced it.
const FILTER: &str = "<script>{\
    const d=document,s=d.currentScript,i=d.createElement('input'),o=d.createElement('output'),\
    fold=t=>(/[^ -~]/.test(t)?t.normalize('NFKD').replace(/[\\u0300-\\u036f]/g,''):t).toLowerCase(),\
    f=new Intl.DateTimeFormat('sv',{dateStyle:'short',timeStyle:'short'}),\
    read=()=>{\
    const n=d.querySelector('table');\
    if(n==t)return;\
    t=n;\
    g=0;\
    for(const e of t.getElementsByTagName('time'))e.firstChild.data=f.format(new Date(e.dateTime))},\
    index=()=>{\
    read();\
    const b=t.tBodies;\
    g||=[...b].slice(b[0].querySelector('[href^=\"../\"]')?1:0).map(b=>[b,[...b.rows].map(r=>[r,fold(r.firstChild.textContent)])])};\
    let t,g,hit;\
    d.documentElement.dataset.local='';\
    i.type='search';\
    i.placeholder='Filter';\
    i.ariaLabel='Filter by name';\
    i.ariaKeyShortcuts=i.title='/';\
    i.autocomplete='off';\
    i.onfocus=index;\
    i.oninput=()=>{\
    index();\
    const q=fold(i.value);\
    let n=0;\
    for(const[b,a]of g){\
    let k=0;\
    for(const e of a)if(e[2]=e[1].includes(q))k++,hit=e[0];\
    if(b.hidden=!k)continue;\
    for(const[r,,h]of a)if(r.hidden==h)r.hidden=!h;\
    b.style.containIntrinsicHeight=k*2.3125+'rem';\
    n+=k}\
    if(n!=1)hit=0;\
    o.value=q&&(n?n+' shown':'Nothing matches')};\
    i.onkeydown=e=>{if(e.key=='Enter'&&i.value&&hit)hit.querySelector('a').click()};\
    (d.querySelector('header form')||s).before(o,i);\
    d.addEventListener('DOMContentLoaded',read);\
    d.addEventListener('keydown',e=>{\
    if(e.key=='/'&&e.target!=i&&!(e.ctrlKey||e.altKey||e.metaKey)){e.preventDefault();i.select()}});\
    d.addEventListener('mouseover',({target:t})=>{\
    if(t.localName=='time')t.title=new Date(t.dateTime).toLocaleString([],{dateStyle:'full',timeStyle:'long'})})\
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
        (super::breadcrumbs(target, mount_depth, "", &mut out), out)
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
