//! Configurations from the operations centre: staged, tried, kept or given up (docs/commands.md).
//!
//! The site file is the integrator's and is never written. A configuration of the centre lies in the state folder and *stands
//! over* the file that was in force when it was sent; another file, changed by whoever stands at the box, wins.
//!
//! # A trial
//! A configuration is checked while the one before it runs, written as a [`Trial`], and the program begins anew with it, as
//! the same process (execve(2)): nothing of the run before is left, whatever model, decoder or library the new one needs.
//! The [`Gate`] then looks whether the broker and every camera that was there before are there again. Only then is it
//! *applied*. The scheme is that of A/B updates (RAUC, Mender).
//!
//! # Invariants
//! - A trial that does not come to its end is given up at the next start, whatever ended it: a crash, a hang, the power, a
//!   person. It is marked as begun, durably, before anything of it is used; it is never tried a second time.
//! - What was in force before stays on disk until the next one is applied, and longer: `previous.json`.
//! - Neither who the box is, nor where it keeps things, nor who may look in, nor what hides people can be changed from afar, and
//!   no file and no secret comes to be used that the site file does not use, or for another host ([`limits`]).
//!
//! # Failure
//! A disk that cannot be written: nothing is tried. An applied configuration that cannot be used any more (a program that was
//! replaced, a pipeline that is gone): the site file is used, and that is said.

mod gate;
mod limits;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

pub use gate::Gate;
pub use store::{Configuration, Trial};

use self::store::{Ended, Store};
use crate::app::AppError;
use crate::config::{self, ConfigErrors, Document, Home, Site};
use crate::digest::sha256;
use crate::publish::wire::{AppliedConfiguration, ConfigApplyArguments, Reason, UtcMillis};
use crate::reset::StateLock;
use crate::secret::redacted_line;
use crate::trust::{self, TrustError};

/// Begins the first line of what `edge-agent command … config-fetch` prints: which configuration a text was made from.
pub const MADE_FROM: &str = "# configuration sha256:";

/// Characters of what is wrong with a configuration.
const MOST_DETAIL: usize = 380;

/// Why no configuration can be had.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The site file.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// It is not signed by one of the box's keys.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The state folder is another process's.
    #[error(transparent)]
    State(#[from] AppError),
}

impl ApplyError {
    /// Whether what is in the files is to blame.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Config(_) | Self::Trust(_) => true,
            Self::State(error) => error.is_configuration(),
        }
    }
}

/// The text of a site file that one of the box's keys signed, where it has keys, and what it amounts to.
///
/// # Errors
/// It has errors, or is not signed.
pub fn signed_site(file: &Path, home: &Home) -> Result<(String, Site), ApplyError> {
    let document = Document::read(file)?;
    let signer = trust::site_signer(file, document.text(), &home.keys()?)?;
    if let Some(signer) = &signer {
        tracing::info!(key = signer.key, comment = signer.comment, "the site file is signed");
    }
    // The text that was proved, whatever becomes of the file.
    let site = config::load_site_text(file, document.text(), home)?;
    Ok((document.text().to_owned(), Site { signed_by: signer.map(|signer| signer.key), ..site }))
}

/// How a configuration that was tried stands, for the command that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in force.
    Applied,
    /// It was given up, for this reason.
    GivenUp(String),
}

/// What is in force, and what may take its place. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    store: Store,
    site_file: PathBuf,
    home: Home,
    /// The site file: its text, what it amounts to, its digest.
    file: (String, Site),
    over: String,
    /// The text in force, and what it amounts to.
    text: String,
    site: Site,
    /// The configuration of the centre that is in force; `None`: the site file is.
    from_centre: Option<Configuration>,
    trial: Option<Trial>,
    ended: Option<Ended>,
}

impl Desk {
    /// What is to be in force of the site file and of what the centre sent, and the lock on the state folder that was needed
    /// to tell. A trial that was begun is given up; one that is waiting begins.
    ///
    /// # Errors
    /// The site file has errors, or the state folder is in use.
    pub fn open(site_file: &Path, home: &Home) -> Result<(Self, Option<StateLock>), ApplyError> {
        let (text, site) = signed_site(site_file, home)?;
        let store = Store::at(&site.storage.path);
        let over = sha256(&text);
        let mut desk = Self {
            ended: store.ended(),
            store,
            site_file: site_file.to_owned(),
            home: home.clone(),
            file: (text.clone(), site.clone()),
            over,
            text,
            site,
            from_centre: None,
            trial: None,
        };
        if !desk.store.exists() {
            return Ok((desk, None));
        }
        // Another process may be in the midst of a trial.
        let lock = StateLock::take(&desk.site.storage.path).map_err(AppError::State)?.ok_or(AppError::Locked)?;
        if !desk.begin_trial() {
            desk.use_applied();
        }
        Ok((desk, Some(lock)))
    }

