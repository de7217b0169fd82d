//! Tests of handlers that are asynchronous functions: content, replies, files, time, errors, and futures that are
//! dropped.

mod world;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use sanserve_core::{
    AsyncExchange, AsyncHandler, Config, Connection, Event, Exchange, Files, FsError, Got, Handler,
    HttpError, Limits, Next, Now, Path, Protocol, Want, from_async_fn,
};
use world::World;

type Result = std::result::Result<(), HttpError>;

fn http11() -> Config {
    Config::default().with_protocol(Protocol::Http11)
}

const GET: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n";

/// Runs a handler on these requests, and returns its world.
fn run<F, T>(function: F, input: &[u8]) -> World<AsyncHandler<F, T>>
where
    F: FnMut(AsyncExchange) -> T,
    T: Future<Output = Result>,
{
    let mut world = World::new(http11(), from_async_fn(function), input);
    world.run();
    world
}

fn path(name: &str) -> Path {
    Path::from_bytes(name.as_bytes().to_vec()).expect("a path")
}

#[test]
fn the_exchange_has_the_request() {
    let world = run(
        async |ex| {
            assert_eq!((ex.command(), ex.path()), ("GET", "/a?x=1&y=%C3%A9+z"));
            let query: Vec<_> = ex.query().into_owned().collect();
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            assert_eq!(query, [pair("x", "1"), pair("y", "\u{e9} z")]);
            assert_eq!(ex.header("HOST"), Some("h"));
            assert_eq!(ex.head().fields().len(), 1);
            assert_eq!(ex.client_address(), "192.0.2.1");
            assert_eq!(ex.now().tick, Duration::from_secs(1_000));
            ex.reply(200, "text/plain", "fine").await;
            Ok(())
        },
        b"GET //a?x=1&y=%C3%A9+z HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    let text = world.text();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    let fields = "Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nfine";
    assert!(text.ends_with(fields), "{text}");
}

/// Sends the content back while it is read.
async fn echo(ex: AsyncExchange) -> Result {
    ex.send_response(200);
    ex.end_headers();
    while let Some(piece) = ex.read().await {
        ex.write(&piece).await;
    }
    Ok(())
}

#[test]
fn content_is_read_and_written_in_pieces() {
    let content = b"0123456789".repeat(5_000);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let input = [head.as_bytes(), &content, GET].concat();
    for piece in [7, 1000, usize::MAX] {
        let mut world = World::new(http11(), from_async_fn(echo), &input);
        world.piece = piece;
        world.run();
        assert_eq!(world.statuses().len(), 2, "the connection stays open");
        let digits = world.output.iter().filter(|byte| byte.is_ascii_digit());
        assert!(digits.count() >= content.len());
    }
}

#[test]
fn content_that_is_too_long_becomes_a_413() {
    let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world";
    let collect = async |ex: AsyncExchange| {
        let content = ex.read_all(10).await?;
        ex.reply(200, "text/plain", content).await;
        Ok(())
    };
    assert!(run(collect, post).text().starts_with("HTTP/1.1 413 "));
    let short = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello worl";
    assert!(run(collect, short).text().ends_with("\r\n\r\nhello worl"));
    // The limit of the server: the future is not polled again.
    let config = http11().with_limits(Limits::default().with_content(5));
    let mut world = World::new(config, from_async_fn(echo), post);
    world.run();
    assert!(world.text().starts_with("HTTP/1.1 413 "));
}

#[test]
fn a_client_that_waits_for_100_gets_it_when_content_is_awaited() {
    let input =
        b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
    let late = async |ex: AsyncExchange| {
        ex.send_response_only(103, "Early Hints");
        ex.end_headers();
        let content = ex.read_all(10).await?;
        ex.reply(200, "text/plain", content).await;
        Ok(())
    };
    let statuses = run(late, input).statuses();
    let expected = [
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 103 Early Hints",
        "HTTP/1.1 200 OK",
    ];
    let mut sorted = statuses.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{statuses:?}");
    assert_eq!(statuses[2], "HTTP/1.1 200 OK");
    // Refused without a 100.
    let refuse = async |_| Err(HttpError::status(417));
    assert_eq!(
        run(refuse, input).statuses(),
        ["HTTP/1.1 417 Expectation Failed"]
    );
}

#[test]
fn a_long_reply_is_written_as_fast_as_the_peer_reads() {
    let mut world = World::new(
        http11(),
        from_async_fn(async |ex: AsyncExchange| {
            ex.reply(200, "text/plain", vec![b'x'; 1 << 20]).await;
            Ok(())
        }),
        GET,
    );
    world.piece = 700;
    world.run();
    let text = world.text();
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("Content-Length: 1048576"), "{head}");
    assert_eq!(content.len(), 1 << 20);
    let held = world.idle_bytes;
    assert!(held < 100_000, "{held} bytes are buffered");
}

