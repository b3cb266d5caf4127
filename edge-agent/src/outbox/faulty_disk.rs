//! A disk in memory, as a SQLite VFS, that loses power or refuses writes at any operation: for tests of the outbox.
//!
//! What was written and not synced survives a power cut by chance: each write on its own, in any order, and of a large one
//! each 512-byte sector. What lies beside a write is not damaged, as SQLite assumes of a disk by default
//! (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`). A file whose content was never synced may be gone with its name, and one that was
//! deleted may be there again (sqlite.org/atomiccommit.html, section 9).
//!
//! # Ownership
//! Each thread has its own disk; a database must stay on the thread that opened it.

#![allow(unsafe_code, reason = "a VFS is a table of C functions")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::Range;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::Once;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

const NAME: &CStr = c"faulty-disk";

thread_local! {
    static DISK: RefCell<Disk> = RefCell::default();
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsynced {
    /// All of it is lost.
    Lost,
    /// All of it was written in time.
    Kept,
    /// By the chance of this seed.
    Either(u64),
}

#[derive(Default)]
struct Disk {
    files: BTreeMap<String, File>,
    /// Deleted, which the folder may not know yet.
    deleted: Vec<(String, File)>,
    /// Writes, truncations and syncs so far.
    operations: u64,
    /// At this operation the power goes.
    cut_at: Option<u64>,
    has_power: bool,
    /// These operations are refused: no room.
    refused: Range<u64>,
}

#[derive(Default, Clone)]
struct File {
    content: Vec<u8>,
    /// As last synced; `None`: never.
    durable: Option<Vec<u8>>,
    /// Since then.
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl File {
    fn change(&mut self, change: Change) {
        apply(&mut self.content, &change);
        self.changes.push(change);
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(at, bytes) => {
            content.resize(content.len().max(at + bytes.len()), 0);
            content[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Change::Truncate(length) => content.truncate(*length),
    }
}

/// An empty disk with power, for this thread; the path of a database on it.
pub(super) fn fresh() -> PathBuf {
    register();
    DISK.with_borrow_mut(|disk| *disk = Disk { has_power: true, ..Disk::default() });
    PathBuf::from("file:outbox?vfs=faulty-disk")
}

/// Writes, truncations and syncs so far.
pub(super) fn operations() -> u64 {
    DISK.with_borrow(|disk| disk.operations)
}

/// The power goes at this operation, which does not return.
pub(super) fn cut_power_at(operation: u64) {
    DISK.with_borrow_mut(|disk| disk.cut_at = Some(operation));
}

/// Whether the power is there.
pub(super) fn has_power() -> bool {
    DISK.with_borrow(|disk| disk.has_power)
}

/// These operations are refused, as by a full disk.
pub(super) fn refuse(operations: Range<u64>) {
    DISK.with_borrow_mut(|disk| disk.refused = operations);
}

/// The power is there again. The database must be closed.
pub(super) fn restore_power(unsynced: Unsynced) {
    let mut chance = SmallRng::seed_from_u64(if let Unsynced::Either(seed) = unsynced { seed } else { 0 });
    let mut survives = |often: f64| match unsynced {
        Unsynced::Lost => false,
        Unsynced::Kept => true,
        Unsynced::Either(_) => chance.random_bool(often),
    };
    DISK.with_borrow_mut(|disk| {
        for (name, file) in std::mem::take(&mut disk.deleted) {
            // Lost is here the deletion.
            if !survives(0.5) && file.durable.is_some() {
                disk.files.entry(name).or_insert(file);
            }
        }
        disk.files.retain(|_, file| file.durable.is_some() || survives(0.5));
        for file in disk.files.values_mut() {
            let mut content = file.durable.clone().unwrap_or_default();
            for change in std::mem::take(&mut file.changes) {
                if !survives(0.6) {
                    continue;
                }
                match change {
                    Change::Write(at, bytes) => {
                        for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                            if survives(0.8) {
                                apply(&mut content, &Change::Write(at + number * SECTOR, sector.to_vec()));
                            }
                        }
                    }
                    truncation @ Change::Truncate(_) => apply(&mut content, &truncation),
                }
            }
            *file = File { durable: Some(content.clone()), content, changes: Vec::new() };
        }
        (disk.cut_at, disk.has_power) = (None, true);
    });
}

impl Disk {
    /// Counts an operation; an error code when it is not carried out.
    fn begin(&mut self, error: c_int) -> Result<(), c_int> {
        if !self.has_power {
            return Err(error);
        }
        let number = self.operations;
        self.operations += 1;
        if self.refused.contains(&number) {
            return Err(if error == ffi::SQLITE_IOERR_WRITE { ffi::SQLITE_FULL } else { error });
        }
        Ok(())
    }

    /// Ends an operation: at the cut it has happened, or some of it, and nobody is told.
    fn end(&mut self, error: c_int) -> Result<(), c_int> {
        if self.cut_at == Some(self.operations - 1) {
            self.has_power = false;
            return Err(error);
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> &mut File {
        self.files.entry(name.to_owned()).or_default()
    }
}

/// What SQLite holds of an open file; it allocates `szOsFile` bytes for it.
#[repr(C)]
struct Handle {
    base: sqlite3_file,
    /// A `Box<String>`, owned until closed.
    name: *mut String,
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // No shared memory: the outbox locks its database exclusively, and then the index of the log is on the heap.
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a null name asks for the default VFS, which exists and lives for ever.
        let system = unsafe { &*ffi::sqlite3_vfs_find(std::ptr::null()) };
        let vfs = Box::leak(Box::new(sqlite3_vfs {
            // Version 2: without replaceable system calls.
            iVersion: 2,
            szOsFile: size_of::<Handle>() as c_int,
            pNext: null_mut(),
            zName: NAME.as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            // Randomness and time are the system's.
            ..*system
        }));
        // SAFETY: the structure and its name live for ever.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(code, ffi::SQLITE_OK, "a complete VFS is taken");
    });
}

fn code(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

/// # Safety
/// `name` is a string that lives during the call.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

/// # Safety
/// `file` was opened by [`open`] and is not closed.
unsafe fn with<T>(file: *mut sqlite3_file, what: impl FnOnce(&mut Disk, &str) -> T) -> T {
    // SAFETY: `open` has put a `Handle` there, whose name is owned until `close`.
    let name = unsafe { &*(*file.cast::<Handle>()).name };
    DISK.with_borrow_mut(|disk| what(disk, name))
}

unsafe extern "C" fn open(
    _vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // Temporary files are kept in memory by the outbox.
    if name.is_null() {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: SQLite gives a name that lives as long as the file.
    let name = unsafe { text(name) };
    let there = DISK.with_borrow_mut(|disk| {
        let may = disk.has_power && (disk.files.contains_key(&name) || flags & ffi::SQLITE_OPEN_CREATE != 0);
        if may {
            disk.file(&name);
        }
        may
    });
    let handle = file.cast::<Handle>();
    // SAFETY: SQLite gives `szOsFile` bytes, aligned for any type; null methods mean that nothing was opened.
    unsafe {
        (*handle).base.pMethods = if there { &raw const METHODS } else { std::ptr::null() };
        (*handle).name = if there { Box::into_raw(Box::new(name)) } else { null_mut() };
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    if there { ffi::SQLITE_OK } else { ffi::SQLITE_CANTOPEN }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: made by `open`, and closed once.
    drop(unsafe { Box::from_raw((*file.cast::<Handle>()).name) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a buffer of that many bytes.
    let to = unsafe { std::slice::from_raw_parts_mut(to.cast::<u8>(), amount as usize) };
    // SAFETY: an open file.
    unsafe {
        with(file, |disk, name| {
            if !disk.has_power {
                return ffi::SQLITE_IOERR_READ;
            }
            let content = &disk.file(name).content;
            let from = content.get(at as usize..).unwrap_or_default();
            let length = from.len().min(to.len());
            to[..length].copy_from_slice(&from[..length]);
            to[length..].fill(0);
            if length < to.len() { ffi::SQLITE_IOERR_SHORT_READ } else { ffi::SQLITE_OK }
        })
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a buffer of that many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), amount as usize) };
    // SAFETY: an open file.
    unsafe { change(file, Change::Write(at as usize, bytes.to_vec()), ffi::SQLITE_IOERR_WRITE) }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: an open file.
    unsafe { change(file, Change::Truncate(size as usize), ffi::SQLITE_IOERR_TRUNCATE) }
}

/// # Safety
/// `file` is open.
unsafe fn change(file: *mut sqlite3_file, change: Change, error: c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        with(file, |disk, name| {
            code(disk.begin(error).and_then(|()| {
                disk.file(name).change(change);
                disk.end(error)
            }))
        })
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file.
    unsafe {
        with(file, |disk, name| {
            // A sync that the cut interrupts has synced nothing for certain.
            code(disk.begin(ffi::SQLITE_IOERR_FSYNC).and_then(|()| disk.end(ffi::SQLITE_IOERR_FSYNC)).map(|()| {
                if disk.file(name).durable.is_none() {
                    // With a new log SQLite syncs its folder too, and so what was deleted there (os_unix.c, UNIXFILE_DIRSYNC).
                    disk.deleted.clear();
                }
                let file = disk.file(name);
                file.durable = Some(file.content.clone());
                file.changes.clear();
            }))
        })
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    // SAFETY: an open file, and a place for its size.
    unsafe { *size = with(file, |disk, name| disk.file(name).content.len() as sqlite3_int64) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(_file: *mut sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_file: *mut sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *result = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_file: *mut sqlite3_file, _what: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut sqlite3_file) -> c_int {
    SECTOR as c_int
}

unsafe extern "C" fn device_characteristics(_file: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn delete(_vfs: *mut sqlite3_vfs, name: *const c_char, and_sync: c_int) -> c_int {
    // SAFETY: SQLite gives a name.
    let name = unsafe { text(name) };
    DISK.with_borrow_mut(|disk| {
        if !disk.has_power {
            return ffi::SQLITE_IOERR_DELETE;
        }
        match disk.files.remove(&name) {
            Some(file) if and_sync == 0 => disk.deleted.push((name, file)),
            Some(_) => {}
            None => return ffi::SQLITE_IOERR_DELETE_NOENT,
        }
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn access(_vfs: *mut sqlite3_vfs, name: *const c_char, _flags: c_int, result: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a name and a place for the answer.
    unsafe {
        let name = text(name);
        *result = DISK.with_borrow(|disk| c_int::from(disk.files.contains_key(&name)));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a name, and a buffer of `size` bytes for it.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > size as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len());
    }
    ffi::SQLITE_OK
}
