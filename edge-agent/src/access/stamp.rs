//! Whether a file is another one than before.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is different once a file was written, replaced, given away, opened to others or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStamp(Option<[i64; 6]>);

impl FileStamp {
    /// Looks at the file, on the disk.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let looked = std::fs::metadata(path).ok();
        Self(looked.map(|file| {
            let (inode, size, mode) = (file.ino().cast_signed(), file.size().cast_signed(), file.mode().into());
            [inode, size, mode, file.mtime(), file.ctime(), file.ctime_nsec()]
        }))
    }
}