#[test]
fn files_are_opened_read_sent_and_listed() {
    let send = async |ex: AsyncExchange| {
        let meta = ex.open(path("hello.txt")).await?;
        ex.send_response(200);
        ex.send_header("Content-Length", 2 * meta.len);
        ex.end_headers();
        ex.send_file(0..meta.len).await;
        while let Some(piece) = ex.read_file().await {
            ex.write(&piece).await;
        }
        Ok(())
    };
    let text = run(send, GET).text();
    assert!(text.ends_with("\r\n\r\nhello\n"), "{text}");

    let send_big = async |ex: AsyncExchange| {
        let meta = ex.open(path("sent")).await?;
        ex.send_response(200);
        ex.send_header("Content-Length", meta.len);
        ex.end_headers();
        ex.send_file(0..meta.len).await;
        Ok(())
    };
    let world = run(send_big, GET);
    assert_eq!(world.writes_before_copy, 1, "it is sent by reference");
    assert!(world.output.len() > 1 << 20);

    let list = async |ex: AsyncExchange| {
        assert_eq!(ex.open(path("dir")).await, Err(FsError::NotRegularFile));
        let names: Vec<_> = ex
            .list(path(""))
            .await?
            .iter()
            .map(|entry| entry.name.to_vec())
            .collect();
        ex.reply(200, "text/plain", names.concat()).await;
        Ok(())
    };
    assert!(run(list, GET).text().ends_with("\r\n\r\ndir"));
}

#[test]
fn an_error_of_the_file_system_has_its_status() {
    for (name, status) in [
        ("none", "404 Not Found"),
        ("out", "404 Not Found"),
        ("dir", "409 Conflict"),
    ] {
        let open = async |ex: AsyncExchange| {
            ex.open(path(name)).await?;
            Ok(())
        };
        let world = run(open, &GET.repeat(2));
        let status = format!("HTTP/1.1 {status}");
        assert_eq!(
            world.statuses(),
            [&*status, &*status],
            "the connection stays open"
        );
    }
    let list = async |ex: AsyncExchange| {
        ex.list(path("hello.txt")).await?;
        Ok(())
    };
    assert!(run(list, GET).text().starts_with("HTTP/1.1 409 "));
}

