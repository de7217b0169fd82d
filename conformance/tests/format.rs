//! Tests the notation for bytes, the comparison of replies with patterns, and the parsers of cases and divergences.

use sanserve_conformance::{Case, Pattern, case, divergence, text};
use std::panic::catch_unwind;

fn pattern(written: &str) -> Pattern {
    Pattern::new(text::tokens(written).expect("the notation is valid"))
}

fn matches(written: &str, got: &[u8]) -> bool {
    pattern(written).compare(got).is_ok()
}

fn parse_one(content: &str) -> Case {
    let mut cases = case::read("test.case", content);
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// Returns the panic message when these cases are parsed.
fn parse_error(content: &'static str) -> String {
    let panic =
        catch_unwind(|| case::read("test.case", content)).expect_err("the cases are invalid");
    *panic.downcast::<String>().expect("the panic has a message")
}

#[test]
fn escapes_are_parsed() {
    assert_eq!(
        text::bytes(r"a\r\n\t\\\*\x00\xfF*").as_deref(),
        Ok(&b"a\r\n\t\\*\x00\xff*"[..])
    );
    assert_eq!(text::bytes("ü").as_deref(), Ok(&b"\xc3\xbc"[..]));
}

#[test]
fn repetitions_are_parsed() {
    assert_eq!(text::bytes(r"<\{a*3}>").as_deref(), Ok(&b"<aaa>"[..]));
    assert_eq!(
        text::bytes(r"\{x\r\n*2}").as_deref(),
        Ok(&b"x\r\nx\r\n"[..])
    );
    assert_eq!(
        text::bytes(r"\{a\{b*2}}*2}").as_deref(),
        Ok(&b"abb}abb}"[..])
    );
    assert_eq!(text::bytes(r"\{\**2}\{y*0}").as_deref(), Ok(&b"**"[..]));
    assert_eq!(
        text::bytes(r"\{a*65530}").map(|bytes| bytes.len()),
        Ok(65_530)
    );
}

#[test]
fn invalid_escapes_are_rejected() {
    for bad in [
        r"\", r"\q", r"\x", r"\xg0", r"\x1", r"\x+1", r"\{a", r"\{a*", r"\{a*3", r"\{a*}",
        r"\{a*-1}", r"\{a}",
    ] {
        assert!(text::bytes(bad).is_err(), "{bad}");
    }
}

#[test]
fn formatted_bytes_are_parsed_back() {
    let all: Vec<u8> = (0..=255).chain("ü\u{85}\u{fffd}*\\".bytes()).collect();
    let shown = text::show(&all);
    assert_eq!(text::bytes(&shown).as_deref(), Ok(&all[..]), "{shown}");
    assert!(shown.ends_with(r"ü\xc2\x85\xef\xbf\xbd\*\\"), "{shown}");
    assert!(matches(&shown, &all));
}

#[test]
fn a_wildcard_matches_one_or_more_bytes_of_a_line() {
    assert!(matches("Server: *\\r\\n", b"Server: x\r\n"));
    assert!(matches(
        "Server: *\\r\\n",
        b"Server: some thing/1.0 \xff\r\n"
    ));
    assert!(!matches("Server: *\\r\\n", b"Server: \r\n"));
    assert!(!matches("Server: *\\r\\n", b"Server: a\rb\r\n"));
    assert!(!matches("Server: *x", b"Server: a\nx"));
    assert!(!matches("a*b", b"a\nb"));
    assert!(!matches("*", b""));
    assert!(!matches("a*", b"a"));
    assert!(!matches("a", b"ab"));
}

#[test]
fn a_wildcard_matches_as_much_as_necessary() {
    assert!(matches("*ab*ab\\r\\n*", b"xababab\r\nz"));
    assert!(matches("*.", b"a.b.c."));
    assert!(matches("* *", b"  a "));
    assert!(!matches("*ab*ab", b"xab"));
    assert!(matches("**", b"ab"));
    assert!(!matches("**", b"a"));
    assert!(matches(r"\*", b"*"));
    assert!(!matches(r"\*", b"a"));
}

#[test]
fn the_difference_of_the_best_match_is_reported() {
    let difference = pattern("A\\nServer: *\\r\\nB")
        .compare(b"A\nServer: x\r\nC")
        .expect_err("C is not B");
    assert_eq!((difference.at, difference.line), (13, 3));
    assert_eq!(
        (difference.before.as_str(), difference.expected.as_str()),
        ("A\\nServer: x\\r\\n", "B")
    );
    assert_eq!(difference.got, "C");
    let missing = pattern("ab*")
        .compare(b"ab")
        .expect_err("the rest is missing");
    assert_eq!(
        (missing.expected.as_str(), missing.got.as_str()),
        ("*", "(nothing more)")
    );
}

#[test]
fn a_case_is_parsed() {
    let case = parse_one(
        "\n# no\ncase  a b\noption protocol HTTP/1.1\noption  x  a\\x20\nhandler echo\nno-half-close\n\
                    > GET\\x20\n>\t/ *\n< a*\n<+ b\n< c\nlog \"G\\xc3\\xbc\" 200 -\nlog two\n",
    );
    assert_eq!(case.name, "a b");
    assert_eq!(
        (case.option("protocol"), case.option("x"), case.option("y")),
        (Some("HTTP/1.1"), Some("a "), None)
    );
    assert_eq!(
        (case.handler.as_str(), case.half_close, case.recorded),
        ("echo", false, false)
    );
    assert_eq!(case.request, b"GET / *");
    assert_eq!(
        (case.reply, case.cpython_reply),
        (pattern("a*bc"), pattern("a*c"))
    );
    assert_eq!(case.log, ["\"Gü\" 200 -", "two"]);
}

#[test]
fn omitted_lines_of_a_case_have_defaults() {
    let case = parse_one("recorded\ncase a\n");
    assert_eq!(
        (case.handler.as_str(), case.half_close, case.recorded),
        ("files", true, true)
    );
    assert_eq!(
        (case.reply, case.cpython_reply),
        (Pattern::default(), Pattern::default())
    );
}

#[test]
fn an_invalid_line_is_reported_with_its_number() {
    assert_eq!(
        parse_error("case a\n\n> x \n"),
        "test.case:3: the line ends with a space: write it as \\x20"
    );
    assert_eq!(
        parse_error("case a\n> \\q\n"),
        "test.case:2: unknown escape: \\q"
    );
    assert_eq!(
        parse_error("> a\n"),
        "test.case:1: this line must follow a case line"
    );
    assert_eq!(
        parse_error("case a\nwhat x\n"),
        "test.case:2: unknown keyword"
    );
    assert_eq!(
        parse_error("case a\nrecorded\n"),
        "test.case:2: unknown keyword"
    );
    assert_eq!(parse_error("case\n"), "test.case:1: a case needs a name");
    assert_eq!(
        parse_error("case a\nlog \\xff\n"),
        "test.case:2: this must be UTF-8"
    );
    assert_eq!(
        parse_error("case a\n x\n"),
        "test.case:2: the line begins with a space"
    );
}

#[test]
fn a_rejected_request_has_a_reply_a_log_and_a_second_request() {
    let case = parse_one(
        "case a\noption protocol HTTP/1.1\n> A\\x01\\xe9\\\\\\r\\n\\r\\n\nrejects-and-closes 400 No '\\\\x01'\n",
    );
    let text: Vec<u8> = case
        .reply
        .tokens()
        .iter()
        .map(|token| token.unwrap_or(b'*'))
        .collect();
    let text = String::from_utf8(text).expect("a page is UTF-8");
    assert!(
        text.starts_with("HTTP/1.1 400 No '\\x01'\r\nServer: *\r\n"),
        "{text}"
    );
    assert!(text.ends_with("</html>\n"), "{text}");
    assert_eq!(
        case.log,
        [
            "code 400, message No '\\\\x01'",
            "\"A\\x01\u{e9}\\\\\" 400 -"
        ]
    );
    let sent = b"A\x01\xe9\\\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(case.request, sent);
    let head = parse_one("case a\n> HEAD x\\r\\n\nrejects-and-closes 404 No\n");
    let tokens = head.reply.tokens();
    assert!(
        tokens.ends_with(pattern("\\r\\n\\r\\n").tokens()),
        "no content"
    );
    assert!(
        parse_error("case a\nrejects-and-closes 400 No\n")
            .contains("must begin with a request line")
    );
}

#[test]
fn each_value_makes_a_case() {
    let cases = case::read(
        "test.case",
        "case a\neach \\x41*\n> \\@\\@\nlog \\@\neach b c\ncase d\n> \\n\n",
    );
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["a \\x41*", "a b c", "d"]);
    assert_eq!(cases[0].request, b"A*A*");
    assert_eq!(
        (&cases[1].request[..], &cases[1].log[0][..]),
        (&b"b cb c"[..], "b c")
    );
    assert_eq!(cases[2].request, b"\n");
}

#[test]
fn two_pauses_without_bytes_between_them_are_rejected() {
    for (lines, is_valid) in [
        ("pause 1\n> b\nawait 1\n", true),
        ("pause 1\nawait 1\n", false),
        ("await 1\npause 1\n", false),
    ] {
        let read = catch_unwind(|| case::read("test.case", &format!("case a\n> a\n{lines}")));
        assert_eq!(read.is_ok(), is_valid, "{lines}");
    }
}

#[test]
fn a_divergence_is_parsed() {
    let all = divergence::read(
        "d.txt",
        "case a\nreason one\nreason two\n< x\n<+ y*\nlog l\n\ncase b\nreason r\n",
    );
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all[0].case.as_str(), all[0].reason.as_str()),
        ("a", "one two")
    );
    assert_eq!(
        (&all[0].reply, &all[0].log),
        (&pattern("xy*"), &vec!["l".to_string()])
    );
    assert_eq!((&all[1].reply, all[1].log.len()), (&Pattern::default(), 0));
}

#[test]
fn a_divergence_needs_a_reason() {
    assert!(catch_unwind(|| divergence::read("d.txt", "case a\n< x\n")).is_err());
}

#[test]
fn exactly_240_cases_are_recorded() {
    let cases = case::all();
    let recorded: Vec<_> = cases.iter().filter(|case| case.recorded).collect();
    assert_eq!(recorded.len(), 240);
    let longest = recorded.iter().map(|case| case.request.len()).max();
    assert_eq!(longest, Some(1_200_126 + "Host: x\r\n".len()));
}
