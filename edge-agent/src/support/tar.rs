//! An archive of a few small files, as `tar` reads it (POSIX.1-1988, `ustar`).

use std::io::{self, Write};

const BLOCK: usize = 512;

/// Writes files one after the other.
pub(super) struct Archive<W> {
    out: W,
    unix_s: u64,
}

impl<W: Write> Archive<W> {
    /// `unix_s` is the time that its files carry.
    pub(super) fn new(out: W, unix_s: u64) -> Self {
        Self { out, unix_s }
    }

    /// Adds a file that only its owner may read; `name` has at most 99 bytes.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, "0000600\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, &format!("{:011o}\0", self.unix_s));
        // The sum is taken with blanks in its own place.
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\x0000");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(content)?;
        self.out.write_all(&[0; BLOCK][..content.len().next_multiple_of(BLOCK) - content.len()])
    }

    /// Writes the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tar_reads_what_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.tar");
        let mut archive = Archive::new(std::fs::File::create(&path).expect("creates"), 1_800_000_000);
        let large = "x".repeat(5 * BLOCK);
        for (name, content) in [("a/one.txt", "một\n"), ("a/none", ""), ("a/large", &large)] {
            archive.add(name, content.as_bytes()).expect("writes");
        }
        archive.finish().expect("writes");
        let unpacked = std::process::Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(folder.path()).status();
        assert!(unpacked.expect("tar is there").success());
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("unpacked");
        assert_eq!((read("a/one.txt"), read("a/none"), read("a/large")), ("một\n".to_owned(), String::new(), large));
    }
}
