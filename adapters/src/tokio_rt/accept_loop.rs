//! [`AcceptLoop`]: accepts connections, up to a limit, and serves each as a task. At the limit it closes an idle
//! connection to make room.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use sanserve_core::{Config, Handler};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection_slot::Connections;
use super::connection_stream::{ConnectionStream, Stream};
use super::file_access::FileAccess;
use super::stop_signal::Ending;
use super::system::Listener;
use super::{ServerContext, UpgradedStream, serve_connection};
use crate::Recorder;
use crate::proxy_protocol::IsProxy;
use crate::server::table::EVICTION_TIMEOUT;
use crate::server::{ACCEPT_BACKOFF, failure_line};

/// A listener, with what its connections need.
pub(super) struct AcceptLoop<L: Listener> {
    pub(super) listener: L,
    pub(super) stream: Box<MakeStream<L::Socket>>,
    pub(super) connections_max: usize,
    pub(super) log: Arc<dyn Fn(&str) + Send + Sync>,
    pub(super) recorder: Option<Recorder>,
    pub(super) is_proxy: Option<IsProxy>,
    /// When replies in progress are cut off, once the server is to stop.
    pub(super) stop: watch::Sender<Option<Instant>>,
    /// Whether the server is serving.
    pub(super) serving: watch::Sender<bool>,
}

/// Makes the stream of a socket, with TLS or without.
pub(super) type MakeStream<S> = dyn Fn(S) -> io::Result<Stream<S>> + Send + Sync;

impl<L: Listener> AcceptLoop<L> {
    /// Serves until the server is stopped; `access` makes the file access of each connection.
    pub(super) async fn run<A, H, U>(
        self,
        access: impl Fn() -> A,
        config: Arc<Config>,
        handler: impl Fn() -> H + Send + Sync + 'static,
        upgrade: Option<Arc<impl Fn(H, UpgradedStream) -> U + Send + Sync + 'static>>,
    ) where
        A: FileAccess + 'static,
        H: Handler + Send + 'static,
        U: Future<Output = ()> + Send + 'static,
    {
        let AcceptLoop {
            listener,
            stream,
            connections_max,
            log,
            recorder,
            is_proxy,
            stop,
            serving,
        } = self;
        serving.send_replace(true);
        let (handler, ending) = (Arc::new(handler), Arc::<Ending>::default());
        let mut stopped = stop.subscribe();
        let (mut tasks, connections) = (JoinSet::new(), Arc::new(Connections::default()));
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop_requested(&mut stopped) => break,
                Some(_) = tasks.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    back_off(&error).await;
                    continue;
                }
            };
            tokio::select! {
                biased;
                () = stop_requested(&mut stopped) => break,
                () = make_room(&mut tasks, connections_max, &connections) => {}
            }
            let (files, handler, log) = (access(), Arc::clone(&handler), Arc::clone(&log));
            let is_proxy = is_proxy.as_ref().is_some_and(|it| it(Some(peer.ip())));
            let stream = stream(socket).map(|it| ConnectionStream::new(it).with_header(is_proxy));
            let slot = connections.add();
            let stop = ending.signal(slot.number);
            let take_over = upgrade.clone();
            // Boxed, because the future of an ordinary connection should have no space for it.
            let upgrade = take_over.map(|upgrade| move |h, stream| Box::pin(upgrade(h, stream)));
            let config = Arc::clone(&config);
            let recorder = recorder.as_ref();
            let recorder = recorder.map(|it| it.connection(&peer.ip().to_string(), &config));
            let context = ServerContext {
                slot: Some(slot),
                upgrade,
                recorder: recorder.unwrap_or_default(),
            };
            tasks.spawn(async move {
                let result = match stream {
                    Ok(stream) => {
                        let config = Arc::clone(&config);
                        serve_connection(stream, files, config, handler(), &*log, stop, context)
                            .await
                    }
                    Err(error) => Err(error),
                };
                if let Some(line) = failure_line(|| Some(peer), &config, &result) {
                    log(&line);
                }
            });
        }
        drop(listener);
        ending.begin();
        wait_for_tasks(tasks, stopped).await;
        serving.send_replace(false);
    }
}

/// Waits until the server is to stop.
async fn stop_requested(stopped: &mut watch::Receiver<Option<Instant>>) {
    let _ = stopped.wait_for(Option::is_some).await;
}

/// Waits until there is room for a connection. To make room, an idle connection is closed, or else one in
/// [`Phase::Head`](sanserve_core::Phase::Head).
async fn make_room(
    tasks: &mut JoinSet<()>,
    connections_max: usize,
    connections: &Arc<Connections>,
) {
    while tasks.len() >= connections_max {
        let is_evicting = connections.evict(Instant::now());
        tokio::select! {
            biased;
            Some(_) = tasks.join_next() => {}
            () = connections.freed.notified() => {}
            () = sleep(EVICTION_TIMEOUT), if is_evicting => {}
        }
    }
    connections.waiter_has_room();
}

/// Waits until all connections have ended, and cuts off those that are left when the grace period is over.
async fn wait_for_tasks(mut tasks: JoinSet<()>, mut stopped: watch::Receiver<Option<Instant>>) {
    loop {
        let deadline = stopped.borrow_and_update().unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            left = tasks.join_next() => if left.is_none() {
                return;
            },
            () = sleep_until(deadline) => return tasks.shutdown().await,
            // The grace period may have become shorter.
            Ok(()) = stopped.changed() => {}
        }
    }
}

/// Pauses after accepting a connection has failed.
async fn back_off(error: &io::Error) {
    if !matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
    ) {
        // Most likely no file descriptor is available, and trying again immediately would not help.
        sleep(ACCEPT_BACKOFF).await;
    }
}
