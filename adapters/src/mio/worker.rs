//! [`Worker`]: one thread, and all the connections that are on it.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use sanserve_core::{Config, FileSystem, Handler, Now};
use slab::Slab;

use super::files::{Desk, Done, Task};
use super::lines::Lines;
use super::link::Link;
use super::peer::{Peer, Until};
use super::pool::Pool;
use super::server::Shared;
use super::timers::Timers;
use crate::Open;
use crate::server::PAUSE;

/// What a thread of the pool is told: what to do, for whom.
pub(super) struct Job {
    task: Task,
    mail: Arc<Mail>,
    who: (usize, u64),
}

/// Where the others leave something for a worker.
pub(super) struct Mail {
    waker: Waker,
    done: Mutex<Vec<((usize, u64), Done)>>,
}

impl Job {
    /// Does it, and tells the worker.
    pub(super) fn run(self, files: &impl FileSystem<File = Open>) {
        let done = self.task.run(files);
        self.mail.done().push((self.who, done));
        self.mail.wake();
    }
}

impl Mail {
    fn done(&self) -> MutexGuard<'_, Vec<((usize, u64), Done)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the worker look.
    pub(super) fn wake(&self) {
        let _ = self.waker.wake();
    }
}

/// What all workers of a server have in common.
pub(super) struct Common<'scope, 'env, FS, M> {
    pub(super) files: &'env FS,
    pub(super) config: Config,
    pub(super) handler: &'env M,
    pub(super) shared: &'env Shared,
    pub(super) pool: Arc<Pool<'scope, 'env, Job>>,
}

/// Where a worker waits.
pub(super) struct Seat {
    poll: Poll,
    mail: Arc<Mail>,
    listener: TcpListener,
}

impl Seat {
    /// Everything that the system may refuse.
    pub(super) fn new(listener: TcpListener) -> io::Result<Seat> {
        let poll = Poll::new()?;
        let mail = Arc::new(Mail {
            waker: Waker::new(poll.registry(), MAIL)?,
            done: Mutex::default(),
        });
        let mut door = SourceFd(&listener.as_raw_fd());
        poll.registry()
            .register(&mut door, DOOR, Interest::READABLE)?;
        Ok(Seat {
            poll,
            mail,
            listener,
        })
    }

    pub(super) fn mail(&self) -> Arc<Mail> {
        Arc::clone(&self.mail)
    }
}

/// One thread's share of a server.
pub(super) struct Worker<'scope, 'env, FS, H, M> {
    common: Common<'scope, 'env, FS, M>,
    seat: Seat,
    peers: Slab<Box<Inside<H>>>,
    timers: Timers,
    /// Who has something to do, but lets the others have their turn.
    turn: Vec<usize>,
    /// Whether there may be somebody to let in, and when to look if that is not known.
    knocks: bool,
    log: Lines<'env>,
    start: Instant,
    now: Now,
    came: u64,
}

/// A connection that is being served.
struct Inside<H> {
    peer: Peer<H>,
    /// Tells it from others that had the same place before.
    number: u64,
    /// When it has to be looked at, and for when a timer stands.
    by: Option<Duration>,
    timer: Option<Duration>,
}

