//! The thread behind a front, and how others reach it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use super::Idle;
use super::reactor::Reactor;
use super::service::Service;
use super::socket::Listener;

/// Work for the front's thread.
pub(super) enum Control<S> {
    Stop,
    With(Box<dyn FnOnce(&mut S) + Send>),
}

/// A running front. Dropping it stops the thread and waits for it.
pub(super) struct Handle<S> {
    control: Sender<Control<S>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Service + Send + 'static> Handle<S> {
    /// Starts the thread under a name.
    pub(super) fn start(name: &str, listeners: Vec<Listener>, service: S, idle: Idle) -> io::Result<Self> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (control, commands) = channel();
        let mut reactor = Reactor::new(listeners, service, Arc::clone(&wake), commands, idle)?;
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || reactor.run())?;
        Ok(Self { control, wake, thread: Some(thread) })
    }
}

impl<S> Handle<S> {
    /// Lets the thread call `f`, and waits for the result; `None` if the thread has died.
    pub(super) fn with<R: Send + 'static>(&self, f: impl FnOnce(&mut S) -> R + Send + 'static) -> Option<R> {
        let (answer, result) = channel();
        let job = Box::new(move |service: &mut S| drop(answer.send(f(service))));
        self.tell(Control::With(job));
        result.recv().ok()
    }

    fn tell(&self, command: Control<S>) {
        if self.control.send(command).is_ok() {
            // An eventfd refuses only when its counter is full, and then the thread is awake already.
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }
}

impl<S> Drop for Handle<S> {
    fn drop(&mut self) {
        self.tell(Control::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}
