//! Putting a bundle's content in place: all of it or nothing, with what was there before kept beside it.
//!
//! # Failure
//! Whatever is refused, and a cut of the power at any moment, leaves what was in place in place: a model's folder is
//! exchanged in one call of the system, a site file is renamed in one, between two proofs of which one always fits.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::bundle::{Bundle, archive_of_site, new_file, signature_of};
use super::contents::{Content, Contents};
use super::make::{classes_of, files_of};
use super::proof::{PROOF, Proof, beside, model_signer, proofs_of};
use super::{Keys, Signer, TrustError};
use crate::config::{Home, Site, load_site_text};
use crate::detect::manifest::{Manifest, Model};
use crate::durable::sync_folder;

/// Where a bundle is unpacked and judged, in the folder of models.
const STAGED: &str = ".staged";
/// Where the model that was in place before is kept, in the folder of models.
const FORMER: &str = ".former";

/// What a bundle must be to be let in.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The keys of which one must have signed it.
    pub keys: &'a Keys,
    /// Let in a version that is not above the one in place.
    pub allow_older: bool,
    /// Let in what nobody signed, where no key is installed.
    pub allow_unsigned: bool,
}

/// A bundle that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What it holds.
    pub contents: Contents,
    /// Who signed it.
    pub signer: Option<Signer>,
    /// The version that was in place, where that came from a bundle.
    pub former: Option<u32>,
}

impl Demand<'_> {
    /// Who signed it, and the signature; `None` where no key is installed and that is allowed.
    fn admit(&self, bundle: &mut Bundle) -> Result<Option<(Signer, String)>, TrustError> {
        match (self.keys.is_empty(), self.allow_unsigned) {
            (false, _) => bundle.signer(self.keys).map(Some),
            (true, true) => Ok(None),
            (true, false) => Err(TrustError::NoKeys),
        }
    }

    /// That the version rises; the one in place.
    fn rises(&self, contents: &Contents, in_place: &Path) -> Result<Option<u32>, TrustError> {
        // What is there and no proof says nothing of a version.
        let installed = Proof::read(in_place).ok().flatten().and_then(|proof| proof.contents().ok());
        let installed = installed.map(|contents| contents.version);
        match installed {
            Some(installed) if contents.version <= installed && !self.allow_older => {
                Err(TrustError::Older { name: contents.name.clone(), version: contents.version, installed })
            }
            installed => Ok(installed),
        }
    }
}

/// Puts a model into the folder of models `into`, which is made where it is missing. `judge` opens the network, so that one
/// that does not run is not put in place.
///
/// # Errors
/// [`TrustError`]; the folder's models are then as they were.
pub fn install_model(
    bundle: &mut Bundle,
    into: &Path,
    demand: Demand<'_>,
    judge: impl Fn(&Model) -> Result<(), TrustError>,
) -> Result<Installed, TrustError> {
    let admitted = demand.admit(bundle)?;
    let (_, contents) = bundle.contents()?;
    if !matches!(contents.content, Content::Model { .. }) {
        return Err(TrustError::NotABundle("it holds no model".to_owned()));
    }
    let place = into.join(&contents.name);
    let former = demand.rises(&contents, &place.join(PROOF))?;
    let not_writable = |error| TrustError::NotWritable { path: into.to_owned(), error };
    make_folder(into).map_err(not_writable)?;
    let folder = File::open(into).map_err(not_writable)?;
    folder.try_lock().map_err(|_| TrustError::Busy(into.to_owned()))?;
    let staged = Staged::make(into.join(STAGED)).map_err(not_writable)?;
    let new = staged.0.join(&contents.name);
    let (text, unpacked) = bundle.unpack(&new)?;
    let (signer, signature) = admitted.unzip();
    let proof = Proof { contents: text, signature };
    write_new(&new.join(PROOF), proof.text().as_bytes()).map_err(not_writable)?;
    let readable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&new, readable).map_err(not_writable)?;
    // Proved as it will be at every start, so that it is the unpacked files that were signed.
    model_signer(&new, demand.keys)?;
    let model = model_in(&new, &unpacked)?;
    judge(&model)?;
    put_in_place(&new, &place, &into.join(FORMER).join(&contents.name)).map_err(not_writable)?;
    Ok(Installed { contents: unpacked, signer, former })
}

/// Makes the folder of models, for the service to read.
fn make_folder(into: &Path) -> io::Result<()> {
    if into.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(into)?;
    fs::set_permissions(into, fs::Permissions::from_mode(0o755))
}

/// The model of an unpacked bundle, which must be what `bundle.toml` says of it, and nothing else.
fn model_in(folder: &Path, contents: &Contents) -> Result<Model, TrustError> {
    let manifest = Manifest::load(folder).map_err(TrustError::not_usable)?;
    let model = manifest.verify(&[]).map_err(TrustError::not_usable)?;
    let says = Content::Model { licence: manifest.licence.clone(), classes: classes_of(&model) };
    let names = files_of(&model).map(|(name, _)| name);
    if contents.content != says || !contents.files.iter().map(|file| &file.name).eq(names.iter()) {
        return Err(TrustError::NotABundle("bundle.toml and model.toml differ".to_owned()));
    }
    Ok(model)
}