impl<'scope, 'env: 'scope, FS, H, M> Worker<'scope, 'env, FS, H, M>
where
    FS: FileSystem<File = Open> + Sync,
    H: Handler,
    M: Fn() -> H + Sync,
{
    /// A worker that nobody has come to.
    pub(super) fn new(common: Common<'scope, 'env, FS, M>, seat: Seat) -> Self {
        Worker {
            seat,
            peers: Slab::new(),
            timers: Timers::default(),
            turn: Vec::new(),
            knocks: false,
            log: Lines::new(common.shared.log()),
            start: Instant::now(),
            now: Now::default(),
            came: 0,
            common,
        }
    }

    /// Serves until the server is closed and everybody is gone.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        let mut closing = false;
        while !(closing && self.peers.is_empty()) {
            self.log.flush();
            if let Err(error) = self.seat.poll.poll(&mut events, self.patience()) {
                assert!(
                    error.kind() == ErrorKind::Interrupted,
                    "cannot wait: {error}"
                );
                continue;
            }
            self.look_at_the_clock();
            for event in &events {
                match event.token() {
                    DOOR => self.knocks = true,
                    MAIL => self.take_mail(),
                    Token(who) => {
                        if self
                            .peers
                            .get_mut(who)
                            .is_some_and(|inside| inside.peer.can(event))
                        {
                            self.advance(who);
                        }
                    }
                }
            }
            mem::take(&mut self.turn)
                .into_iter()
                .for_each(|who| self.advance(who));
            self.expire();
            if !closing && self.common.shared.is_closed() {
                closing = true;
                self.send_home();
            }
            if closing && self.common.shared.is_cut() {
                self.peers.clear();
            }
            if self.knocks && !closing {
                self.admit();
            }
        }
        self.log.flush();
    }

    /// How long nothing may come before there is something to do.
    fn patience(&self) -> Option<Duration> {
        if !self.turn.is_empty() {
            return Some(Duration::ZERO);
        }
        // Who does not fit in, or cannot be let in, is looked for again.
        let pause = self.knocks.then_some(PAUSE);
        let timer = self
            .timers
            .next()
            .map(|at| at.saturating_sub(self.now.tick));
        pause.into_iter().chain(timer).min()
    }

    fn look_at_the_clock(&mut self) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        self.now = Now {
            tick: self.start.elapsed(),
            unix: unix.ok().map(|unix| unix.as_secs() as i64),
        };
    }

    /// Lets in whoever waits, as far as there is room.
    fn admit(&mut self) {
        let shared = self.common.shared;
        while shared.enter() {
            match accept(&self.seat.listener) {
                Ok((socket, address)) => {
                    if self.welcome(socket, address).is_err() {
                        shared.leave();
                    }
                }
                Err(error) => {
                    shared.leave();
                    match error.kind() {
                        ErrorKind::WouldBlock => {
                            self.knocks = false;
                            return;
                        }
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                        // Most likely no file descriptor is left, and asking at once would not help.
                        _ => return,
                    }
                }
            }
        }
    }

    fn welcome(&mut self, socket: TcpStream, address: SocketAddr) -> io::Result<()> {
        let layer = self.common.shared.layer()?;
        let place = self.peers.vacant_entry();
        let who = place.key();
        let mut source = SourceFd(&socket.as_raw_fd());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.seat
            .poll
            .registry()
            .register(&mut source, Token(who), interest)?;
        self.came += 1;
        let link = Link::new(socket, layer);
        let address = address.ip().to_string();
        let handler = (self.common.handler)();
        place.insert(Box::new(Inside {
            peer: Peer::new(self.common.config, &address, handler, link),
            number: self.came,
            by: None,
            timer: None,
        }));
        self.advance(who);
        Ok(())
    }

    /// Takes a connection as far as it gets.
    fn advance(&mut self, who: usize) {
        let Some(inside) = self.peers.get_mut(who) else {
            return;
        };
        let (common, mail, registry) = (&self.common, &self.seat.mail, self.seat.poll.registry());
        let number = inside.number;
        let submit = |task| {
            let mail = Arc::clone(mail);
            common.pool.submit(Job {
                task,
                mail,
                who: (who, number),
            });
        };
        let listen = |pipe: BorrowedFd<'_>| {
            // What cannot be listened to is looked at from time to time.
            let mut source = SourceFd(&pipe.as_raw_fd());
            let _ = registry.register(&mut source, Token(who), Interest::READABLE);
        };
        let desk = Desk {
            files: common.files,
            submit: &submit,
            listen: &listen,
        };
        let (now, log) = (self.now, &mut self.log);
        // A panic has been reported by its hook.
        let advance = AssertUnwindSafe(|| inside.peer.advance(now, &desk, log));
        match panic::catch_unwind(advance).unwrap_or(Until::Never) {
            Until::Woken(by) => {
                inside.by = by;
                let sooner = by.filter(|by| inside.timer.is_none_or(|timer| *by < timer));
                if let Some(by) = sooner {
                    inside.timer = Some(by);
                    self.timers.push(by, who);
                }
            }
            Until::Turn => self.turn.push(who),
            Until::Never => self.leave(who),
        }
    }

    fn leave(&mut self, who: usize) {
        let mut inside = self.peers.remove(who);
        let shared = self.common.shared;
        let served = inside.peer.end();
        shared.complain(inside.peer.socket(), &self.common.config, &served);
        shared.leave();
    }

    /// Looks at everybody whose time has come.
    fn expire(&mut self) {
        while let Some((at, who)) = self.timers.pop(self.now.tick) {
            let Some(inside) = self.peers.get_mut(who) else {
                continue;
            };
            if inside.timer != Some(at) {
                continue;
            }
            inside.timer = None;
            match inside.by {
                Some(by) if by > self.now.tick => {
                    inside.timer = Some(by);
                    self.timers.push(by, who);
                }
                _ => self.advance(who),
            }
        }
    }

    /// Gives everybody what the pool has done.
    fn take_mail(&mut self) {
        let all = mem::take(&mut *self.seat.mail.done());
        for ((who, number), done) in all {
            let inside = self.peers.get_mut(who);
            // Whoever has gone meanwhile gets nothing.
            if let Some(inside) = inside.filter(|inside| inside.number == number) {
                inside.peer.bring(done);
                self.advance(who);
            }
        }
    }

    /// The running replies are the last ones.
    fn send_home(&mut self) {
        let everybody: Vec<usize> = self.peers.iter().map(|(who, _)| who).collect();
        for who in everybody {
            self.peers[who].peer.finish();
            self.advance(who);
        }
    }
}

/// Lets one in, whose socket does not block.
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    #[cfg(target_os = "linux")]
    {
        use rustix::net::{SocketFlags, acceptfrom_with};
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, address) = acceptfrom_with(listener, flags)?;
        let address = address.and_then(|address| SocketAddr::try_from(address).ok());
        let address = address.ok_or(ErrorKind::ConnectionAborted)?;
        Ok((TcpStream::from(socket), address))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (socket, address) = listener.accept()?;
        socket.set_nonblocking(true)?;
        // Linux passes this on from the socket that listens.
        socket.set_nodelay(true)?;
        Ok((socket, address))
    }
}

const DOOR: Token = Token(usize::MAX - 1);
const MAIL: Token = Token(usize::MAX);
const EVENTS: usize = 1024;
