//! The handlers of cases as asynchronous functions: those of the module `handlers` once more, and all others by
//! delegation. Their replies are the same.

#[cfg(feature = "std")]
use core::future::poll_fn;
#[cfg(feature = "std")]
use core::task::{Poll, Waker};
use core::time::Duration;

use sanserve_core::{AsyncExchange, HttpError};

use crate::setup::Setup;

type Result = core::result::Result<(), HttpError>;

/// Answers a request as the handler of this setup does.
pub(crate) async fn answer(ex: AsyncExchange, setup: Setup) -> Result {
    match setup.handler {
        "echo" => echo(&ex).await?,
        "stream" => stream(&ex).await,
        "target" => target(&ex).await,
        "large" => large(&ex, 2_000_000).await,
        "endless" => large(&ex, 1_000_000_000_000).await,
        "waits-long" => waits_long(&ex).await,
        #[cfg(feature = "std")]
        "wakes" => wakes(&ex).await?,
        #[cfg(feature = "std")]
        "wakes-later" => wakes_later(&ex).await?,
        #[cfg(feature = "std")]
        "waits" => waits(&ex).await,
        #[cfg(feature = "std")]
        "writes" => writes(&ex).await,
        _ => ex.delegate(setup.handler_for_any_host()).await,
    }
    Ok(())
}

async fn send(ex: &AsyncExchange, content: &[u8]) {
    ex.send_response(200);
    ex.send_header("Content-Length", content.len());
    ex.end_headers();
    ex.write(content).await;
}

async fn echo(ex: &AsyncExchange) -> Result {
    let content = ex.read_all(usize::MAX).await?;
    send(ex, &content).await;
    Ok(())
}

async fn stream(ex: &AsyncExchange) {
    ex.send_response(200);
    ex.end_headers();
    while let Some(piece) = ex.read().await {
        for byte in piece {
            ex.write(&[byte]).await;
        }
    }
}

async fn target(ex: &AsyncExchange) {
    send(ex, ex.path().as_bytes()).await;
}

async fn large(ex: &AsyncExchange, len: u64) {
    ex.send_response(200);
    ex.send_header("Content-Length", len);
    ex.end_headers();
    for _ in 0..len / 1000 {
        ex.write(&b"0123456789".repeat(100)).await;
    }
}

async fn waits_long(ex: &AsyncExchange) {
    ex.send_response(200);
    ex.send_header("Content-Length", 4);
    ex.end_headers();
    ex.sleep(Duration::from_secs(10)).await;
    ex.write(b"late").await;
}

/// Wakes itself once.
#[cfg(feature = "std")]
async fn wakes(ex: &AsyncExchange) -> Result {
    let mut is_woken = false;
    let woken = poll_fn(|context| {
        if core::mem::replace(&mut is_woken, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    let woken = ex.timeout(Duration::from_secs(10), woken).await;
    woken.ok_or(HttpError::status(504))?;
    send(ex, b"woken").await;
    Ok(())
}

/// Waits until another thread wakes it.
#[cfg(feature = "std")]
async fn wakes_later(ex: &AsyncExchange) -> Result {
    use alloc::sync::Arc;
    use std::sync::Mutex;

    /// Whether the thread has done its work, and the task that waits for it.
    type Work = Mutex<(bool, Option<Waker>)>;

    let work = Arc::new(Work::default());
    let done = Arc::clone(&work);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(60));
        let mut work = done.lock().expect("not poisoned");
        work.0 = true;
        if let Some(waker) = work.1.take() {
            waker.wake();
        }
    });
    let woken = poll_fn(|context| {
        let mut work = work.lock().expect("not poisoned");
        work.1 = Some(context.waker().clone());
        match work.0 {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    let woken = ex.timeout(Duration::from_secs(10), woken).await;
    woken.ok_or(HttpError::status(504))?;
    send(ex, b"woken").await;
    Ok(())
}

#[cfg(feature = "std")]
async fn waits(ex: &AsyncExchange) {
    ex.send_response(200);
    ex.end_headers();
    for part in [b"one", b"two"] {
        ex.sleep(Duration::from_millis(80)).await;
        ex.write(part).await;
    }
}

#[cfg(feature = "std")]
async fn writes(ex: &AsyncExchange) {
    ex.send_response(200);
    ex.send_header("Content-Length", 1_200_000);
    ex.end_headers();
    for digits in [b"0123456789", b"abcdefghij"] {
        ex.write(&digits.repeat(60_000)).await;
    }
}