#[test] // RFC 9110 §15.5.4, §15.5.10, §15.6; RFC 4918 §11.5 has 507
fn each_error_of_the_file_system_has_a_status() {
    for (error, status) in [
        (FsError::TooLong, 404),
        (FsError::InvalidName, 404),
        (FsError::Forbidden, 403),
        (FsError::Exists, 409),
        (FsError::Unsupported, 501),
        (FsError::NoResources, 503),
        (FsError::TooMany, 503),
        (FsError::NoSpace, 507),
        (FsError::Io, 500),
    ] {
        let text = run(async |_| Err(error)?, GET).text();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
}

#[test]
fn another_error_is_a_500_whose_text_is_only_logged() {
    let fail = async |_: AsyncExchange| {
        let number: u32 = "x1".parse()?;
        panic!("{number}");
    };
    let world = run(fail, GET);
    let text = world.text();
    assert!(
        text.starts_with("HTTP/1.1 500 Internal Server Error\r\n"),
        "{text}"
    );
    assert!(!text.contains("digit"), "{text}");
    assert!(world.log.contains("invalid digit"), "{}", world.log);
}

#[test]
fn an_error_after_the_head_replaces_a_reply_of_which_nothing_was_sent() {
    let late = async |ex: AsyncExchange| {
        ex.send_response(200);
        ex.end_headers();
        ex.write(b"half").await;
        Err(HttpError::new(502, "The other server has failed"))
    };
    let text = run(late, GET).text();
    assert!(
        text.starts_with("HTTP/1.1 502 The other server has failed\r\n"),
        "{text}"
    );
    assert!(!text.contains("half"), "{text}");
    let later = async |ex: AsyncExchange| {
        ex.send_response(200);
        ex.end_headers();
        ex.write(b"half").await;
        ex.flush().await;
        Err(HttpError::new(502, "The other server has failed"))
    };
    let world = run(later, &GET.repeat(2));
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK"]);
    // RFC 9112 §8: without the last chunk, the reply is known to be incomplete.
    assert!(
        world.text().ends_with("\r\n\r\n4\r\nhalf\r\n"),
        "{}",
        world.text()
    );
    assert!(
        world.log.contains("The other server has failed"),
        "{}",
        world.log
    );
}

#[test]
fn a_missing_reply_is_a_logged_mistake() {
    let world = run(async |_| Ok(()), GET);
    assert!(world.text().starts_with("HTTP/1.1 500 "));
    assert!(world.log.contains("sent no reply"), "{}", world.log);
    // A mistake ends the reply although the future would go on.
    let wrong = async |ex: AsyncExchange| {
        ex.send_header("X", "1");
        pending().await
    };
    let world = run(wrong, GET);
    assert!(
        world.log.contains("send_header() outside of a head"),
        "{}",
        world.log
    );
    assert_eq!(world.now, Duration::from_secs(1_000), "at once");
}

#[test]
fn time_passes_without_a_runtime() {
    let wait = async |ex: AsyncExchange| {
        let start = ex.now().tick;
        ex.send_response(200);
        ex.end_headers();
        ex.sleep(Duration::from_secs(5)).await;
        assert_eq!(ex.now().tick - start, Duration::from_secs(5));
        let slow = ex.timeout(Duration::from_secs(2), pending::<()>()).await;
        assert_eq!(
            (slow, ex.now().tick - start),
            (None, Duration::from_secs(7))
        );
        let nested = ex.timeout(Duration::from_secs(9), ex.sleep(Duration::from_secs(3)));
        assert_eq!(nested.await, Some(()));
        let nested = ex.timeout(Duration::from_secs(1), ex.sleep(Duration::from_secs(3)));
        assert_eq!(nested.await, None);
        ex.sleep(Duration::ZERO).await;
        let passed = ex.now().tick - start;
        ex.write(format!("{passed:?}").as_bytes()).await;
        Ok(())
    };
    let text = run(wait, GET).text();
    assert!(text.contains("11s"), "{text}");
}

/// Notes when it is dropped.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Returns the number of futures that have been dropped when a connection, whose peer then sends nothing more, wants to
/// write the first byte of this text, or wants to read again if there is none. The futures reply 200 and then wait.
fn drops_before(input: &[u8], text: Option<&str>) -> u32 {
    let count = Rc::new(Cell::new(0));
    let drops = Rc::clone(&count);
    let handler = from_async_fn(move |ex: AsyncExchange| {
        let guard = Dropped(Rc::clone(&drops));
        async move {
            let _guard = guard;
            if ex.command() == "POST" {
                ex.read_all(1000).await?;
            }
            ex.send_response(200);
            ex.end_headers();
            ex.write(&[b'x'; 100_000]).await; // ignored after HEAD
            pending().await
        }
    });
    let mut conn = Connection::<(), _>::new(http11(), "192.0.2.1", handler);
    let (mut rest, mut got, mut is_eof) = (input, Got::Nothing, false);
    loop {
        got = match conn.step(Now::default(), got).want {
            Want::Read(_) if rest.is_empty() && text.is_none() => return count.get(),
            Want::Read(into) => {
                let n = rest.len().min(into.len());
                into[..n].copy_from_slice(&rest[..n]);
                rest = &rest[n..];
                assert!(n > 0 || !is_eof, "the end was read before");
                is_eof = n == 0;
                Got::Bytes(n)
            }
            Want::Write(from) => match text {
                Some(text) if from.starts_with(text.as_bytes()) => return count.get(),
                _ => Got::Bytes(from.len()),
            },
            Want::Log(_) => Got::Nothing,
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn the_future_of_an_abandoned_reply_is_dropped_at_once() {
    let post = "POST / HTTP/1.1\r\nHost: h\r\n";
    let incomplete = format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello");
    assert_eq!(
        drops_before(incomplete.as_bytes(), Some("HTTP/1.1 400 ")),
        1
    );
    let long = format!("{post}Content-Length: 9999999999\r\n\r\n");
    assert_eq!(drops_before(long.as_bytes(), Some("HTTP/1.1 413 ")), 1);
}

#[test]
fn the_future_of_a_reply_to_head_is_dropped_at_its_end() {
    let head = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(drops_before(head, None), 1);
}

#[test]
fn a_dropped_wait_for_content_loses_none() {
    let twice = async |ex: AsyncExchange| {
        let mut lost = Box::pin(ex.read());
        // Polled until the content is there, but never asked for it.
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            match polls {
                1 => lost.as_mut().poll(context).map(|_| ()),
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(lost);
        let content = ex.read_all(100).await?;
        ex.reply(200, "text/plain", content).await;
        Ok(())
    };
    let input = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    let text = run(twice, input).text();
    assert!(text.ends_with("\r\n\r\nhello"), "{text}");
}

#[test]
fn operations_in_tasks_of_their_own_are_woken() {
    /// Polls a future only if its own waker was woken.
    struct Flag(
        std::sync::atomic::AtomicBool,
        std::sync::Mutex<Option<Waker>>,
    );
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            if let Some(outer) = self.1.lock().unwrap().take() {
                outer.wake();
            }
        }
    }
    async fn in_task<T>(work: impl Future<Output = T>) -> T {
        let flag = Arc::new(Flag(true.into(), None.into()));
        let waker = Waker::from(Arc::clone(&flag));
        let mut work = pin!(work);
        poll_fn(|context| {
            *flag.1.lock().unwrap() = Some(context.waker().clone());
            match flag.0.swap(false, std::sync::atomic::Ordering::SeqCst) {
                true => work.as_mut().poll(&mut Context::from_waker(&waker)),
                false => Poll::Pending,
            }
        })
        .await
    }
    let both = async |ex: AsyncExchange| {
        ex.send_response(200);
        ex.end_headers();
        let mut first = pin!(in_task(ex.list(path(""))));
        let mut second = pin!(in_task(ex.list(path("dir"))));
        let mut counts = [None; 2];
        poll_fn(|context| {
            // The second one is polled first, while the first operation is in progress.
            if counts[1].is_none()
                && counts[0].is_some()
                && let Poll::Ready(entries) = second.as_mut().poll(context)
            {
                counts[1] = Some(entries.unwrap().len());
            }
            if counts[0].is_none()
                && let Poll::Ready(entries) = first.as_mut().poll(context)
            {
                counts[0] = Some(entries.unwrap().len());
                context.waker().wake_by_ref();
            }
            match counts {
                [Some(_), Some(_)] => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        in_task(ex.sleep(Duration::from_secs(1))).await;
        ex.write(format!("{counts:?}").as_bytes()).await;
        Ok(())
    };
    let world = run(both, GET);
    assert!(
        world.text().contains("[Some(1), Some(0)]"),
        "{}",
        world.text()
    );
}

#[test]
fn two_operations_at_once_are_performed_one_after_the_other() {
    let both = async |ex: AsyncExchange| {
        let (mut first, mut second) = (pin!(ex.list(path(""))), pin!(ex.open(path("hello.txt"))));
        let (mut entries, mut meta, mut polls) = (None, None, 0);
        poll_fn(|context| {
            polls += 1;
            // From now on it is polled before the first one, and still finds that in progress when it has ended.
            if polls > 1
                && meta.is_none()
                && let Poll::Ready(opened) = second.as_mut().poll(context)
            {
                meta = Some(opened);
            }
            if entries.is_none()
                && let Poll::Ready(listed) = first.as_mut().poll(context)
            {
                entries = Some(listed);
            }
            match (&entries, &meta) {
                (Some(_), Some(_)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        let text = format!("{} {}", entries.unwrap()?.len(), meta.unwrap()?.len);
        ex.reply(200, "text/plain", text).await;
        Ok(())
    };
    let world = run(both, GET);
    assert!(world.text().ends_with("\r\n\r\n1 6"), "{}", world.text());
    assert_eq!(world.now, Duration::from_secs(1_000), "at once");
}

/// Waits for this time, again and again.
struct WaitsFor(Duration);

impl Handler for WaitsFor {
    fn begin(&mut self, _: &mut Exchange<'_>) -> Next {
        Next::Wait(self.0)
    }

    fn resume(&mut self, _: &mut Exchange<'_>, event: Event<'_>) -> Next {
        match event {
            Event::TimedOut => Next::Done,
            _ => Next::Wait(self.0),
        }
    }
}

#[test]
fn another_handler_answers_what_is_delegated() {
    let input = b"GET /hello.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=1-2\r\n\r\nGET /dir HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut plain = World::new(http11(), Files::new(), input);
    plain.run();
    let delegate = async |ex: AsyncExchange| {
        ex.delegate(Files::new()).await;
        Ok(())
    };
    assert_eq!(run(delegate, input).text(), plain.text());
    assert!(plain.text().contains("206 Partial Content"));
    // A wait of the other handler ends at its time, also within an earlier timeout.
    let waits = async |ex: AsyncExchange| {
        let handler = WaitsFor(Duration::from_secs(20));
        let done = ex
            .timeout(Duration::from_secs(3), ex.delegate(handler))
            .await;
        assert_eq!(done, None);
        ex.reply(504, "text/plain", "late").await;
        Ok(())
    };
    let mut world = World::new(http11(), from_async_fn(waits), GET);
    assert!(world.run() >= Duration::from_secs(3));
    assert!(world.text().starts_with("HTTP/1.1 504 "));
}

#[test]
fn an_exchange_outside_of_its_request_has_no_effect() {
    let escaped = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&escaped);
    let keep = move |ex: AsyncExchange| {
        let kept = Rc::clone(&kept);
        async move {
            let other = kept.borrow_mut().take();
            if let Some(other) = &other {
                let other: &AsyncExchange = other;
                other.send_response(500);
                assert_eq!(other.path(), "/a?b", "its request is kept");
            }
            ex.reply(200, "text/plain", "x").await;
            *kept.borrow_mut() = Some(ex);
            Ok(())
        }
    };
    let world = run(
        keep,
        &[GET, b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n"].concat(),
    );
    assert_eq!(world.statuses(), ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
    let ex = escaped.take().expect("an exchange");
    assert_eq!(ex.path(), "/second");
    ex.send_response(200);
    let mut waiting = pin!(ex.flush());
    let polled = waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

#[test]
fn a_handler_is_send_if_its_future_is() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&from_async_fn(echo));
    is_send(&from_async_fn(async |ex: AsyncExchange| {
        ex.timeout(Duration::from_secs(1), ex.open(path("a")))
            .await
            .transpose()?;
        ex.delegate(Files::new()).await;
        Ok(())
    }));
}
