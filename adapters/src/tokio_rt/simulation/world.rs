//! A world: a server with its clients, on one thread, with the paused clock of tokio.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use sanserve_conformance::sim::Random;
use sanserve_core::{Config, Limits, Protocol, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::client::{Client, Clients, PROMPT};
use super::files::SimulatedFiles;
use super::handler::SimulatedHandler;
use super::listener::SimulatedListener;
use super::network::{Faults, Network, is_proxy};
use super::pool::SimulatedPool;
use super::socket::{BufferedSocket, SimulatedSocket};
use crate::proxy_protocol::IsProxy;
use crate::tokio_rt::accept_loop::AcceptLoop;
use crate::tokio_rt::connection_stream::Stream;
use crate::tokio_rt::file_access::BlockingFiles;
use crate::tokio_rt::server::Stopper;
use crate::tokio_rt::upgraded::UpgradedStream;

/// Everything about a world that its seed decides in advance.
#[derive(Debug)]
struct Plan {
    clients: usize,
    connections_max: usize,
    cold: u32,
    upgrades: bool,
    /// Whether the server uses streams that it has to flush, in place of sockets.
    is_buffered: bool,
    /// Whether every other peer is a proxy.
    has_proxies: bool,
    /// Whether the pool may take longer than a deadline, so that any reply may fail.
    is_slow: bool,
    config: Config,
    faults: Faults,
    capacity: usize,
    arrival: Duration,
    /// When the server is told to stop, each time with a grace period; otherwise that is when all clients have left.
    stops: Vec<(Duration, Duration)>,
}

impl Plan {
    fn new(seed: u64, random: &mut Random) -> Plan {
        let most = random.pick(&[3, 8, 8, 20]);
        let clients = 1 + random.below(most);
        let connections_max = match random.one_in(4) {
            true => 1 + random.below(clients),
            false => 64,
        };
        let is_slow = random.one_in(8);
        let mut faults = Faults::new(random);
        if is_slow {
            faults.call = Duration::from_millis(800);
        }
        let stops = match random.below(4) {
            0 | 1 => 0,
            2 => 1,
            _ => 2,
        };
        let stop = |random: &mut Random| {
            let at = random.log_uniform(600) as u64;
            let grace = random.pick(&[0, 100, 2_000]);
            (Duration::from_millis(at), Duration::from_millis(grace))
        };
        let (cold, upgrades) = (random.pick(&[0, 1, 3]), random.one_in(4));
        let is_buffered = random.one_in(3);
        Plan {
            clients,
            connections_max,
            cold,
            upgrades,
            is_buffered,
            // Not drawn, so that the kept seeds still stand for the same worlds.
            has_proxies: seed % 4 == 1 && !is_buffered,
            is_slow,
            config: config(random, is_slow),
            faults,
            capacity: random.pick(&[100, 4_096, 65_536, 1 << 20]),
            arrival: Duration::from_millis(random.pick(&[0, 5, 300])),
            stops: (0..stops).map(|_| stop(random)).collect(),
        }
    }

    fn is_crowded(&self) -> bool {
        self.connections_max < self.clients
    }
}

impl Faults {
    fn new(random: &mut Random) -> Faults {
        let mut odds = |rarity: u32| if random.one_in(2) { 0 } else { rarity };
        Faults {
            interrupts: odds(20),
            short: odds(4),
            spurious: odds(5),
            late: odds(3),
            held: odds(20),
            accepts: odds(5),
            files: if random.one_in(6) { 20 } else { 0 },
            delay: Duration::from_millis(random.pick(&[0, 2, 5, 40])),
            call: Duration::from_millis(random.pick(&[1, 20, 150])),
        }
    }
}

fn config(random: &mut Random, is_slow: bool) -> Config {
    let millis = Duration::from_millis;
    let timeouts = Timeouts::default()
        .with_idle(millis(5_000 + random.below(15_000) as u64))
        .with_park(millis(random.pick(&[0, 50, 100])))
        .with_head(millis(8_000))
        .with_grace(millis(8_000))
        .with_receive_buffer(1_000)
        .with_linger(millis(random.pick(&[0, 0, 200, 2_000])))
        .with_ask(millis(if is_slow { 200 } else { 10_000 }));
    let limits = Limits::default().with_outbox(random.pick(&[512, 4_096, 32_768]));
    Config::default()
        .with_protocol(Protocol::Http11)
        .with_timeouts(timeouts)
        .with_limits(limits)
}

/// The end of a world: what was wrong, if anything, and the transcript.
pub(super) struct Outcome {
    pub(super) result: Result<(), String>,
    pub(super) transcript: Vec<String>,
}

/// Runs the world of a seed.
pub(super) fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let plan = Plan::new(seed, &mut random);
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs no resources");
    runtime.block_on(async {
        let network = Network::new(random.fork(), plan.faults, plan.capacity, plan.clients);
        let result = live(&plan, &network, &mut random).await;
        let state = &mut *network.lock();
        let mut transcript = vec![format!("{plan:#?}")];
        transcript.append(&mut state.transcript);
        transcript.extend(state.log.lines().map(str::to_owned));
        let wrong = state.wrong.take();
        Outcome {
            result: wrong.map_or(result, Err),
            transcript,
        }
    })
}

