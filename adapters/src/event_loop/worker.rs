//! [`Worker`]: one thread, and all the connections that are on it. Which connections it accepts, and
//! which it closes for them, is in `admission`.

mod admission;

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::Scope;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use sanserve_core::{Config, FileSystem, Handler, Now, Phase};
use slab::Slab;

use super::crowd::Crowd;
use super::files::Desk;
use super::lines::Lines;
use super::mail::{HandlerWaker, Job};
use super::peer::{Peer, Until};
use super::pool::Pool;
use super::seat::{DOORS, MAIL, Seat};
use super::shared::Shared;
use super::timers::Timers;
use super::transport::Transport;
use super::upgrade::Upgrade;
use crate::blocking::Clock;
use crate::eviction::EvictionOrder;

/// What all workers of a server have in common.
pub(super) struct Common<'scope, 'env, FS: FileSystem, H, M> {
    pub(super) files: &'env FS,
    pub(super) config: Arc<Config>,
    pub(super) handler: &'env M,
    /// What takes over connections that are upgraded, if that is allowed.
    pub(super) upgrade: Option<&'env dyn Upgrade<H>>,
    pub(super) shared: &'env Shared,
    pub(super) scope: &'scope Scope<'scope, 'env>,
    pub(super) pool: Arc<Pool<'scope, 'env, Job<FS::File>>>,
}

/// One thread's share of a server.
pub(super) struct Worker<'scope, 'env, FS: FileSystem, H, M> {
    common: Common<'scope, 'env, FS, H, M>,
    seat: Seat<FS::File>,
    peers: Slab<Inside<FS::File, H>>,
    /// How many of them are more than a socket at rest.
    works: usize,
    crowd: Crowd,
    working: Crowd,
    /// When to look at what is held and needed by nobody, if anything has happened.
    evict_idle: Option<Duration>,
    timers: Timers,
    /// Who has something to do, but lets the others have their turn.
    turn: Vec<usize>,
    /// The doors before which there may be somebody.
    knocks: Vec<usize>,
    /// When to look there, if nothing has happened.
    admit: Option<Duration>,
    /// Which connections may be closed to make room.
    order: EvictionOrder,
    log: Lines<'env>,
    clock: Clock,
    now: Now,
    came: u64,
}

/// A connection that is being served.
struct Inside<F, H> {
    peer: Peer<F, H>,
    /// Tells it from others that had the same place before.
    number: u64,
    /// When it has to be looked at.
    by: Option<Duration>,
    /// Its place in the order of eviction.
    phase: Phase,
    /// It stands among those that have something to do.
    in_turn: bool,
}

