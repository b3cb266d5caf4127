//! A TCP link that can be cut, frozen, slowed down: stands between the program and its broker, or its cameras.
//!
//! It passes bytes on as they are and knows no protocol; nothing is doubled or altered, because TCP does neither. What it
//! cannot do is lose single packets of a connection: the kernel would only send them again.
//!
//! # Ownership
//! One thread accepts, two more each connection; they end with this value.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How soon a thread notices that the link has changed.
const LOOK: Duration = Duration::from_millis(20);

/// Passed on at once; small, so that a slow link is evenly slow.
const CHUNK: usize = 2048;

/// Which bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the program.
    Up,
    /// To it.
    Down,
}

/// What the link does until it is told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Passes everything on.
    Sound,
    /// Resets who connects; who is connected stays so.
    Refusing,
    /// Takes connections and passes nothing on, either way; what is sent waits.
    Frozen,
    /// Passes nothing on this way.
    Stalled(Way),
    /// Passes each chunk on so much later.
    Late(Duration),
    /// Passes on so many bytes a second and way.
    Slow(u32),
    /// Resets the connection once so many bytes more have passed this way: in the middle of a packet.
    Breaking(Way, u64),
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// With RST, as a middlebox does that has forgotten it.
    Reset,
    /// With FIN, in order.
    Close,
}

struct State {
    link: Link,
    /// Connections of an earlier number are cut.
    generation: u64,
    cut: Cut,
    stopped: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A link to one address.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A sound link to `target`, on a free port of loopback.
    pub fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = State { link: Link::Sound, generation: 0, cut: Cut::Close, stopped: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, target, &shared)
        });
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Where to connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on the link is like this.
    pub fn set(&self, link: Link) {
        self.shared.lock().link = link;
        self.shared.changed.notify_all();
    }

    /// Ends every connection that there is.
    pub fn cut(&self, how: Cut) {
        let mut state = self.shared.lock();
        (state.generation, state.cut) = (state.generation + 1, how);
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.cut(Cut::Reset);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done with bytes of a connection now; `None`: it is cut.
    fn link(&self, generation: u64) -> Option<Link> {
        let state = self.lock();
        (state.generation == generation).then_some(state.link)
    }

    /// Waits until something changes, or this long.
    fn wait(&self, at_most: Duration) {
        let state = self.lock();
        drop(self.changed.wait_timeout(state, at_most));
    }

    /// Waits this long, unless the connection is cut.
    fn wait_out(&self, generation: u64, length: Duration) {
        let state = self.lock();
        let is_whole = |state: &mut State| state.generation == generation;
        drop(self.changed.wait_timeout_while(state, length, is_whole));
    }

    /// Counts bytes that pass; those that still may, and whether the connection breaks after them.
    fn breaks_after(&self, way: Way, count: usize) -> (usize, bool) {
        let mut state = self.lock();
        let Link::Breaking(at, left) = &mut state.link else { return (count, false) };
        if *at != way {
            return (count, false);
        }
        if (count as u64) < *left {
            *left -= count as u64;
            return (count, false);
        }
        let passing = *left as usize;
        state.link = Link::Sound;
        (state.generation, state.cut) = (state.generation + 1, Cut::Reset);
        self.changed.notify_all();
        (passing, true)
    }
}

/// Both ends of a connection. Dropped by the last of its two threads, which closes both.
struct Connection {
    client: TcpStream,
    server: TcpStream,
}

fn accept(listener: &TcpListener, target: SocketAddr, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept() {
        let (link, generation, stopped) = {
            let state = shared.lock();
            (state.link, state.generation, state.stopped)
        };
        if stopped {
            return;
        }
        if link == Link::Refusing {
            reset_when_closed(&client);
            continue;
        }
        // Where nobody listens behind it, it closes: the program sees a peer that goes away at once.
        let Ok(server) = TcpStream::connect(target) else { continue };
        let set = |stream: &TcpStream| {
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(LOOK));
            let _ = stream.set_write_timeout(Some(LOOK));
        };
        set(&client);
        set(&server);
        let connection = Arc::new(Connection { client, server });
        for way in [Way::Up, Way::Down] {
            let (connection, shared) = (Arc::clone(&connection), Arc::clone(shared));
            std::thread::spawn(move || pass(&connection, way, generation, &shared));
        }
    }
}

/// Passes on what goes one way until the connection ends.
fn pass(connection: &Connection, way: Way, generation: u64, shared: &Shared) {
    let Connection { client, server } = connection;
    let (from, to) = if way == Way::Up { (client, server) } else { (server, client) };
    let mut chunk = [0; CHUNK];
    while let Some(link) = shared.link(generation) {
        if link == Link::Frozen || link == Link::Stalled(way) {
            shared.wait(LOOK);
            continue;
        }
        let read = match (&mut &*from).read(&mut chunk) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(read) => read,
            Err(error) if is_no_answer(error.kind()) => continue,
            Err(_) => {
                reset_when_closed(to);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        };
        match link {
            Link::Late(by) => shared.wait_out(generation, by),
            Link::Slow(rate) => shared.wait_out(generation, Duration::from_secs_f64(read as f64 / f64::from(rate))),
            Link::Sound | Link::Refusing | Link::Frozen | Link::Stalled(_) | Link::Breaking(..) => {}
        }
        let (passing, breaks) = shared.breaks_after(way, read);
        if !write(to, &chunk[..passing], generation, shared) || breaks {
            break;
        }
    }
    if shared.lock().cut == Cut::Reset {
        reset_when_closed(client);
        reset_when_closed(server);
    } else {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }
}

/// Writes everything, however slowly it is taken; false when the connection ends before. A break that this very chunk
/// brought about must not keep its first bytes back.
fn write(mut to: &TcpStream, mut bytes: &[u8], generation: u64, shared: &Shared) -> bool {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return false,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if is_no_answer(error.kind()) && shared.link(generation).is_some() => {}
            Err(_) => return false,
        }
    }
    true
}

fn is_no_answer(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// With `SO_LINGER` of zero, closing sends RST (socket(7)).
fn reset_when_closed(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the descriptor is open while `stream` lives, and the pointer is to a live value of that size.
    unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size);
    }
}
