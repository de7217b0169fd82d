//! Recordings that are written by hand, and what their replay reports.

use std::process::Command;
use std::time::Duration;

use sanserve_conformance::recording::Recording;
use sanserve_core::{Config, Event, Exchange, Files, Handler, Next, Timeouts, from_fn};

const HEADER: &str = "# sanserve recording 1\n";

/// Returns a recording of one connection with these events, which are written without their numbers.
fn recording(events: &str) -> String {
    let mut text = String::from(HEADER);
    let first = "0.000000000\tconnection\t192.0.2.1\tsanserve/0\thttp11=1";
    for (at, event) in [first].into_iter().chain(events.lines()).enumerate() {
        text.push_str(&format!("0\t{at}\t{event}\n"));
    }
    text + "end\t0\n"
}

/// Replays these events with a handler, and returns the differences.
fn differences<H: Handler>(events: &str, handler: impl Fn() -> H) -> Vec<String> {
    let recording = Recording::parse(&recording(events)).unwrap();
    let replay = recording.replay(|config| config, handler);
    replay.differences.into_iter().map(|it| it.text).collect()
}

const GET: &str = "0.000000000\tread\tGET /a HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\n";

/// A handler that replies with a field and content.
fn hello(ex: &mut Exchange<'_>) -> Next {
    ex.send_response(200);
    ex.send_header("Content-Length", 6);
    ex.end_headers();
    ex.write(b"hello\n");
    Next::Done
}

#[test]
fn each_part_of_a_reply_is_compared_except_its_date() {
    let reply = |status: &str, fields: &str, content: usize| {
        format!(
            "{GET}0.000000000\thead\tHTTP/1.1 {status}\\r\\nServer: sanserve/0\\r\\nDate: then\\r\\n\
             {fields}\\r\\n\n0.000000000\tcontent\t{content}\n0.000000000\teof\n0.000000000\tclose\n"
        )
    };
    let length = "Content-Length: 6\\r\\n";
    for (events, expected) in [
        (reply("200 OK", length, 6), None),
        (reply("200 Fine", length, 6), None),
        (reply("404 OK", length, 6), Some("status 404, now 200")),
        (
            reply("200 OK", "Content-Length: 6\\r\\nA: b\\r\\n", 6),
            Some("field `a: b`, now none"),
        ),
        (
            reply("200 OK", "Content-Length: 7\\r\\n", 7),
            Some("field `content-length: 7`, now `content-length: 6`"),
        ),
        (
            format!(
                "{}0.000000000\thead\tHTTP/1.1 200 OK\\r\\n\\r\\n\n",
                reply("200 OK", length, 6)
            ),
            Some("status 200, now no reply"),
        ),
        (
            format!("{GET}0.000000000\teof\n0.000000000\tclose\n"),
            Some("no reply, now status 200"),
        ),
    ] {
        let differences = differences(&events, || from_fn(hello));
        let differences: Vec<&str> = differences.iter().map(String::as_str).collect();
        assert_eq!(differences, expected.as_slice(), "{events}");
    }
}

#[test]
fn a_removed_value_equals_any_of_its_length() {
    let with_cookie = |ex: &mut Exchange<'_>| {
        ex.send_response(204);
        ex.send_header("Set-Cookie", "a=b");
        ex.end_headers();
        Next::Done
    };
    let events = |cookie: &str| {
        format!(
            "{GET}0.000000000\thead\tHTTP/1.1 204 No Content\\r\\nServer: sanserve/0\\r\\n\
             Set-Cookie: {cookie}\\r\\n\\r\\n\n0.000000000\teof\n0.000000000\tclose\n"
        )
    };
    let differences = |cookie: &str| differences(&events(cookie), || from_fn(with_cookie)).len();
    assert_eq!(["xxx", "xxxx", "a=b", "a=c"].map(differences), [0, 1, 0, 1]);
}

#[test]
fn a_reply_that_was_cut_off_is_compared_up_to_there() {
    let events = |content: usize, end: &str| {
        format!(
            "{GET}0.000000000\thead\tHTTP/1.1 200 OK\\r\\nServer: sanserve/0\\r\\nContent-Length: 6\\r\\n\
             \\r\\n\n0.000000000\tcontent\t{content}\n{end}"
        )
    };
    for end in [
        "0.000000000\tfailed\n0.000000000\tclose\n",
        "0.000000000\tdrop\n",
        "",
    ] {
        let found = differences(&events(3, end), || from_fn(hello));
        assert!(found.is_empty(), "{found:?}");
        let found = differences(&events(7, end), || from_fn(hello));
        assert_eq!(found, ["7 bytes of content, now 6"]);
    }
}

#[test]
fn events_after_a_gap_are_ignored() {
    let all = recording(&format!(
        "{GET}0.000000000\thead\tHTTP/1.1 404 Not Found\\r\\n\\r\\n\n0.000000000\tclose"
    ));
    let gap = all.replace("0\t2\t", "0\t3\t");
    let count = |text: &str| {
        let recording = Recording::parse(text).unwrap();
        let replay = recording.replay(|config| config, || from_fn(hello));
        (replay.replies, replay.differences.len())
    };
    assert_eq!((count(&all), count(&gap)), ((1, 1), (0, 0)));
}

