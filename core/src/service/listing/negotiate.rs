//! [`Sorting`], [`View`] and [`Format`]: determine the order, the view and the media type in which a client requests a
//! listing.

use crate::engine::Exchange;
use crate::text::qvalue::{WHITESPACE, parse_qvalue};

/// The key by which entries are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Key {
    #[default]
    Name,
    Size,
    Time,
}

/// The direction of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sorting {
    pub(super) key: Key,
    pub(super) descending: bool,
}

/// What the page shows of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum View {
    /// A line.
    #[default]
    List,
    /// A card, with the picture if it is one.
    Pictures,
}

/// The media type of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Html,
    Json,
    Text,
}

impl Sorting {
    /// Parses `?sort=size&order=desc`, or `?sort=size-desc`, which a button can send. `pictures` in place of `sort`
    /// requests the other view. Unknown values are ignored.
    pub(super) fn of(ex: &Exchange<'_>) -> (Self, View) {
        let (mut sorting, mut view) = (Sorting::default(), View::default());
        for parameter in parameters(ex) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("sort", by) => {
                    view = View::List;
                    sorting.set_key(by);
                }
                ("pictures", by) => {
                    view = View::Pictures;
                    sorting.set_key(by);
                }
                ("order", order) => sorting.set_order(order),
                _ => {}
            }
        }
        (sorting, view)
    }

    fn set_key(&mut self, by: &str) {
        let (key, order) = by.split_once('-').unwrap_or((by, ""));
        self.key = match key {
            "name" => Key::Name,
            "size" => Key::Size,
            "time" => Key::Time,
            _ => return,
        };
        self.set_order(order);
    }

    fn set_order(&mut self, order: &str) {
        match order {
            "asc" => self.descending = false,
            "desc" => self.descending = true,
            _ => {}
        }
    }
}

impl View {
    /// Returns the query that requests this view in this order.
    pub(super) fn query(self, sorting: Sorting) -> &'static str {
        match (self, sorting.key, sorting.descending) {
            (View::List, Key::Name, false) => "?sort=name-asc",
            (View::List, Key::Name, true) => "?sort=name-desc",
            (View::List, Key::Size, false) => "?sort=size-asc",
            (View::List, Key::Size, true) => "?sort=size-desc",
            (View::List, Key::Time, false) => "?sort=time-asc",
            (View::List, Key::Time, true) => "?sort=time-desc",
            (View::Pictures, Key::Name, false) => "?pictures=name-asc",
            (View::Pictures, Key::Name, true) => "?pictures=name-desc",
            (View::Pictures, Key::Size, false) => "?pictures=size-asc",
            (View::Pictures, Key::Size, true) => "?pictures=size-desc",
            (View::Pictures, Key::Time, false) => "?pictures=time-asc",
            (View::Pictures, Key::Time, true) => "?pictures=time-desc",
        }
    }
}

impl Format {
    /// Returns the format that `?json` or the `Accept` field requests (RFC 9110 §12.5.1), and whether the field was
    /// considered.
    pub(super) fn of(ex: &Exchange<'_>) -> (Self, bool) {
        if parameters(ex).any(|parameter| parameter == "json") {
            return (Format::Json, false);
        }
        let offers = [
            (Format::Html, "text/html"),
            (Format::Json, "application/json"),
            (Format::Text, "text/plain"),
        ];
        let (mut best, mut best_quality) = (Format::Html, (0, 0));
        for (format, name) in offers {
            let quality = quality_of(ex, name);
            if quality.0 > 0 && quality > best_quality {
                (best, best_quality) = (format, quality);
            }
        }
        (best, true)
    }
}

fn parameters<'a>(ex: &Exchange<'a>) -> impl Iterator<Item = &'a str> {
    let query = ex.path().split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    query.split('&')
}

/// Returns the client's quality value for this media type, in thousandths, and the precision of the matching range: a
/// client that names one type and accepts all others prefers the named one.
fn quality_of(ex: &Exchange<'_>, name: &str) -> (u16, u8) {
    let (mut weight, mut exact) = (0, 0);
    for range in ex.head.fields().list("Accept") {
        let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
        let range = range.trim_matches(WHITESPACE);
        let exactness = match range.strip_suffix('*') {
            None if range.eq_ignore_ascii_case(name) => 3,
            Some("*/") => 1,
            Some(above) => match name.get(..above.len()) {
                Some(start) if above.ends_with('/') && start.eq_ignore_ascii_case(above) => 2,
                _ => continue,
            },
            None => continue,
        };
        let mut parameters = parameters
            .split(';')
            .map(|one| one.trim_matches(WHITESPACE));
        let q = parameters.find(|one| one.get(..2).is_some_and(|q| q.eq_ignore_ascii_case("q=")));
        if let Some(quality) = parse_qvalue(q.unwrap_or_default())
            && exactness > exact
        {
            (weight, exact) = (quality, exactness);
        }
    }
    (weight, exact)
}
