//! Links to broker and cameras that break again and again, each time otherwise, by a fixed seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use benches::numbers::Numbers;

use crate::Watch;
use crate::proxy::{Cut, Link, Proxy, Way};

/// Which choices are made.
const SEED: u64 = 7;

/// A fault lasts this long at most, in seconds.
const LASTS_S: (f32, f32) = (0.5, 12.0);

/// Makes faults until it ends.
pub(crate) struct Trouble {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    broker: Proxy,
    cameras: Proxy,
    made: AtomicU64,
    kinds: Mutex<BTreeMap<&'static str, u64>>,
    stopped: AtomicBool,
}

impl Trouble {
    /// Puts links before broker and cameras of `watch`, and breaks one of them every so often.
    pub(crate) fn start(watch: &mut Watch, every: Duration) -> anyhow::Result<Self> {
        let (broker, camera) = (authority(&watch.broker)?, authority(watch.camera.first().context("a camera")?)?);
        let [to_broker, to_cameras] = [Proxy::start(broker)?, Proxy::start(camera)?];
        let by = |proxy: &Proxy| format!("127.0.0.1:{}", proxy.port());
        watch.broker = watch.broker.replace(&broker.to_string(), &by(&to_broker));
        for url in watch.camera.iter_mut().chain(&mut watch.record) {
            *url = url.replace(&camera.to_string(), &by(&to_cameras));
        }
        let shared = Arc::new(Shared {
            broker: to_broker,
            cameras: to_cameras,
            made: AtomicU64::new(0),
            kinds: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut numbers = Numbers::new(SEED);
                while !shared.waits(every) {
                    shared.make(&mut numbers);
                }
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How many faults so far.
    pub(crate) fn made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// Ends it; how often which fault was made.
    pub(crate) fn end(mut self) -> String {
        self.stop();
        let kinds = self.shared.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.iter().map(|(kind, times)| format!("{kind} {times}")).collect::<Vec<_>>().join(", ")
    }

    fn stop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Lets time pass; whether it is over.
    fn waits(&self, length: Duration) -> bool {
        let until = std::time::Instant::now() + length;
        while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
            if self.stopped.load(Ordering::Relaxed) {
                return true;
            }
            std::thread::park_timeout(left);
        }
        false
    }

    fn make(&self, numbers: &mut Numbers) {
        let (name, link) = match numbers.bits() % 9 {
            0 => ("reset", None),
            1 => ("closed", None),
            2 => ("refusing", Some(Link::Refusing)),
            3 => ("frozen", Some(Link::Frozen)),
            4 => ("stalled up", Some(Link::Stalled(Way::Up))),
            5 => ("stalled down", Some(Link::Stalled(Way::Down))),
            6 => ("late", Some(Link::Late(Duration::from_millis(300)))),
            7 => ("256 kbit/s", Some(Link::Slow(32_000))),
            _ => ("broken in a packet", Some(Link::Breaking(Way::Up, numbers.bits() % 9000))),
        };
        // Every third is the cameras'.
        let proxy = if numbers.bits().is_multiple_of(3) { &self.cameras } else { &self.broker };
        match link {
            None => proxy.cut(if name == "reset" { Cut::Reset } else { Cut::Close }),
            Some(link) => {
                if link == Link::Refusing {
                    proxy.cut(Cut::Reset);
                }
                proxy.set(link);
                let _ = self.waits(Duration::from_secs_f32(numbers.between(LASTS_S.0, LASTS_S.1)));
                proxy.set(Link::Sound);
            }
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        *self.kinds.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }
}

/// Where `url` leads.
fn authority(url: &str) -> anyhow::Result<SocketAddr> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.parse().with_context(|| format!("{url} names no address"))
}
