//! Fetching a model's weights: from the manifest's address, or from a folder (a stick in the cabinet).
//!
//! # Invariants
//! - Weights appear under their name only when they are whole and their SHA-256 is the manifest's: they are written beside
//!   it as `.NAME.part`, synced, proven, renamed.
//! - What was fetched before a break is kept and continued (RFC 9110, range requests); what is wrong is thrown away.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::manifest::{Manifest, ModelError, sha256};

/// Time for name, TCP and TLS, each.
const CONNECT: Duration = Duration::from_secs(15);
/// Time until the server answers.
const ANSWER: Duration = Duration::from_secs(30);
/// Time for the whole file: 256 kbit/s for an hour are 115 MB. What came is kept.
const WHOLE: Duration = Duration::from_secs(3600);
/// No detector for a cabinet is larger; a server that never ends must not fill the disk.
const MOST_BYTES: u64 = 2 << 30;

/// Where weights come from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The address in the manifest.
    Address,
    /// A folder that holds them, under any name that ends with `.onnx`.
    Folder(&'a Path),
}

/// Weights that are there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub path: PathBuf,
    /// They were there already.
    pub already: bool,
}

/// Why weights cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody publishes them at an address that stays.
    #[error(
        "{model}: its manifest has no address to fetch {file} from\n    → get it by hand ({origin}), then: edge-agent models \
         pull {model} --from FOLDER"
    )]
    NoAddress {
        /// The model.
        model: String,
        /// The weights' file name.
        file: String,
        /// What the manifest says of where they come from.
        origin: String,
    },
    /// The server cannot be reached, or the transfer broke off.
    #[error("{url}: {problem}\n    → {cure}")]
    Network {
        /// The address.
        url: String,
        /// Why.
        problem: String,
        /// What to do.
        cure: String,
    },
    /// The server has no such file.
    #[error(
        "{url}: the server answers {status}\n    → get {file} elsewhere (sha256 {sha256}), then: edge-agent models pull \
         NAME --from FOLDER"
    )]
    Refused {
        /// The address.
        url: String,
        /// Its status.
        status: StatusCode,
        /// The weights' file name.
        file: String,
        /// What they must be.
        sha256: String,
    },
    /// Not the weights that the manifest describes.
    #[error(
        "{from}: its sha256 is {found}, the manifest says {expected}; nothing was kept\n    → the file was changed or \
         damaged at its origin: do not use it"
    )]
    Differs {
        /// Where it came from.
        from: String,
        /// By the manifest.
        expected: String,
        /// What came.
        found: String,
    },
    /// The folder does not hold them.
    #[error("{}: no .onnx file in it is {file} (sha256 {sha256})\n    → name the folder that holds it", dir.display())]
    NotInFolder {
        /// The folder.
        dir: PathBuf,
        /// The weights' file name.
        file: String,
        /// What they must be.
        sha256: String,
    },
    /// The target cannot be written.
    #[error(
        "{} cannot be written: {problem}\n    → run it as a user who may (sudo), or name another folder: --to FOLDER, and \
         start edge-agent with --models-dir FOLDER", path.display()
    )]
    NotWritable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        problem: io::Error,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Puts the model's weights into the folder `into`, which is made where it is missing. `progress` is told bytes so far,