    /// Whether there is a trial and it could begin.
    fn begin_trial(&mut self) -> bool {
        let trial = match self.store.trial() {
            Ok(Some(trial)) => trial,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(%error, "a configuration that was to be tried cannot be read; it is not tried");
                self.store.forget_trial();
                return false;
            }
        };
        let is_in_force = |applied: &Configuration| applied.id == trial.configuration.id;
        if self.store.applied().is_ok_and(|applied| applied.as_ref().is_some_and(is_in_force)) {
            // It passed, and the power went before that was tidied up.
            self.store.forget_trial();
            return false;
        }
        if trial.begun {
            self.end_trial(&trial, "the program ended before the trial was over");
            return false;
        }
        if trial.configuration.over != self.over {
            self.end_trial(&trial, "the site file was changed meanwhile: the file wins");
            return false;
        }
        let trial = Trial { begun: true, ..trial };
        // A trial that is not marked could be tried for ever.
        if let Err(error) = self.store.put_trial(&trial) {
            self.end_trial(&trial, &format!("it cannot be written: {error}"));
            return false;
        }
        match self.load(&trial.configuration) {
            Ok(site) => {
                tracing::warn!(command = %trial.configuration.id, by = trial.configuration.by, "a configuration of the centre is on trial");
                self.text.clone_from(&trial.configuration.text);
                self.site = site;
                self.from_centre = Some(trial.configuration.clone());
                self.trial = Some(trial);
                true
            }
            Err(errors) => {
                self.end_trial(&trial, &told(&errors));
                false
            }
        }
    }

    fn use_applied(&mut self) {
        let applied = match self.store.applied() {
            Ok(Some(applied)) => applied,
            Ok(None) => return,
            Err(error) => {
                self.notice(format!(
                    "the configuration of the centre cannot be read ({error}): the site file is in force"
                ));
                return;
            }
        };
        if applied.over != self.over {
            self.notice(format!(
                "the site file was changed since {} sent a configuration ({}): the file is in force",
                applied.by, applied.at
            ));
            return;
        }
        match self.load(&applied) {
            Ok(site) => {
                self.text.clone_from(&applied.text);
                self.site = site;
                self.notice(stands(&applied));
                self.from_centre = Some(applied);
            }
            Err(errors) => self.notice(format!(
                "what {} sent at {} cannot be used any more ({}): the site file is in force",
                applied.by,
                applied.at,
                told(&errors)
            )),
        }
    }

    fn notice(&mut self, notice: String) {
        self.site.notices.push(notice);
    }

    /// What it amounts to, where it is signed as the box's keys want it.
    fn load(&self, Configuration { text, signature, .. }: &Configuration) -> Result<Site, ApplyError> {
        let signer = trust::text_signer(text, signature.as_deref(), &self.home.keys()?)?;
        let site = config::load_site_text(&self.site_file, text, &self.home)?;
        Ok(Site { signed_by: signer.map(|signer| signer.key), ..site })
    }

    /// The site that is in force.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The trial that is under way.
    #[must_use]
    pub fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    /// What `birth` says of it.
    #[must_use]
    pub fn told(&self) -> Option<AppliedConfiguration> {
        let Configuration { id, by, at, .. } = self.from_centre.as_ref()?;
        Some(AppliedConfiguration { id: *id, by: by.clone(), at: *at, on_trial: self.trial.is_some() })
    }

    /// How the configuration that command `id` brought has ended; `None`: it has not, or is not known.
    #[must_use]
    pub fn fate(&self, id: Uuid) -> Option<Fate> {
        if let Some(ended) = self.ended.as_ref().filter(|ended| ended.id == id) {
            return Some(Fate::GivenUp(ended.why.clone()));
        }
        let applied = self.store.applied().ok().flatten();
        (self.trial.is_none() && applied.is_some_and(|applied| applied.id == id)).then_some(Fate::Applied)
    }

    /// Looks whether what a command brings could take the place of what is in force. Writes nothing.
    ///
    /// # Errors
    /// Why not, and what exactly is wrong.
    pub(crate) fn check(
        &self,
        id: Uuid,
        by: &str,
        now: UtcMillis,
        arguments: &ConfigApplyArguments,
    ) -> Result<Checked, (Reason, Option<String>)> {
        if arguments.base_sha256 != self.site.written.sha256() {
            return Err((Reason::StaleBase, Some(format!("in force: {}", self.site.written.sha256()))));
        }
        if arguments.text == self.text {
            return Ok(Checked::InForce);
        }
        let (over, text, signature) = (self.over.clone(), arguments.text.clone(), arguments.signature.clone());
        let configuration = Configuration { id, by: by.to_owned(), at: now, over, text, signature };
        let site = self.load(&configuration).map_err(|error| {
            let is_unsigned = matches!(error, ApplyError::Trust(_));
            let reason = if is_unsigned { Reason::NotSigned } else { Reason::InvalidConfiguration };
            (reason, Some(told(&error)))
        })?;
        // A signature is good for one change alone: an old text, signed once, does not come back.
        if site.signed_by.is_some() && made_from(&configuration.text) != Some(&arguments.base_sha256) {
            let detail = format!("a text that is signed begins with {MADE_FROM}{}", arguments.base_sha256);
            return Err((Reason::NotSigned, Some(detail)));
        }
        limits::refused((&self.file.0, &self.file.1), (&configuration.text, &site))
            .map_err(|what| (Reason::NotFromAfar, Some(shortened(&what))))?;
        Ok(Checked::New(Box::new(configuration)))
    }

    /// Writes what was checked, to be tried at the next start. `expected` are the cameras that are there now.
    ///
    /// # Errors
    /// The disk's; nothing will be tried.
    pub(crate) fn stage(&self, configuration: Configuration, expected: Vec<String>) -> io::Result<()> {
        self.store.put_trial(&Trial { configuration, expected, begun: false })
    }

    /// The trial has passed: what was tried is in force from now on.
    ///
    /// # Errors
    /// The disk's; it is still on trial.
    pub(crate) fn keep(&self) -> io::Result<()> {
        self.trial.as_ref().map_or(Ok(()), |trial| self.store.apply(&trial.configuration))
    }

    /// The trial has failed: at the next start what was in force before is again. Whether there was one.
    pub fn give_up(&mut self, why: &str) -> bool {
        let Some(trial) = self.trial.take() else { return false };
        self.end_trial(&trial, why);
        true
    }

    /// What cannot be written is true all the same: a trial that was begun is given up at the next start.
    fn end_trial(&mut self, trial: &Trial, why: &str) {
        let ended = Ended { id: trial.configuration.id, why: shortened(why) };
        tracing::error!(command = %ended.id, why = ended.why, "a configuration of the centre is given up");
        if let Err(error) = self.store.end(&ended) {
            tracing::error!(%error, "that a configuration was given up is not written");
        }
        self.ended = Some(ended);
    }
}

