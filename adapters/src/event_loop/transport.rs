//! [`Transport`]: a connection's non-blocking socket, with or without TLS on top. It remembers whether it is readable
//! and writable, to save system calls.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use sanserve_core::{FileSystem, FsError, Got};

use super::system::{Readiness, Socket};
use crate::hang_up::HangUp;
use crate::layer::Layer;

/// A socket, bare or below TLS.
pub(super) struct Transport<S> {
    socket: S,
    layer: Option<Box<dyn Layer<S>>>,
    /// Whether the socket may be readable or writable. The poller reports only changes (it is edge-triggered).
    readable: bool,
    writable: bool,
    /// Whether an event has said that the peer has closed its side, which the poller does not report again.
    peer_done: bool,
    /// Whether the system holds back packets that are not full.
    corked: bool,
    failure: io::Result<()>,
}

impl<S: Socket> Transport<S> {
    /// Wraps a non-blocking socket that was just accepted. Most clients have sent their request by then, so it
    /// counts as readable.
    pub(super) fn new(socket: S, layer: Option<Box<dyn Layer<S>>>) -> Transport<S> {
        Transport {
            socket,
            layer,
            readable: true,
            writable: true,
            peer_done: false,
            corked: false,
            failure: Ok(()),
        }
    }

    pub(super) fn socket(&self) -> &S {
        &self.socket
    }

    /// Takes note of an event; returns whether the connection waited for it. An event may be wrong: while a
    /// child process is being started it has copies of all sockets, so a socket that was closed here lives on
    /// for a moment, and may report an event under a key that now belongs to another connection.
    pub(super) fn on_event(&mut self, readiness: Readiness) -> bool {
        // If an earlier one was wrong, this one is news all the same.
        let hangs_up = readiness.read_closed || readiness.reset;
        self.peer_done |= hangs_up;
        let read = readiness.readable || self.peer_done;
        let write = readiness.writable || self.peer_done;
        let changed = hangs_up || (read && !self.readable) || (write && !self.writable);
        self.readable |= read;
        self.writable |= write;
        changed
    }

