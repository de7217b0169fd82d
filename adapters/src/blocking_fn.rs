//! [`from_blocking_fn`]: makes a handler from a function that blocks, and runs it on a [`ThreadPool`].
//!
//! The handler is an asynchronous one. It does what the function asks for through a [`Pipe`], which holds a bounded
//! number of bytes.

use std::sync::Arc;

use sanserve_core::{AsyncExchange, Handler, HttpError, from_async_fn};

mod exchange;
mod pipe;
mod pool;

pub use exchange::{BlockingExchange, ContentReader, ReplyWriter};
use pipe::{Pipe, Request};
pub use pool::ThreadPool;

/// Returns a handler that answers each request by a call of `function` on a thread of `pool`. It may block, and works
/// on every server of this crate.
///
/// The function gets a [`BlockingExchange`], whose `rfile` and `wfile` are [`Read`](std::io::Read) and
/// [`Write`](std::io::Write), as in Python. The limits and deadlines of the server apply. If the client disconnects or
/// misses a deadline, the next call that reads or writes fails, so that the function can end. An `Err` becomes the
/// reply, see [`HttpError`]; a panic becomes a 500.
///
/// ```no_run
/// use std::io::Write;
///
/// use sanserve_core::Config;
/// use sanserve_server::{NoFiles, ThreadPool, event_loop::HTTPServer, from_blocking_fn};
///
/// let pool = ThreadPool::new(16);
/// let handler = || {
///     from_blocking_fn(&pool, |ex| {
///         ex.send_response(200);
///         ex.send_header("Content-Type", "text/plain");
///         ex.end_headers();
///         let client = ex.client_address().to_owned();
///         writeln!(ex.wfile, "Hello, {client}")?;
///         Ok(())
///     })
/// };
/// HTTPServer::bind("127.0.0.1:8000")?.serve_forever(NoFiles, Config::default(), handler)
/// # ; Ok::<_, std::io::Error>(())
/// ```
pub fn from_blocking_fn<F>(pool: &ThreadPool, function: F) -> impl Handler + Send + use<F>
where
    F: Fn(&mut BlockingExchange) -> Result<(), HttpError> + Send + Sync + 'static,
{
    let (pool, function) = (pool.clone(), Arc::new(function));
    from_async_fn(move |ex| {
        let pipe = Arc::new(Pipe::default());
        let (function, thread_end) = (Arc::clone(&function), Arc::clone(&pipe));
        let mut exchange = BlockingExchange::new(&ex, thread_end);
        pool.submit(move || {
            if !exchange.is_closed() {
                let result = function(&mut exchange);
                exchange.end(result);
            }
        });
        relay(ex, pipe)
    })
}

/// Does what the function asks for, until it has ended.
async fn relay(ex: AsyncExchange, pipe: Arc<Pipe>) -> Result<(), HttpError> {
    /// Tells the function that its request is over.
    struct Close(Arc<Pipe>);

    impl Drop for Close {
        fn drop(&mut self) {
            self.0.close();
        }
    }

    let Close(pipe) = &Close(pipe);
    loop {
        match pipe.next().await {
            Request::Call(function) => function(&ex),
            Request::Read => pipe.push_content(ex.read().await),
            Request::Write(content) => {
                ex.write(&content).await;
                pipe.count_written(content.len());
            }
            Request::Flush => {
                ex.flush().await;
                pipe.confirm_flush();
            }
            Request::End(result) => return result,
        }
    }
}
