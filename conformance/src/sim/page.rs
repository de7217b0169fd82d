//! The page of a failure: the transcript of a world as one HTML file, with lanes for the peer, the engine, the handler
//! and the file system, from top to bottom in time.

use std::fmt::Write;
use std::time::Duration;

use super::replay::read_time;

/// The steps that are shown of each connection: half of them from its start, half from its end.
const STEPS_MAX: usize = 600;

/// The characters that are shown of each cell.
const CELL_MAX: usize = 400;

/// A row of the table.
#[derive(Clone, Debug, Default)]
struct Row {
    time: Option<Duration>,
    peer: String,
    engine: String,
    handler: String,
    fs: String,
    faults: String,
}

/// Returns the page of a transcript, with this message as its title.
pub(super) fn page(transcript: &str, title: &str) -> String {
    let (head, connections) = split(transcript);
    let mut page = String::from(START);
    let _ = write!(
        page,
        "<h1>{}</h1>\n<p>{}</p>\n",
        escape(title),
        escape(&head)
    );
    for lines in connections {
        write_connection(&mut page, &lines);
    }
    page.push_str("</main>\n</html>\n");
    page
}

/// Separates the lines about the world from those of each connection.
fn split(transcript: &str) -> (String, Vec<Vec<&str>>) {
    let (mut head, mut connections) = (String::new(), Vec::<Vec<&str>>::new());
    for line in transcript.lines() {
        match connections.last_mut() {
            _ if line.starts_with("connection\t") => connections.push(vec![line]),
            Some(connection) => connection.push(line),
            None => {
                let _ = write!(head, "{} ", line.trim_start_matches("# "));
            }
        }
    }
    (head, connections)
}

fn write_connection(page: &mut String, lines: &[&str]) {
    let (mut rows, mut about, mut replies) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        match line.strip_prefix("# ") {
            Some(text) if text.starts_with("handler: ") => rows.push(handler_row(text)),
            Some(text @ ("file_change" | "clock_jump")) => rows.push(Row {
                faults: text.into(),
                ..Row::default()
            }),
            Some(text) if text.starts_with("reply ") || text.starts_with("without faults: ") => {
                replies.push(text);
            }
            Some(text) => about.push(text),
            None => rows.extend(step_row(line)),
        }
    }
    let number = lines.first().and_then(|line| line.split('\t').nth(1));
    let number = number.unwrap_or_default();
    let _ = writeln!(page, "<h2>Connection {number}</h2>");
    for text in about {
        let _ = writeln!(page, "<p>{}</p>", escape(text));
    }
    write_table(page, &rows);
    write_replies(page, &replies);
}

fn handler_row(text: &str) -> Row {
    Row {
        handler: text.trim_start_matches("handler: ").into(),
        ..Row::default()
    }
}

/// Returns the row of a step, or of a call of `finish()`.
fn step_row(line: &str) -> Option<Row> {
    let columns: Vec<&str> = line.split('\t').collect();
    let (time, want) = (read_time(columns[0])?, *columns.get(1)?);
    let column = |at: usize| columns.get(at).copied().unwrap_or_default();
    let (argument, got, bytes) = (column(3), column(4), column(5));
    let mut row = Row {
        time: Some(time),
        faults: column(6).into(),
        ..Row::default()
    };
    let name = want.split(' ').next().unwrap_or_default();
    match name {
        "read" => row.peer = format!("{got} \u{2192} {bytes}"),
        "write" => row.peer = format!("{got} \u{2190} {argument}"),
        "copy" => {
            row.peer = format!("{got} \u{2190} from the file");
            row.fs = want.into();
        }
        "shutdown" | "close" | "upgrade" => row.peer = format!("{want} \u{2190}"),
        "log" | "wait" | "finish" => {}
        _ => row.fs = format!("{argument} \u{2192} {got} {bytes}"),
    }
    row.engine = match (name, read_time(column(2))) {
        ("log", _) => format!("log {argument}"),
        (_, None) => want.into(),
        (_, Some(deadline)) => format!("{want}, until {} s", deadline.as_secs_f64()),
    };
    Some(row)
}