/// Says what of the centre stands over a site file; `None`: nothing, the file is what `run` uses.
#[must_use]
pub fn over(site_file: &Path, site: &Site) -> Option<String> {
    let applied = Store::at(&site.storage.path).applied().ok().flatten()?;
    let text = std::fs::read_to_string(site_file).ok()?;
    (applied.over == sha256(&text)).then(|| stands(&applied))
}

fn stands(applied: &Configuration) -> String {
    let Configuration { by, at, .. } = applied;
    format!(
        "in force is what {by} sent at {at}, over the site file; a change to that file puts the file in force again"
    )
}

/// Which configuration a text says that it was made from.
#[must_use]
pub fn made_from(text: &str) -> Option<&str> {
    Some(text.lines().next()?.strip_prefix(MADE_FROM)?.trim())
}

/// What a configuration that was sent amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is the one in force.
    InForce,
    /// It may be tried.
    New(Box<Configuration>),
}

/// The first error, and how many more there are; the file's name says nothing to who sent a text.
fn told(error: &ApplyError) -> String {
    let ApplyError::Config(errors) = error else { return shortened(&error.to_string()) };
    let Some(first) = errors.0.first() else { return String::new() };
    let line = first.line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let key = if first.key.is_empty() { String::new() } else { format!("{}: ", first.key) };
    let more = errors.0.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    let cure = if first.cure.is_empty() { String::new() } else { format!("; {}", first.cure) };
    shortened(&format!("{line}{key}{}{cure}{more}", first.what))
}

fn shortened(text: &str) -> String {
    redacted_line(text, MOST_DETAIL)
}
