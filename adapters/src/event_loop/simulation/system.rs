//! [`SimulatedSystem`] and [`SimulatedSocket`]: the simulated kernel with the traits of the event loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use sanserve_core::{Connection, Delivery, FileSystem, Handler, Now};

use super::files::SimulatedFile;
use super::kernel::SharedKernel;
use crate::event_loop::system::{Accepted, Event, Socket, System};
use crate::hang_up::HangUp;
use crate::layer::Layer;
use crate::simulation::byte_at;

/// What a simulated worker has of the system.
pub(super) struct SimulatedSystem {
    pub(super) kernel: SharedKernel,
    pub(super) worker: usize,
    pub(super) listeners: usize,
}

impl System for SimulatedSystem {
    type Socket = SimulatedSocket;
    type Events = Vec<Event>;

    fn events() -> Vec<Event> {
        Vec::new()
    }

    fn poll(&mut self, events: &mut Vec<Event>, _: Option<Duration>) -> io::Result<()> {
        *events = self.kernel.lock().poll(self.worker)?;
        Ok(())
    }

    fn iter(events: &Vec<Event>) -> impl Iterator<Item = Event> {
        events.iter().copied()
    }

    fn waker(&self) -> Waker {
        let (kernel, worker) = (self.kernel.clone(), self.worker);
        Waker::from(Arc::new(PollWaker { kernel, worker }))
    }

    fn register(&self, socket: &SimulatedSocket, key: usize) -> io::Result<()> {
        self.kernel.lock().register(self.worker, socket.conn, key)
    }

    fn deregister(&self, socket: &SimulatedSocket) {
        self.kernel.lock().deregister(socket.conn);
    }

    fn register_pipe(&self, _: BorrowedFd<'_>, _: usize) {}

    fn listeners(&self) -> usize {
        self.listeners
    }

    fn accept(&self, listener: usize) -> io::Result<Accepted<SimulatedSocket>> {
        let conn = self.kernel.lock().accept(self.worker, listener)?;
        let kernel = self.kernel.clone();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Ok((SimulatedSocket { kernel, conn }, Some(address)))
    }

    fn close_listeners(&mut self) {
        self.listeners = 0;
        self.kernel.lock().close_listeners();
    }

    fn now(&self) -> Now {
        Now {
            tick: self.kernel.lock().now,
            unix: None,
        }
    }
}

struct PollWaker {
    kernel: SharedKernel,
    worker: usize,
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.kernel.lock().wake(self.worker);
    }
}

/// The server's end of a connection.
pub(super) struct SimulatedSocket {
    pub(super) kernel: SharedKernel,
    pub(super) conn: usize,
}

impl Socket for SimulatedSocket {
    type Stream = Arc<SimulatedSocket>;

    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.kernel.lock().read(self.conn, into)
    }

    fn write(&self, from: &[u8], _: bool) -> io::Result<usize> {
        let mut kernel = self.kernel.lock();
        kernel.write(self.conn, from.len(), |at| from[at])
    }

    fn can_send<FS: FileSystem>(files: &FS, file: &mut FS::File) -> bool {
        files.system_file(file).is_some()
    }

    fn send_file<FS: FileSystem>(
        &self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> io::Result<Option<usize>> {
        let file = files.system_file(file).and_then(|it| it.downcast_ref());
        let Some(SimulatedFile { len: end, .. }) = file else {
            return Ok(None);
        };
        let mut kernel = self.kernel.lock();
        let faults = kernel.faults.files;
        if kernel.random.one_in(faults) {
            kernel.tcp[self.conn].broken = true;
            return Ok(None);
        }
        let len = len.min(end.saturating_sub(at)) as usize;
        let sent = kernel.write(self.conn, len, |n| byte_at(at + n as u64));
        sent.map(Some)
    }

    fn cork(&self, _: bool) {}

    fn shutdown(&self) {
        self.kernel.lock().shutdown(self.conn);
    }

    fn abort(&self) {
        self.kernel.lock().shutdown(self.conn);
    }

    fn has_unread(&self) -> bool {
        self.kernel.lock().has_unread(self.conn)
    }

    fn has_unacknowledged(&self) -> bool {
        self.kernel.lock().outstanding(self.conn) > 0
    }

    fn report_delivery<F, H: Handler>(&self, conn: &mut Connection<F, H>, now: Now) {
        if conn.is_overdue(now) {
            let kernel = self.kernel.lock();
            let delivery = Delivery {
                acknowledged: Some(kernel.acknowledged(self.conn)),
                outstanding: kernel.outstanding(self.conn),
            };
            drop(kernel);
            conn.delivered(now, delivery);
        }
    }

    fn hang_up(&self) -> Option<HangUp> {
        self.kernel.lock().hang_up(self.conn)
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn into_stream(
        this: Arc<Self>,
        _: Option<Box<dyn Layer<Self>>>,
        _: Vec<u8>,
    ) -> io::Result<Arc<SimulatedSocket>> {
        Ok(this)
    }
}

impl Drop for SimulatedSocket {
    fn drop(&mut self) {
        self.kernel.lock().close(self.conn);
    }
}
