//! The common start and style of the HTML of listings and error pages.

/// The start of a page.
pub(crate) const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%230f766e'/%3E%3Cpath d='M8 11h16M8 16h10M8 21h13' stroke='white' stroke-width='3'/%3E%3C/svg%3E">
"#;

/// The style of all pages. Content security policies that allow it contain its hash.
pub(crate) const STYLE: &str = "<style>\
    :root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#59636e;--line:#e1e5ea;--link:#0f766e;--over:#f1f6f5}\
    @media(prefers-color-scheme:dark){:root{--back:#15181c;--text:#e4e8ec;--soft:#9aa5b1;--line:#2b3138;--link:#5eead4;--over:#1d2428}}\
    *{box-sizing:border-box}\
    body{margin:0;background:var(--back);color:var(--text);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
    main{max-width:64rem;margin:auto;padding:2rem 1rem 4rem}\
    h1{margin:0 0 1rem;font-size:1.5rem}\
    p{margin:.5rem 0}\
    p a{display:inline-block;margin-inline-end:1rem}\
    a{color:var(--link);text-decoration:none}\
    a:hover{text-decoration:underline}\
    :focus-visible{outline:2px solid var(--link);outline-offset:-2px;border-radius:4px}\
    @media print{main{padding:0}}\
    </style>\n";