impl<'scope, 'env: 'scope, FS, H, M> Worker<'scope, 'env, FS, H, M>
where
    FS: FileSystem<File: Send + 'static> + Sync,
    H: Handler + 'env,
    M: Fn() -> H + Sync,
{
    /// A worker that nobody has come to.
    pub(super) fn new(common: Common<'scope, 'env, FS, H, M>, seat: Seat<FS::File>) -> Self {
        Worker {
            seat,
            peers: Slab::new(),
            works: 0,
            crowd: Crowd::default(),
            working: Crowd::default(),
            evict_idle: None,
            timers: Timers::default(),
            turn: Vec::new(),
            knocks: Vec::new(),
            admit: None,
            order: EvictionOrder::default(),
            log: Lines::new(common.shared.log()),
            clock: Clock::start(),
            now: Now::default(),
            came: 0,
            common,
        }
    }

    /// Serves until the server is closed and everybody is gone.
    pub(super) fn run(mut self) {
        self.evict_idle();
        let mut events = Events::with_capacity(EVENTS);
        let mut closing = false;
        while !(closing && self.peers.is_empty()) {
            self.log.flush();
            if let Err(error) = self.seat.poll.poll(&mut events, self.timeouts()) {
                assert!(
                    error.kind() == ErrorKind::Interrupted,
                    "cannot wait: {error}"
                );
                continue;
            }
            self.now = self.clock.now();
            for event in &events {
                match event.token() {
                    MAIL => self.take_mail(),
                    Token(door @ DOORS..) => self.knock(door - DOORS),
                    Token(token) => {
                        let (who, is_pipe) = (token / 2, token % 2 == 1);
                        let news = self.peers.get_mut(who).is_some_and(|inside| {
                            if is_pipe {
                                inside.peer.listens()
                            } else {
                                inside.peer.can(event)
                            }
                        });
                        if news {
                            self.advance(who);
                        }
                    }
                }
            }
            for who in mem::take(&mut self.turn) {
                if let Some(inside) = self.peers.get_mut(who) {
                    inside.in_turn = false;
                    self.advance(who);
                }
            }
            self.expire();
            if self.evict_idle.is_some_and(|at| at <= self.now.tick) {
                self.evict_idle();
            }
            if !closing && self.common.shared.is_closed() {
                closing = true;
                // Who comes now is refused, or finds whoever listens there next.
                self.seat.doors.clear();
                self.knocks.clear();
                self.common.shared.clear_lobby();
                self.send_home();
            }
            if closing && self.common.shared.is_cut() {
                self.peers.clear();
            }
            if !closing {
                self.admit();
            }
        }
        self.log.flush();
    }

    /// How long nothing may come before there is something to do.
    fn timeouts(&self) -> Option<Duration> {
        if !self.turn.is_empty() {
            return Some(Duration::ZERO);
        }
        let (evict_idle, admit) = (self.evict_idle, self.admit);
        let next = self
            .timers
            .next()
            .into_iter()
            .chain(evict_idle)
            .chain(admit)
            .min();
        next.map(|at| at.saturating_sub(self.now.tick))
    }

    /// Somebody waits at this door, unless it is closed.
    fn knock(&mut self, door: usize) {
        if door < self.seat.doors.len() && !self.knocks.contains(&door) {
            self.knocks.push(door);
        }
    }

    fn welcome(&mut self, socket: TcpStream, address: Option<IpAddr>) -> io::Result<()> {
        let transport = Transport::new(socket, self.common.shared.layer()?);
        let handler = (self.common.handler)();
        self.came += 1;
        let who = self.peers.insert(Inside {
            peer: Peer::new(transport, address, handler, self.now),
            number: self.came,
            by: None,
            phase: Phase::Busy,
            in_turn: false,
        });
        self.crowd.saw(self.peers.len());
        self.advance(who);
        // Who asks at once, and then closes, need not be waited for at all.
        if let Some(inside) = self.peers.get(who) {
            let socket = inside.peer.socket().as_raw_fd();
            let interest = Interest::READABLE | Interest::WRITABLE;
            let (registry, token) = (self.seat.poll.registry(), Token(2 * who));
            if registry
                .register(&mut SourceFd(&socket), token, interest)
                .is_err()
            {
                self.leave(who);
            }
        }
        Ok(())
    }

    /// Takes a connection as far as it gets.
    fn advance(&mut self, who: usize) {
        let Some(inside) = self.peers.get_mut(who) else {
            return;
        };
        let (common, mail, registry) = (&self.common, &self.seat.mail, self.seat.poll.registry());
        let number = inside.number;
        let submit = |task, wanted| {
            let job = Job::new(task, wanted, (who, number), Arc::clone(mail));
            common.pool.submit(job);
        };
        let listen = |pipe: BorrowedFd<'_>| {
            // What cannot be listened to is looked at from time to time.
            let mut source = SourceFd(&pipe.as_raw_fd());
            let _ = registry.register(&mut source, Token(2 * who + 1), Interest::READABLE);
        };
        let waker = || HandlerWaker::new((who, number), Arc::clone(mail));
        let desk = Desk {
            files: common.files,
            submit: &submit,
            listen: &listen,
            waker: &waker,
            can_upgrade: common.upgrade.is_some(),
        };
        let (now, log) = (self.now, &mut self.log);
        // A panic has been reported by its hook.
        let (peer, config) = (&mut inside.peer, &common.config);
        let worked = peer.works();
        let advance = AssertUnwindSafe(|| peer.advance(now, config, &desk, log));
        let until = panic::catch_unwind(advance).unwrap_or(Until::Never);
        self.works = self.works + usize::from(peer.works()) - usize::from(worked);
        self.working.saw(self.works);
        self.evict_idle.get_or_insert(now.tick + TIDY);
        let phase = match until {
            Until::Woken(_) => peer.phase(),
            Until::Turn | Until::Upgraded | Until::Never => Phase::Busy,
        };
        // A connection with a new deadline has begun to be idle, or a head, anew.
        let anew = matches!(until, Until::Woken(by) if by != inside.by);
        if phase != inside.phase || phase != Phase::Busy && anew {
            inside.phase = phase;
            self.order.note(who, phase);
        }
        match until {
            Until::Woken(by) => {
                inside.by = by;
                if let Some(by) = by {
                    self.timers.set(who, by);
                }
            }
            Until::Turn if inside.in_turn => {}
            Until::Turn => {
                inside.in_turn = true;
                self.turn.push(who);
            }
            Until::Upgraded => self.hand_over(who),
            Until::Never => self.leave(who),
        }
    }

    /// Lets go of a connection that speaks another protocol from now on.
    fn hand_over(&mut self, who: usize) {
        let inside = self.peers.remove(who);
        self.order.remove(who);
        self.works -= usize::from(inside.peer.works());
        let socket = inside.peer.socket().as_raw_fd();
        // It is not registered if it was upgraded at once.
        let _ = self.seat.poll.registry().deregister(&mut SourceFd(&socket));
        let (shared, scope) = (self.common.shared, self.common.scope);
        match (inside.peer.into_upgraded(shared), self.common.upgrade) {
            (Some(upgraded), Some(upgrade)) => upgrade.begin(scope, upgraded),
            _ => shared.leave(),
        }
    }

    fn leave(&mut self, who: usize) {
        let mut inside = self.peers.remove(who);
        self.order.remove(who);
        let shared = self.common.shared;
        let served = inside.peer.end();
        shared.complain(inside.peer.socket(), &self.common.config, &served);
        shared.leave();
        self.works -= usize::from(inside.peer.works());
        drop(inside);
    }

    /// Gives back what nobody needs: files that are open, what a crowd has left behind.
    fn evict_idle(&mut self) {
        let held = self.common.files.evict_idle();
        self.evict_idle = held.then_some(self.now.tick + TIDY);
        let gone = self.crowd.has_gone(self.peers.len());
        if gone {
            self.peers.shrink_to_fit();
            self.order.shrink(self.peers.capacity());
        }
        if self.working.has_gone(self.works) || gone {
            self.common.shared.after_crowd();
        }
    }

    /// Looks at everybody whose time has come.
    fn expire(&mut self) {
        while let Some(who) = self.timers.pop(self.now.tick) {
            match self.peers.get(who).and_then(|inside| inside.by) {
                Some(by) if by > self.now.tick => self.timers.set(who, by),
                Some(_) => self.advance(who),
                None => {}
            }
        }
    }

    /// Gives everybody what the pool has done.
    fn take_mail(&mut self) {
        let all = self.seat.mail.take();
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

const EVENTS: usize = 1024;
/// So long after something has happened, and no more often.
const TIDY: Duration = Duration::from_secs(1);
