//! A bundle as a file: a plain archive in one form only, and its signature beside it.
//!
//! # Invariants
//! - A bundle is, byte for byte, what [`write`] makes of its files: `bundle.toml`, then the files it lists, then the end.
//!   Another order, another entry, a link, a path, a second entry of a name, bytes after the end: none of it is that. So
//!   there is no archive to be parsed, only one to be compared, and the archive can be made again from what was unpacked:
//!   that is how a kept signature is proved later ([`Proof`](super::Proof)).
//! - What is unpacked goes under names that [`Contents::parse`] let pass, into a new folder, into new files.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::contents::{BundleFile, CONTENTS, Contents, LARGEST_TEXT, SITE_FILE};
use super::keys::{Signer, small_text};
use super::proof::beside;
use super::{Keys, TrustError};
use crate::digest::{self, sha256_of};
use crate::tar::{BLOCK, END, header, padding};

/// A bundle's files carry no time: when it was made stands in `bundle.toml`.
const NO_TIME: u64 = 0;

/// An open bundle.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    file: File,
}

impl Bundle {
    /// Opens the file.
    ///
    /// # Errors
    /// [`TrustError::Unreadable`].
    pub fn open(path: &Path) -> Result<Self, TrustError> {
        let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
        let file = File::open(path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("it is not a file")));
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Proves who signed it, by the text of the file beside it (`FILE.minisig`), which is given back.
    ///
    /// # Errors
    /// [`TrustError::Unsigned`], and what [`Keys::verify_all`] gives.
    pub fn signer(&mut self, keys: &Keys) -> Result<(Signer, String), TrustError> {
        let path = signature_of(&self.path);
        let text = small_text(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => TrustError::Unsigned(path.clone()),
            _ => TrustError::Unreadable { path: path.clone(), error },
        })?;
        self.file.rewind().map_err(TrustError::Data)?;
        keys.verify_all(&self.file, &text).map(|signer| (signer, text))
    }

    /// What it says that it holds, as text and read. Nothing is proved by that.
    ///
    /// # Errors
    /// [`TrustError::NotABundle`], [`TrustError::Contents`].
    pub fn contents(&mut self) -> Result<(String, Contents), TrustError> {
        self.file.rewind().map_err(TrustError::Data)?;
        let mut file = BufReader::new(&self.file);
        contents(&mut file)
    }

    /// Proves that it is in the one form of a bundle and that every file is as `bundle.toml` says.
    ///
    /// # Errors
    /// [`TrustError::NotABundle`], [`TrustError::Contents`], [`TrustError::Differs`].
    pub fn prove(&mut self) -> Result<Contents, TrustError> {
        self.each_file(|_, content| sha256_of(content)).map(|(_, contents)| contents)
    }

    /// The same, and puts the files into `folder`, which is made and must not be there; the text of `bundle.toml` too.
    ///
    /// # Errors
    /// As [`Self::prove`], or [`TrustError::NotWritable`]; some of the files may be there then.
    pub fn unpack(&mut self, folder: &Path) -> Result<(String, Contents), TrustError> {
        let not_writable = |path: &Path| {
            let path = path.to_owned();
            move |error| TrustError::NotWritable { path, error }
        };
        fs::create_dir(folder).map_err(not_writable(folder))?;
        let unpacked = self.each_file(|name, content| {
            let copy = new_file(&folder.join(name))?;
            let digest = sha256_of(Copying { from: content, to: &copy })?;
            copy.sync_all()?;
            Ok(digest)
        })?;
        crate::durable::sync_folder(folder).map_err(not_writable(folder))?;
        Ok(unpacked)
    }

    /// The same of a configuration: the texts of `bundle.toml` and of the site file. Nothing is written.
    ///
    /// # Errors
    /// As [`Self::prove`].
    pub(super) fn site_text(&mut self) -> Result<(String, Contents, String), TrustError> {
        let mut site = Vec::new();
        let (text, contents) = self.each_file(|_, content| {
            // Of another kind of bundle nothing is kept.
            let small = content.take(LARGEST_TEXT);
            sha256_of(Copying { from: small, to: &mut site })
        })?;
        let site =
            String::from_utf8(site).map_err(|_| TrustError::NotABundle("a text of it is no UTF-8".to_owned()))?;
        Ok((text, contents, site))
    }

    /// Hands every file's name and content to `take`, which says its digest.
    fn each_file(
        &mut self,
        mut take: impl FnMut(&str, &mut dyn Read) -> io::Result<(String, u64)>,
    ) -> Result<(String, Contents), TrustError> {
        self.file.rewind().map_err(TrustError::Data)?;
        let mut file = BufReader::with_capacity(256 << 10, &self.file);
        let (text, contents) = contents(&mut file)?;
        for listed in &contents.files {
            let what =
                || format!("instead of {} ({} bytes) it goes on with something else", listed.name, listed.size_bytes);
            expect(&mut file, &header(&listed.name, listed.size_bytes, NO_TIME), what)?;
            let mut content = (&mut file).take(listed.size_bytes);
            let (sha256, bytes) = take(&listed.name, &mut content).map_err(TrustError::Data)?;
            if bytes != listed.size_bytes {
                return Err(TrustError::NotABundle(format!("it ends within {}", listed.name)));
            }
            if sha256 != listed.sha256 {
                let expected = listed.sha256.clone();
                return Err(TrustError::Differs { file: listed.name.clone(), expected, found: sha256 });
            }
            expect(&mut file, &vec![0; padding(bytes)], || format!("{} is followed by something", listed.name))?;
        }
        let end = || "it holds more than bundle.toml lists".to_owned();
        expect(&mut file, &[0; END], end)?;
        let more = file.read(&mut [0]).map_err(TrustError::Data)?;
        if more > 0 { Err(TrustError::NotABundle(end())) } else { Ok((text, contents)) }
    }
}