/// Runs the server and its clients to the end.
async fn live(plan: &Plan, network: &Network, random: &mut Random) -> Result<(), String> {
    let mut clients = JoinSet::new();
    let all = Clients {
        size_max: 50 * plan.capacity,
        upgrades: plan.upgrades,
        has_proxies: plan.has_proxies,
        is_crowded: plan.is_crowded(),
        may_overlook: plan.is_buffered && plan.faults.spurious > 0,
        arrival: plan.arrival,
    };
    for link in 0..plan.clients {
        network.lock().links[link].broken = plan.is_slow;
        clients.spawn(Client::new(network, link, random, &all).run());
    }
    let (stopper, mut server) = serve(plan, network);
    for (at, grace) in plan.stops.clone() {
        tokio::spawn(stop(network.clone(), stopper.clone(), at, grace));
    }
    while let Some(client) = clients.join_next().await {
        client.map_err(|error| error.to_string())??;
        if let Some(text) = network.lock().wrong.clone() {
            return Err(text);
        }
    }
    let grace = Duration::from_secs(1);
    network.lock().stop(grace);
    let stopped = stopper.shutdown(grace);
    let end = Instant::now() + grace / 2;
    timeout_at(end, stopped)
        .await
        .map_err(|_| "the server does not stop")?;
    let returned = timeout_at(end, &mut server).await;
    let returned = returned.map_err(|_| "the server does not return")?;
    returned.map_err(|error| error.to_string())?;
    check_rest(network).await
}

/// Tells the server to stop. When it says that it has stopped, no connection is open.
async fn stop(network: Network, stopper: Stopper, at: Duration, grace: Duration) {
    sleep(at).await;
    network.lock().stop(grace);
    let stopped = stopper.shutdown(grace);
    // The future need not be awaited.
    if network.lock().random.one_in(2) {
        return;
    }
    let is_late = timeout(grace + PROMPT, stopped).await.is_err();
    let state = &mut *network.lock();
    let sockets = state.sockets;
    if is_late || sockets > 0 {
        state.fail(|| format!("{sockets} connections after the stop, late: {is_late}"));
    }
}

/// Checks that nothing is left when the pool has made its last call.
async fn check_rest(network: &Network) -> Result<(), String> {
    let open = network.lock().sockets;
    sleep(Duration::from_secs(10)).await;
    match (open, network.lock().files) {
        (0, 0) => Ok(()),
        (sockets, files) => Err(format!(
            "{sockets} sockets and {files} files are still open"
        )),
    }
}

/// Starts the server.
fn serve(plan: &Plan, network: &Network) -> (Stopper, JoinHandle<()>) {
    let is_buffered = plan.is_buffered;
    let stream = move |socket: SimulatedSocket| {
        Ok(match is_buffered {
            false => Stream::Socket(socket),
            true => {
                let peer = socket.peer().ip().to_string();
                Stream::Other(Box::new(BufferedSocket::new(socket)), peer)
            }
        })
    };
    let log = network.clone();
    let accept_loop = AcceptLoop {
        listener: SimulatedListener(network.clone()),
        stream: Box::new(stream),
        connections_max: plan.connections_max,
        log: Arc::new(move |lines: &str| log.lock().log.push_str(lines)),
        stop: watch::Sender::new(None),
        serving: watch::Sender::new(false),
        recorder: None,
        is_proxy: plan.has_proxies.then(|| Arc::new(is_proxy) as IsProxy),
    };
    // One that was accepted may wait for room.
    network.lock().sockets_max = plan.connections_max + 1;
    let stopper = Stopper::of(&accept_loop);
    let files = Arc::new(SimulatedFiles {
        network: network.clone(),
        cold: plan.cold,
    });
    let (pool, handlers) = (network.clone(), network.clone());
    let access = move || BlockingFiles::with_pool(Arc::clone(&files), SimulatedPool(pool.clone()));
    let handler = move || SimulatedHandler::new(handlers.clone());
    let upgrade = plan.upgrades.then(|| Arc::new(echo));
    let config = Arc::new(plan.config.clone());
    let server = tokio::spawn(accept_loop.run(access, config, handler, upgrade));
    (stopper, server)
}

/// The other protocol: sends back what it receives.
async fn echo(_: SimulatedHandler, mut stream: UpgradedStream) {
    let mut buffer = [0; 16];
    loop {
        let n = match stream.read(&mut buffer).await {
            Ok(0) => return,
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            match stream.write(rest).await {
                Ok(n) => rest = &rest[n..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        while let Err(error) = stream.flush().await {
            if error.kind() != ErrorKind::Interrupted {
                return;
            }
        }
    }
}