/// Puts a site file in the place of `site_file`, or there where there is none yet.
///
/// # Errors
/// [`TrustError`]; the site file is then as it was.
pub fn install_configuration(
    bundle: &mut Bundle,
    site_file: &Path,
    home: &Home,
    demand: Demand<'_>,
) -> Result<(Installed, Site), TrustError> {
    let admitted = demand.admit(bundle)?;
    let (contents_text, contents, text) = bundle.site_text()?;
    let Content::Configuration { site: site_id, r#box: box_id } = &contents.content else {
        return Err(TrustError::NotABundle("it holds no configuration".to_owned()));
    };
    let (signer, signature) = admitted.unzip();
    if let Some(signature) = &signature {
        // What is proved is the text in hand.
        let whole = archive_of_site(&contents_text, &contents, &text).ok_or(TrustError::WrongSignature)?;
        demand.keys.verify_all(whole, signature)?;
    }
    let site = load_site_text(site_file, &text, home).map_err(TrustError::not_usable)?;
    let of_bundle = format!("{site_id}/{box_id}");
    if of_bundle != format!("{}/{}", site.id, site.box_id) {
        return Err(TrustError::NotABundle("bundle.toml and site.toml name different boxes".to_owned()));
    }
    let here = box_of(site_file);
    if let Some(here) = here.filter(|here| *here != of_bundle) {
        return Err(TrustError::OtherBox { bundle: of_bundle, here });
    }
    let former = demand.rises(&contents, &proofs_of(site_file)[0])?;
    let proof = Proof { contents: contents_text, signature };
    put_site_in_place(site_file, &text, &proof)?;
    Ok((Installed { contents, signer, former }, site))
}

/// Site and box of the file that is there, as far as it can be read.
fn box_of(site_file: &Path) -> Option<String> {
    let table: toml::Table = fs::read_to_string(site_file).ok()?.parse().ok()?;
    let id = |section: &str| table.get(section)?.get("id")?.as_str().map(str::to_owned);
    Some(format!("{}/{}", id("site")?, id("box")?))
}

/// The file, its proof, and those that they take the place of: whenever the power goes, the site file there is one that a
/// proof beside it fits.
fn put_site_in_place(site_file: &Path, text: &str, proof: &Proof) -> Result<(), TrustError> {
    let not_writable = |error| TrustError::NotWritable { path: site_file.to_owned(), error };
    let [in_place, next] = proofs_of(site_file);
    let former = beside(site_file, "former");
    if site_file.exists() {
        let pairs = [
            (site_file.to_owned(), former.clone()),
            (in_place.clone(), proofs_of(&former)[0].clone()),
            (signature_of(site_file), signature_of(&former)),
        ];
        for (from, to) in pairs {
            match fs::read(&from) {
                Ok(content) => write_like(&to, &content, site_file).map_err(not_writable)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&to).map_err(not_writable)?,
                Err(error) => return Err(TrustError::Unreadable { path: from, error }),
            }
        }
    }
    let put = || {
        write_like(&next, proof.text().as_bytes(), site_file)?;
        write_like(site_file, text.as_bytes(), site_file)?;
        fs::rename(&next, &in_place)?;
        // That of the former file fits no more.
        remove(&signature_of(site_file))?;
        sync_folder(folder_of(site_file))
    };
    put().map_err(not_writable)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Replaces a file whole, for those to read who could read `like`: by default the owner and the folder's group.
fn write_like(path: &Path, content: &[u8], like: &Path) -> io::Result<()> {
    let (mode, uid, gid) = match fs::metadata(like) {
        Ok(like) => (like.mode() & 0o777, like.uid(), like.gid()),
        Err(_) => {
            let folder = fs::metadata(folder_of(like))?;
            (0o640, folder.uid(), folder.gid())
        }
    };
    let unfinished = beside(path, "part");
    remove(&unfinished)?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    fchown(&file, Some(uid), Some(gid))?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_folder(folder_of(path))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = new_file(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A folder that is gone when this is.
struct Staged(PathBuf);

impl Staged {
    /// What an install that was cut off left is removed.
    fn make(path: PathBuf) -> io::Result<Self> {
        let staged = Self(path);
        staged.remove()?;
        fs::create_dir(&staged.0)?;
        Ok(staged)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// Exchanges two folders, or renames where there is nothing to exchange with; what was in place becomes the former one.
fn put_in_place(new: &Path, place: &Path, former: &Path) -> io::Result<()> {
    if place.symlink_metadata().is_err() {
        fs::rename(new, place)?;
        return sync_folder(folder_of(place));
    }
    exchange(new, place)?;
    sync_folder(folder_of(place))?;
    fs::create_dir_all(folder_of(former))?;
    match fs::remove_dir_all(former) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(new, former)?;
    sync_folder(folder_of(former))
}

/// renameat2(2) with `RENAME_EXCHANGE`: at every moment both names are there.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
    let (one, other) = (path(one)?, path(other)?);
    // SAFETY: two C strings that live through the call.
    let done =
        unsafe { libc::renameat2(libc::AT_FDCWD, one.as_ptr(), libc::AT_FDCWD, other.as_ptr(), libc::RENAME_EXCHANGE) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
