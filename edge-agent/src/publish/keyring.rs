//! The certificates in use, and their rotation without a restart.
//!
//! The files are looked at every few seconds while there is a connection, and before every attempt to make one. New ones
//! are used only once they stand still, parse, belong together, are valid now, and the broker has taken them on a
//! connection beside the one in use; until then, and if any of that fails, what works stays in use and the status says
//! which file is wrong and what to do.
//!
//! # Ownership
//! One [`Keyring`] a publisher, which asks it for what to connect with; health and status page read its status.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::tokio_rustls::rustls::ClientConfig;
use tokio::sync::watch;

use super::tls::{Loaded, TlsError, TlsParams, Validity};
use super::wire::UtcMillis;

/// How often the files are looked at; a change is used after two looks that find the same. Looking costs a `stat` a file.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After the broker has refused new certificates, they are tried again after this: it may be the broker that lags.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// How the certificates are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// This box's, with its chain; `None`: it shows none.
    pub own: Option<Validity>,
    /// The authority's in the file that the broker is checked against.
    pub authority: Option<Validity>,
    /// The broker's, as shown at the last connection.
    pub broker: Option<Validity>,
    /// `1.2` or `1.3`, as spoken at the last connection.
    pub tls_version: Option<&'static str>,
    /// Why new files are not used, with the file and the cure, on one line.
    pub problem: Option<String>,
}

/// Shared by all who connect as this box.
#[derive(Debug, Clone)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    params: TlsParams,
    state: Mutex<State>,
    told: watch::Sender<Certificates>,
}

#[derive(Debug, Default)]
struct State {
    /// The broker took these, or there are no others yet.
    in_use: Option<Loaded>,
    /// Good in themselves; the broker has not been asked.
    candidate: Option<Loaded>,
    /// The files that were read last.
    judged: Option<Files>,
    /// The files as the last look found them.
    noticed: Option<Files>,
    /// Why what was read last is not used.
    problem: Option<String>,
    try_again_at: Option<Instant>,
    /// Others are in use since it was last asked.
    rotated: bool,
}

/// What tells a file from its successor: the place, and device, inode, size and times there; none, where there is no file.
type Files = Vec<(PathBuf, Option<[i64; 7]>)>;

impl Keyring {
    /// Of these files, not read yet.
    #[must_use]
    pub fn new(params: TlsParams) -> Self {
        let (told, _) = watch::channel(Certificates::default());
        Self(Arc::new(Inner { params, state: Mutex::default(), told }))
    }

    /// How they are.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Certificates> {
        self.0.told.subscribe()
    }

    /// What to connect with now: new files where they can be used, else what was in use before. Blocks on the disk.
    pub(super) fn current(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut state = self.state();
        let files = self.files();
        let nothing = state.candidate.is_none() && state.in_use.is_none();
        let judged =
            if nothing || state.judged.as_ref() != Some(&files) { self.judge(&mut state, files) } else { Ok(()) };
        self.tell(&state);
        let chosen = state.candidate.as_ref().or(state.in_use.as_ref());
        match (chosen, judged) {
            (Some(loaded), _) => Ok(loaded.config()),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => unreachable!("what is judged good is the candidate"),
        }
    }

    /// Looks at the files; whether there are new ones to be tried at the broker. Blocks on the disk.
    pub(super) fn look(&self) -> bool {
        let mut state = self.state();
        let files = self.files();
        let stands_still = state.noticed.as_ref() == Some(&files);
        state.noticed = Some(files.clone());
        let is_new = state.judged.as_ref() != Some(&files);
        let again = state.try_again_at.is_some_and(|at| at <= Instant::now());
        if stands_still && (is_new || again) {
            if let Err(error) = self.judge(&mut state, files) {
                tracing::warn!(%error, "new certificate files are not used");
            }
            self.tell(&state);
        }
        state.candidate.is_some()
    }

    /// The broker took what it was shown: that is in use from now on.
    pub(super) fn accepted(&self) {
        let mut state = self.state();
        if let Some(candidate) = state.candidate.take() {
            state.rotated |= state.in_use.replace(candidate).is_some();
            state.problem = None;
        }
        self.tell(&state);
    }

    /// What is in use, if it took the place of others since this was last asked.
    pub(super) fn take_rotation(&self) -> Option<Certificates> {
        let rotated = std::mem::take(&mut self.state().rotated);
        rotated.then(|| self.0.told.borrow().clone())
    }

    /// The broker did not: what was in use before stays so, where there is such.
    pub(super) fn refused(&self, why: &str) {
        let mut state = self.state();
        if state.in_use.is_some() && state.candidate.take().is_some() {
            state.problem = Some(format!(
                "new certificate files are not used, the old ones still are: {why}; is the broker ready for them?"
            ));
            state.try_again_at = Some(Instant::now() + REFUSED_PAUSE);
        }
        self.tell(&state);
    }

    /// What is wrong with the time of what was shown.
    pub(super) fn untimely(&self) -> Option<TlsError> {
        let state = self.state();
        let shown = state.candidate.as_ref().or(state.in_use.as_ref())?;
        shown.is_timely(UtcMillis::now()).err()
    }

    /// Reads the files; what is good becomes the candidate, or what is in use where there was nothing.
    fn judge(&self, state: &mut State, files: Files) -> Result<(), TlsError> {
        state.judged = Some(files);
        state.try_again_at = None;
        let loaded = self.0.params.load().and_then(|loaded| match &state.in_use {
            // Its time is over, and so is that of what it would replace: the broker may judge.
            Some(in_use) if in_use.is_timely(UtcMillis::now()).is_ok() => {
                loaded.is_timely(UtcMillis::now()).map(|()| loaded)
            }
            _ => Ok(loaded),
        });
        match loaded {
            Ok(loaded) => {
                let is_same = state.in_use.as_ref().is_some_and(|in_use| in_use.holds_the_same_as(&loaded));
                state.candidate = (!is_same).then_some(loaded);
                state.problem = None;
                Ok(())
            }
            Err(error) => {
                let has_other = state.in_use.is_some() || state.candidate.is_some();
                state.problem = has_other.then(|| {
                    format!("new certificate files are not used, the old ones still are: {}", on_one_line(&error))
                });
                Err(error)
            }
        }
    }

    fn files(&self) -> Files {
        let stamp = |path: &PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            let (id, size) = ([found.dev(), found.ino()], found.size());
            let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
            Some([id[0].cast_signed(), id[1].cast_signed(), size.cast_signed(), times[0], times[1], times[2], times[3]])
        };
        self.0.params.files().map(|path| (path.clone(), stamp(&path))).collect()
    }

    fn tell(&self, state: &State) {
        let shown = state.in_use.as_ref().or(state.candidate.as_ref());
        let now = Certificates {
            own: shown.and_then(|loaded| loaded.own.clone()),
            authority: shown.and_then(Loaded::authority),
            broker: shown.and_then(|loaded| loaded.seen.validity()),
            tls_version: shown.and_then(|loaded| loaded.seen.version()),
            problem: state.problem.clone(),
        };
        self.0.told.send_if_modified(|told| {
            let changed = *told != now;
            *told = now;
            changed
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its cure, as it is logged and shown.
pub(super) fn on_one_line(error: &TlsError) -> String {
    error.to_string().replace("\n    → ", "; ")
}