#[test]
fn what_is_no_recording_is_refused() {
    for (text, message) in [
        ("", "this is not a recording of version 1"),
        (
            "# sanserve recording 2\n",
            "this is not a recording of version 1",
        ),
        (
            "# sanserve transcript 1\n",
            "this is not a recording of version 1",
        ),
        ("# sanserve recording 1\nend\tx\n", "line 2: invalid number"),
        (
            "# sanserve recording 1\nx\n",
            "line 2: not a line of a recording",
        ),
    ] {
        assert_eq!(Recording::parse(text).unwrap_err(), message);
    }
    let text = recording("0.000000000\tsomething\n");
    let error = Recording::parse(&text).unwrap_err();
    assert_eq!(error, "line 3: invalid event: something");
    // The last line may be incomplete.
    let recording = Recording::parse("# sanserve recording 1\nend\t1").unwrap();
    assert_eq!(recording.dropped(), None);
}

/// Replays these events with a timeout for heads, in seconds, and returns the first difference.
fn first_difference(events: &str, head_timeout: u64) -> String {
    let recording = Recording::parse(&recording(events)).unwrap();
    let timeouts = Timeouts::default().with_head(Duration::from_secs(head_timeout));
    let config = |config: Config| config.with_timeouts(timeouts);
    let replay = recording.replay(config, Files::new);
    let text = replay.differences.first().map(|it| it.text.clone());
    text.unwrap_or_default()
}

#[test]
fn a_recorded_deadline_passes() {
    let events = "0.000000000\tread\tGET /a HT\n\
                  30.000000000\tdeadline\n\
                  30.000000000\thead\tHTTP/1.1 200 OK\\r\\n\\r\\n\n\
                  30.000000000\tshutdown\n";
    for timeout in [30, 31] {
        assert_eq!(first_difference(events, timeout), "status 200, now 408");
    }
}

#[test]
fn a_timeout_that_is_shorter_now_is_noticed() {
    let events = "0.000000000\tread\tGET /a HT\n\
                  20.000000000\tread\tTP/1.1\\r\\nHost: a\\r\\n\\r\\n\n\
                  20.000000000\topen\ta\terror NotFound\n\
                  20.000000000\thead\tHTTP/1.1 200 OK\\r\\n\\r\\n\n\
                  20.000000000\tshutdown\n";
    assert_eq!(first_difference(events, 30), "status 200, now 404");
    assert_eq!(first_difference(events, 10), "status 200, now 408");
}

#[test]
fn questions_without_an_answer_are_named() {
    let events = format!(
        "{GET}0.000000000\topen\tb\terror NotFound\n\
         0.000000000\thead\tHTTP/1.1 200 OK\\r\\n\\r\\n\n0.000000000\tshutdown\n"
    );
    let expected = "status 200, now 404; asks the file system now: open \"a\"";
    assert_eq!(differences(&events, Files::new), [expected]);
}

/// Waits, and replies when it is woken or when its time is over.
struct Waits;

impl Handler for Waits {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Wait(Duration::from_secs(10))
    }

    fn resume(&mut self, ex: &mut Exchange<'_>, event: Event<'_>) -> Next {
        ex.send_response(if matches!(event, Event::Woken) {
            204
        } else {
            304
        });
        ex.end_headers();
        Next::Done
    }
}

#[test]
fn waiting_handlers_are_woken_as_recorded() {
    let events = |event: &str, status: u16| {
        format!(
            "{GET}{event}\n10.000000000\thead\tHTTP/1.1 {status} A\\r\\nServer: sanserve/0\\r\\n\\r\\n\n\
             10.000000000\teof\n10.000000000\tclose\n"
        )
    };
    for (event, status, other) in [
        ("1.000000000\twoken", 204, 304),
        ("10.000000000\tdeadline", 304, 204),
    ] {
        assert!(differences(&events(event, status), || Waits).is_empty());
        let found = differences(&events(event, other), || Waits);
        assert_eq!(found, [format!("status {other}, now {status}")]);
    }
}

#[test]
fn the_command_prints_the_differences_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        let path = folder.path().join("traffic.txt");
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sanserve-replay"));
        let output = command.arg(&path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let events = |answer: &str| {
        format!(
            "{GET}0.000000000\topen\ta\t{answer}\n0.000000000\thead\tHTTP/1.1 304 A\\r\\nServer: sanserve/0\\r\\n\\r\\n\n"
        )
    };
    let (code, text) = run(&recording(&events("error NotFound")));
    let expected = "connection 0, reply 0, \"GET /a HTTP/1.1\": status 304, now 404\n\
                    1 connection, 1 reply, 1 difference\n";
    assert_eq!((code, &*text), (Some(1), expected));
    let (code, text) = run(HEADER);
    assert_eq!(
        (code, &*text),
        (Some(0), "0 connections, 0 replies, 0 differences\n")
    );
    assert_eq!(run("").0, Some(2));
}

#[test]
fn the_command_prints_its_usage() {
    for option in ["-h", "--help"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sanserve-replay"));
        let output = command.arg(option).output().unwrap();
        assert!(output.status.success());
        assert!(output.stdout.starts_with(b"usage: sanserve-replay "));
    }
}

#[test]
fn the_recording_on_the_page_can_be_replayed() {
    let page = include_str!("../../docs/recording.md");
    let (_, text) = page
        .split_once("```text\n# sanserve recording 1\n")
        .unwrap();
    let (text, _) = text.split_once("```").unwrap();
    let recording = Recording::parse(&format!("{HEADER}{text}")).unwrap();
    let replay = recording.replay_command();
    assert_eq!((replay.connections, replay.replies), (1, 1));
    // Its head has only one of the fields.
    let difference = replay.differences.first().unwrap();
    let expected = "field `content-length: 5000`, now `server: sanserve/0.1.0`";
    assert_eq!(difference.text, expected);
}
