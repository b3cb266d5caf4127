//! Processes: signals, and output that is read while they run.

use std::io::Read;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longer than a program takes for anything in these tests on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Sends a signal, by its name without SIG.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill -s {name} {pid}");
}

/// What a process writes, collected by a thread until it ends.
#[derive(Clone)]
pub struct Output(Arc<(Mutex<Collected>, Condvar)>);

#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    /// Reads `pipe` from now on.
    pub fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let collecting = output.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            loop {
                let read = pipe.read(&mut chunk).unwrap_or(0);
                let mut collected = collecting.lock();
                collected.bytes.extend_from_slice(&chunk[..read]);
                collected.ended = read == 0;
                collecting.0.1.notify_all();
                if collected.ended {
                    return;
                }
            }
        });
        output
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits until a line of the output holds `words`; that line.
    pub fn line_with(&self, words: &str) -> String {
        let find = |collected: &Collected| {
            let text = String::from_utf8_lossy(&collected.bytes);
            text.lines().find(|line| line.contains(words)).map(str::to_owned)
        };
        let found = self.wait(|collected| collected.ended || find(collected).is_some());
        let line = found.as_deref().and_then(find);
        // What follows locks it again.
        drop(found);
        line.unwrap_or_else(|| panic!("never said: {words}\n{}", self.text()))
    }

    /// Waits until the process has closed it; false when it does not in time.
    pub fn ends(&self) -> bool {
        self.wait(|collected| collected.ended).is_some()
    }

    fn wait(&self, is_so: impl Fn(&Collected) -> bool) -> Option<MutexGuard<'_, Collected>> {
        let deadline = Instant::now() + DEADLINE;
        let mut collected = self.lock();
        while !is_so(&collected) {
            let left = deadline.checked_duration_since(Instant::now())?;
            collected = self.0.1.wait_timeout(collected, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(collected)
    }
}