    pub(super) fn read<F>(&mut self, into: &mut [u8]) -> Got<F> {
        self.cork(false);
        let read = loop {
            if let Err(error) = self.flush() {
                return self.answer(Err(error));
            }
            let read = match &mut self.layer {
                // The layer may have data that it has read before.
                Some(layer) => layer.read(&self.socket, into),
                None if !self.readable => return Got::Nothing,
                None => self.socket.read(into),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        // A short read has emptied the buffer; the poller will report when more arrives.
        self.readable = read
            .as_ref()
            .is_ok_and(|n| self.peer_done || *n == into.len());
        self.answer(read)
    }

    /// Writes these bytes. `more` says whether others follow immediately.
    pub(super) fn write<F>(&mut self, from: &[u8], more: bool) -> Got<F> {
        if !self.writable {
            return Got::Nothing;
        }
        self.cork(false);
        let written = match &mut self.layer {
            Some(layer) => retry(|| layer.write(&self.socket, from)),
            None => retry(|| self.socket.write(from, more)),
        };
        self.writable = written.is_ok();
        self.answer(written)
    }

    /// Returns whether the layer's handshake is still in progress.
    pub(super) fn is_handshaking(&self) -> bool {
        self.layer
            .as_ref()
            .is_some_and(|layer| layer.is_handshaking())
    }

    /// Returns whether there is a layer above the socket.
    pub(super) fn has_layer(&self) -> bool {
        self.layer.is_some()
    }

    /// Returns the client for which the peer speaks, when it has become known.
    pub(super) fn take_client(&mut self) -> Option<IpAddr> {
        self.layer.as_mut()?.take_client()
    }

    /// Returns whether the peer sent plain HTTP to an HTTPS port.
    pub(super) fn is_plain(&self) -> bool {
        self.layer.as_ref().is_some_and(|layer| layer.is_plain())
    }

    /// Returns whether the peer has sent data that was not read yet.
    pub(super) fn has_unread(&self) -> bool {
        self.socket.has_unread()
    }

    /// Returns whether a file can be sent by reference.
    pub(super) fn can_send<FS: FileSystem>(&self, files: &FS, file: &mut FS::File) -> bool {
        self.layer.is_none() && S::can_send(files, file)
    }

    /// Returns whether there is a reason to read: data may have arrived, or the layer has data to send.
    pub(super) fn is_readable(&self) -> bool {
        self.readable || self.layer.as_ref().is_some_and(|layer| layer.has_output())
    }

    /// Returns how the peer has hung up, if it has.
    pub(super) fn hang_up(&self) -> Option<HangUp> {
        // The event may have been meant for another socket.
        self.peer_done.then(|| self.socket.hang_up()).flatten()
    }

    /// Returns whether the socket may take data.
    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Sends a piece of a file by reference.
    pub(super) fn copy<FS: FileSystem, F>(
        &mut self,
        files: &FS,
        file: &mut FS::File,
        at: u64,
        len: u64,
    ) -> Got<F> {
        if !self.writable {
            return Got::Nothing;
        }
        self.cork(len >= SEND_CHUNK_MAX);
        let sent = retry(|| self.socket.send_file(files, file, at, len));
        self.writable = sent.is_ok();
        match sent {
            Ok(None) => Got::Refused(FsError::Io),
            sent => self.answer(sent.map(Option::unwrap_or_default)),
        }
    }

    /// Makes the system hold back partial packets, or send them.
    fn cork(&mut self, corked: bool) {
        if mem::replace(&mut self.corked, corked) != corked {
            self.socket.cork(corked);
        }
    }

    /// Returns whether the socket can be closed without a half-close first, and without losing data: everything
    /// that the peer has sent was read, and nothing that it may still send can cause a reset before it has
    /// acknowledged everything.
    pub(super) fn may_close(&self) -> bool {
        self.layer.is_none() && !self.readable && !self.has_unread() && !self.has_unacknowledged()
    }

    /// Returns whether the peer has not acknowledged everything that was written.
    pub(super) fn has_unacknowledged(&self) -> bool {
        self.socket.has_unacknowledged()
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shutdown(&mut self) {
        match &mut self.layer {
            Some(layer) => layer.shutdown(),
            None => self.socket.shutdown(),
        }
    }

    /// Turns the transport into a stream for another protocol, which begins with `received`. Also returns the socket.
    pub(super) fn into_stream(mut self, received: Vec<u8>) -> io::Result<(Arc<S>, S::Stream)> {
        self.cork(false);
        let socket = Arc::new(self.socket);
        let stream = S::into_stream(Arc::clone(&socket), self.layer, received)?;
        Ok((socket, stream))
    }

    /// Returns what went wrong, if anything did. A last alert of the layer is sent if that is possible without
    /// waiting.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let _ = self.flush();
        mem::replace(&mut self.failure, Ok(()))
    }

    /// Writes the layer's own data.
    fn flush(&mut self) -> io::Result<()> {
        let Some(layer) = &mut self.layer else {
            return Ok(());
        };
        while layer.has_output() {
            if !self.writable {
                return Err(ErrorKind::WouldBlock.into());
            }
            let flushed = retry(|| layer.flush(&self.socket));
            self.writable = flushed.is_ok();
            flushed?;
        }
        Ok(())
    }

    fn answer<F>(&mut self, result: io::Result<usize>) -> Got<F> {
        match result {
            Ok(n) => Got::Bytes(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Got::Nothing,
            Err(error) => {
                self.failure = Err(error);
                Got::Failed
            }
        }
    }
}

/// Repeats `work` while it is interrupted.
fn retry<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match work() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// The most bytes of a file sent in one call, so that other connections get their turn.
pub(super) const SEND_CHUNK_MAX: u64 = 2 * 1024 * 1024;