fn write_table(page: &mut String, rows: &[Row]) {
    page.push_str(TABLE);
    let left_out = rows.len().saturating_sub(STEPS_MAX);
    let shown_first = STEPS_MAX / 2;
    let mut last = None;
    for (at, row) in rows.iter().enumerate() {
        if left_out > 0 && (shown_first..shown_first + left_out).contains(&at) {
            if at == shown_first {
                let gap = "<tr class=gap><td colspan=6>";
                let _ = writeln!(page, "{gap}{left_out} rows are left out</td></tr>");
            }
            continue;
        }
        if let (Some(time), Some(before)) = (row.time, last)
            && time > before
        {
            let later = time - before;
            let gap = "<tr class=gap><td colspan=6>";
            let _ = writeln!(page, "{gap}{later:?} later</td></tr>");
        }
        last = row.time.or(last);
        let time = row
            .time
            .map_or(String::new(), |time| format!("{:.6}", time.as_secs_f64()));
        let class = if row.faults.is_empty() {
            ""
        } else {
            " class=fault"
        };
        let _ = write!(page, "<tr{class}><td>{time}</td>");
        for cell in [&row.peer, &row.engine, &row.handler, &row.fs, &row.faults] {
            let _ = write!(page, "<td>{}</td>", cut(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn write_replies(page: &mut String, replies: &[&str]) {
    page.push_str("<h3>Replies, and the run without faults</h3>\n<ul>\n");
    for reply in replies {
        let differs = reply.ends_with("<- different");
        let class = if differs { " class=fault" } else { "" };
        let _ = writeln!(page, "<li{class}>{}</li>", cut(reply));
    }
    page.push_str("</ul>\n");
}

/// Returns the escaped start of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_MAX) {
        Some((end, _)) => escape(&text[..end]) + "\u{2026}",
        None => escape(text),
    }
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

const TABLE: &str = "<div class=scroll><table>\n<tr><th>Time (s)</th><th>Peer</th><th>Engine</th>\
    <th>Handler</th><th>File system</th><th>Faults</th></tr>\n";

const START: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>A simulated world</title>
<style>
:root { color-scheme: light dark; --line: #d0d4da; --soft: #f3f5f8; --fault: #fde7c8; --quiet: #5b6470; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4048; --soft: #20252b; --fault: #5a3d10; --quiet: #9aa4b0; }
}
body { font: 15px/1.45 system-ui, sans-serif; margin: 0; }
main { max-width: 1500px; margin: auto; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
h3 { font-size: 1rem; }
p, li { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; min-width: 60rem; table-layout: fixed; }
th { text-align: left; background: var(--soft); position: sticky; top: 0; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; vertical-align: top; }
td { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
th:nth-child(1) { width: 8rem; }
th:nth-child(6) { width: 8rem; }
td:first-child { color: var(--quiet); }
.gap td { color: var(--quiet); background: var(--soft); text-align: center; padding: .1rem; }
.fault td:last-child, li.fault { background: var(--fault); }
ul { font: 13px/1.5 ui-monospace, monospace; padding-left: 1.2rem; }
</style>
<main>
"#;

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn a_page_has_each_step_in_its_lane_and_nothing_of_the_peer_is_markup() {
        let transcript = "# sanserve transcript 2, seed 7\n# faults: short 1 in 1\n\
            connection\t0\thandler\t1\n# the peer sends 3 bytes: <b>\n\
            1000.000000000\tread 512\t1060.000000000\t\t3\t<b>\tshort0\n\
            # handler: begin <b> -> Done\n\
            1002.500000000\twrite 9\t1060.000000000\tHTTP/1.1\t8\t\t\n\
            # reply 0: 200\n# without faults: 204  <- different\n";
        let page = page(transcript, "seed 7 <failed>");
        for part in [
            "<h1>seed 7 &lt;failed&gt;</h1>",
            "<tr class=fault><td>1000.000000</td><td>3 \u{2192} &lt;b&gt;</td>\
             <td>read 512, until 1060 s</td><td></td><td></td><td>short0</td></tr>",
            "<td>begin &lt;b&gt; -&gt; Done</td>",
            "2.5s later",
            "<td>8 \u{2190} HTTP/1.1</td>",
            "<li class=fault>without faults: 204  &lt;- different</li>",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("<b>"), "{page}");
    }

    #[test]
    fn a_page_of_a_long_transcript_is_short() {
        let step = format!("1000.000000000\tread 512\t-\t\t3\t{}\t\n", "x".repeat(5000));
        let transcript = format!("connection\t0\n{}", step.repeat(5000));
        let page = page(&transcript, "");
        assert!(page.contains("4400 rows are left out"));
        assert!(page.len() < 600_000, "{} bytes", page.len());
    }
}
