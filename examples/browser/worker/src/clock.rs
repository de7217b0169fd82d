//! Reads the clock of the browser, and awaits futures until a deadline by its timer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use js_sys::{Date, Function, Promise};
use sanserve_core::Now;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn milliseconds() -> f64;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, milliseconds: f64) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timeout: f64);
}

pub(crate) fn now() -> Now {
    Now {
        tick: Duration::from_secs_f64(milliseconds() / 1000.0),
        unix: Some((Date::now() / 1000.0).floor() as i64),
    }
}

/// Returns by how many seconds local time is ahead of UTC.
pub(crate) fn offset(unix: i64) -> i32 {
    let date = Date::new(&(unix as f64 * 1000.0).into());
    -(date.get_timezone_offset() * 60.0) as i32
}

/// Awaits the future, or returns `None` if it is not ready at `deadline`.
pub(crate) async fn timeout_at<T>(
    deadline: Option<Duration>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), None);
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let timer = timer.get_or_insert_with(|| Timer::new(deadline.saturating_sub(now().tick)));
        std::pin::Pin::new(&mut timer.elapsed)
            .poll(cx)
            .map(|_| None)
    })
    .await
}

struct Timer {
    id: f64,
    elapsed: JsFuture,
}

impl Timer {
    fn new(after: Duration) -> Timer {
        let mut id = 0.0;
        // Rounded up: before its deadline the engine would have nothing to do.
        let milliseconds = after.as_millis() as f64 + 1.0;
        let elapsed = Promise::new(&mut |resolve, _| id = set_timeout(&resolve, milliseconds));
        Timer {
            id,
            elapsed: elapsed.into(),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(self.id);
    }
}
