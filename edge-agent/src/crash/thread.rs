//! Threads that bear their camera's name, which the kernel keeps (prctl(2), PR_SET_NAME) and `top -H` shows.

use sha2::{Digest as _, Sha256};

use super::stack;
use crate::digest::hex;

/// The kernel's limit, the closing zero included.
pub(super) const NAME_BYTES: usize = 16;

/// The name of threads that work for the camera with this id alone: `@` and its id; of a long one the beginning and a digest, so that two
/// cameras never share one.
pub(super) fn name_of(id: &str) -> String {
    if id.len() < NAME_BYTES - 1 {
        return format!("@{id}");
    }
    let digest = Sha256::digest(id);
    let tail = hex(&digest[..4]);
    format!("@{}~{tail}", &id[..5])
}

/// Names the calling thread for a camera, by its id, and has its crash told even when its stack overflows.
pub(crate) fn name_this_thread(id: &str) {
    stack::ensure();
    set(&name_of(id));
}

/// The calling thread works for one camera while this lives.
#[derive(Debug)]
pub(crate) struct NamedThread {
    before: [u8; NAME_BYTES],
}

impl NamedThread {
    pub(crate) fn of(id: &str) -> Self {
        let mut before = [0; NAME_BYTES];
        // SAFETY: PR_GET_NAME writes at most 16 bytes.
        unsafe { libc::prctl(libc::PR_GET_NAME, before.as_mut_ptr()) };
        name_this_thread(id);
        Self { before }
    }
}

impl Drop for NamedThread {
    fn drop(&mut self) {
        // SAFETY: as PR_GET_NAME wrote it: at most 16 bytes with a closing zero.
        unsafe { libc::prctl(libc::PR_SET_NAME, self.before.as_ptr()) };
    }
}

fn set(name: &str) {
    let mut bytes = [0; NAME_BYTES];
    let length = name.len().min(NAME_BYTES - 1);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    // SAFETY: PR_SET_NAME reads up to the closing zero, which is there.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_name() -> String {
        std::fs::read_to_string("/proc/thread-self/comm").expect("Linux").trim_end().to_owned()
    }

    #[test]
    fn names_fit_the_kernel_and_differ_where_ids_do() {
        let ids = ["a", "huong-nam", "huong-nam-ngo-1", "huong-nam-ngo-12", "huong-nam-ngo-13", &"x".repeat(40)];
        let names: std::collections::BTreeSet<String> = ids.iter().map(|id| name_of(id)).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        assert!(names.iter().all(|name| name.starts_with('@') && name.len() < NAME_BYTES), "{names:?}");
    }

    #[test]
    fn a_thread_bears_the_name_for_a_while() {
        let named = std::thread::Builder::new().name("evidence".to_owned()).spawn(|| {
            let meanwhile = {
                let _named = NamedThread::of("huong-nam");
                own_name()
            };
            (meanwhile, own_name())
        });
        let names = named.expect("starts").join().expect("ends");
        assert_eq!(names, ("@huong-nam".to_owned(), "evidence".to_owned()));
    }
}