/// and of how many where that is known.
///
/// # Errors
/// [`FetchError`]; the weights' file is then as it was before.
pub fn fetch(
    manifest: &Manifest,
    origin: Origin<'_>,
    into: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Fetched, FetchError> {
    let path = into.join(&manifest.file);
    if path.is_file() && sha256(&path)? == manifest.sha256 {
        return Ok(Fetched { path, already: true });
    }
    let part = Part { path: into.join(format!(".{}.part", manifest.file)) };
    // Looked for before anything is made.
    let (from, resumed) = match origin {
        Origin::Folder(dir) => {
            let found = in_folder(manifest, dir)?;
            make_folder(into)?;
            part.copy(&found, progress)?;
            (found.display().to_string(), false)
        }
        Origin::Address => {
            let url = manifest.url.clone().ok_or_else(|| no_address(manifest))?;
            make_folder(into)?;
            let resumed = download(manifest, &url, &part, progress)?;
            (url, resumed)
        }
    };
    let found = sha256(&part.path)?;
    if found == manifest.sha256 {
        part.publish(&path)?;
        return Ok(Fetched { path, already: false });
    }
    part.discard();
    if resumed {
        // What was kept from before may have been the wrong half.
        return fetch(manifest, origin, into, progress);
    }
    Err(FetchError::Differs { from, expected: manifest.sha256.clone(), found })
}

fn no_address(manifest: &Manifest) -> FetchError {
    let Manifest { name, file, source, .. } = manifest.clone();
    FetchError::NoAddress { model: name, file, origin: source }
}

fn make_folder(into: &Path) -> Result<(), FetchError> {
    fs::create_dir_all(into).map_err(|problem| FetchError::NotWritable { path: into.to_owned(), problem })
}

/// The file of the folder that is the weights; where there is none and one has their name, its digest is told.
fn in_folder(manifest: &Manifest, dir: &Path) -> Result<PathBuf, FetchError> {
    if let Some(found) = manifest.find_in(dir)? {
        return Ok(found);
    }
    let (named, expected) = (dir.join(&manifest.file), manifest.sha256.clone());
    if named.is_file() {
        return Err(FetchError::Differs { found: sha256(&named)?, from: named.display().to_string(), expected });
    }
    Err(FetchError::NotInFolder { dir: dir.to_owned(), file: manifest.file.clone(), sha256: expected })
}

/// The file that becomes the weights.
struct Part {
    path: PathBuf,
}

impl Part {
    fn not_writable(&self) -> impl Fn(io::Error) -> FetchError + '_ {
        |problem| FetchError::NotWritable { path: self.path.clone(), problem }
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Opened at its end, or anew.
    fn open(&self, keep: bool) -> Result<File, FetchError> {
        let opened = File::options().create(true).append(keep).write(true).truncate(!keep).open(&self.path);
        opened.map_err(self.not_writable())
    }

    fn copy(&self, from: &Path, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<(), FetchError> {
        let unreadable = |problem| ModelError::Unreadable { path: from.to_owned(), problem };
        let mut source = File::open(from).map_err(unreadable)?;
        let total = source.metadata().map(|metadata| metadata.len()).ok();
        let mut file = self.open(false)?;
        let copied = pump(&mut source, &mut file, 0, total, progress);
        let synced = copied.and_then(|_| file.sync_all().map_err(Broken::Write));
        synced.map_err(|broken| {
            self.discard();
            match broken {
                Broken::Read(problem) => unreadable(problem).into(),
                Broken::Write(problem) => self.not_writable()(problem),
            }
        })
    }

    /// Proven: takes the name, for good.
    fn publish(&self, path: &Path) -> Result<(), FetchError> {
        fs::rename(&self.path, path).map_err(self.not_writable())?;
        if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
            // The name is there; that it survives a power cut is the last thing to be had.
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn discard(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Which side of a copy failed.
enum Broken {
    Read(io::Error),
    Write(io::Error),
}

fn pump(
    from: &mut dyn Read,
    to: &mut File,
    start: u64,
    total: Option<u64>,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<u64, Broken> {
    let (mut chunk, mut done) = (vec![0; 64 * 1024], start);
    loop {
        progress(done, total);
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(done),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Broken::Read(error)),
        };
        to.write_all(&chunk[..read]).map_err(Broken::Write)?;
        done += read as u64;
        if done > MOST_BYTES {
            return Err(Broken::Read(io::Error::other("it does not end: no weights are this large")));
        }
    }
}

/// Fetches the rest of the part; whether some of it was there before.
fn download(
    manifest: &Manifest,
    url: &str,
    part: &Part,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<bool, FetchError> {
    let network =
        |problem: String, cure: &str| FetchError::Network { url: url.to_owned(), problem, cure: cure.to_owned() };
    let have = part.len();
    let response = request(url, have).map_err(|problem| {
        network(problem, "is there a way to the internet? else fetch it elsewhere and use --from")
    })?;
    let keep = match response.status() {
        StatusCode::OK => false,
        StatusCode::PARTIAL_CONTENT if continues_at(&response, have) => true,
        StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if have > 0 => {
            part.discard();
            return download(manifest, url, part, progress);
        }
        status => {
            let (url, file, sha256) = (url.to_owned(), manifest.file.clone(), manifest.sha256.clone());
            return Err(FetchError::Refused { url, status, file, sha256 });
        }
    };
    let start = if keep { have } else { 0 };
    let total = response.body().content_length().map(|rest| start + rest);
    let mut file = part.open(keep)?;
    let mut body = response.into_body();
    match pump(&mut body.as_reader(), &mut file, start, total, progress) {
        Ok(done) if total.is_some_and(|total| done < total) => {
            Err(network(format!("broke off after {done} bytes"), "run it again: it goes on from there"))
        }
        Ok(_) => file.sync_all().map_err(part.not_writable()).map(|()| keep),
        Err(Broken::Write(problem)) => Err(part.not_writable()(problem)),
        Err(Broken::Read(problem)) => {
            if part.len() > MOST_BYTES {
                part.discard();
            }
            Err(network(format!("broke off: {problem}"), "run it again: it goes on from there"))
        }
    }
}

/// Whether the answer begins where the part ends.
fn continues_at(response: &Response<Body>, have: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
    have > 0 && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

fn request(url: &str, have: u64) -> Result<Response<Body>, String> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_recv_body(Some(WHOLE))
        .user_agent(concat!("edge-agent/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("https:") {
        config = config.https_only(true).tls_config(tls()?);
    }
    let request = Agent::new_with_config(config.build()).get(url);
    let request = if have > 0 { request.header("range", format!("bytes={have}-")) } else { request };
    request.call().map_err(|error| error.to_string())
}

/// The authorities that this machine trusts (`SSL_CERT_FILE` names others).
fn tls() -> Result<TlsConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let authorities: Vec<Certificate<'static>> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    if authorities.is_empty() {
        return Err("this machine trusts no authority: apt install ca-certificates".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = RootCerts::Specific(Arc::new(authorities));
    Ok(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build())
}