/// A new file that the service may read, whoever installs it with whatever mask.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    Ok(file)
}

/// Where the signature of a file lies.
#[must_use]
pub fn signature_of(path: &Path) -> PathBuf {
    beside(path, "minisig")
}

/// Reads the next bytes, which must be these.
fn expect(file: &mut impl Read, bytes: &[u8], what: impl Fn() -> String) -> Result<(), TrustError> {
    let mut found = vec![0; bytes.len()];
    match file.read_exact(&mut found) {
        Ok(()) if found == bytes => Ok(()),
        Ok(()) => Err(TrustError::NotABundle(what())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(TrustError::NotABundle("it ends too early".to_owned()))
        }
        Err(error) => Err(TrustError::Data(error)),
    }
}

/// The first file, which says what follows.
fn contents(file: &mut impl Read) -> Result<(String, Contents), TrustError> {
    let no_bundle = || TrustError::NotABundle(format!("it does not begin with {CONTENTS}"));
    let mut first = [0; BLOCK];
    file.read_exact(&mut first).map_err(|_| no_bundle())?;
    let size = std::str::from_utf8(&first[124..135]).ok().and_then(|digits| u64::from_str_radix(digits, 8).ok());
    let size = size.filter(|size| *size <= LARGEST_TEXT && first == header(CONTENTS, *size, NO_TIME));
    let size = size.ok_or_else(no_bundle)?;
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text).map_err(|_| no_bundle())?;
    expect(file, &vec![0; padding(size)], || format!("{CONTENTS} is followed by something"))?;
    let text = String::from_utf8(text).map_err(|_| no_bundle())?;
    let contents = Contents::parse(&text)?;
    Ok((text, contents))
}

/// Hands on what it reads.
struct Copying<R, W> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for Copying<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.to.write_all(&buffer[..read])?;
        Ok(read)
    }
}

/// A file of a bundle that is made: its bytes, as many as `bundle.toml` says.
type Content<'a> = Box<dyn Read + 'a>;

/// The bytes of the bundle whose `bundle.toml` is `text`, of these files.
fn archive<'a>(text: &'a str, files: impl IntoIterator<Item = (&'a BundleFile, Content<'a>)>) -> impl Read + 'a {
    let entry = |name: &str, size: u64, content: Content<'a>| -> Content<'a> {
        let head = io::Cursor::new(header(name, size, NO_TIME));
        Box::new(head.chain(content).chain(io::repeat(0).take(padding(size) as u64)))
    };
    let mut parts = vec![entry(CONTENTS, text.len() as u64, Box::new(text.as_bytes()))];
    parts.extend(files.into_iter().map(|(listed, content)| entry(&listed.name, listed.size_bytes, content)));
    parts.push(Box::new(io::repeat(0).take(END as u64)));
    Chained { parts: parts.into_iter().peekable() }
}

/// The same of files that lie where `at` says.
///
/// # Errors
/// [`TrustError::Unreadable`], [`TrustError::Resized`].
pub(super) fn archive_of_files<'a>(
    text: &'a str,
    contents: &'a Contents,
    at: impl Fn(&str) -> PathBuf,
) -> Result<impl Read + 'a, TrustError> {
    let open = |listed: &'a BundleFile| -> Result<(&'a BundleFile, Content<'a>), TrustError> {
        let path = at(&listed.name);
        let unreadable = |error| TrustError::Unreadable { path: path.clone(), error };
        let file = File::open(&path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() != listed.size_bytes {
            return Err(TrustError::Resized(path));
        }
        Ok((listed, Box::new(file.take(listed.size_bytes))))
    };
    let files = contents.files.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    Ok(archive(text, files))
}

/// The same of a configuration's one text; `None` where that is not what is listed.
pub(super) fn archive_of_site<'a>(text: &'a str, contents: &'a Contents, site: &'a str) -> Option<impl Read + 'a> {
    let [listed] = contents.files.as_slice() else { return None };
    if listed.name != SITE_FILE || listed.size_bytes != site.len() as u64 {
        return None;
    }
    let content: Content<'a> = Box::new(site.as_bytes());
    Some(archive(text, [(listed, content)]))
}

/// Readers one after the other.
struct Chained<I: Iterator> {
    parts: std::iter::Peekable<I>,
}

impl<'a, I: Iterator<Item = Content<'a>>> Read for Chained<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.peek_mut() {
            match part.read(buffer)? {
                0 if !buffer.is_empty() => drop(self.parts.next()),
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}

/// Writes the bundle of these contents to a new file.
///
/// # Errors
/// [`TrustError::NotWritable`]; a file that cannot be read or was changed meanwhile. Nothing is left then.
pub(super) fn write(contents: &Contents, at: impl Fn(&str) -> PathBuf, out: &Path) -> Result<(), TrustError> {
    let text = contents.text();
    let mut archive = archive_of_files(&text, contents, at)?;
    let not_writable = |error| TrustError::NotWritable { path: out.to_owned(), error };
    let mut file = File::options().write(true).create_new(true).open(out).map_err(not_writable)?;
    let written = io::copy(&mut archive, &mut file).and_then(|_| file.sync_all()).map_err(not_writable);
    let proved = written.and_then(|()| Bundle::open(out)?.prove());
    proved.map(drop).inspect_err(|_| drop(fs::remove_file(out)))
}

/// Size and digest of a file that is to be in a bundle.
pub(super) fn listed(path: &Path, name: &str) -> Result<BundleFile, TrustError> {
    let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let (sha256, size_bytes) = digest::sha256_of(file).map_err(unreadable)?;
    Ok(BundleFile { name: name.to_owned(), size_bytes, sha256 })
}
