//! How the C library's allocator keeps what was freed.
//!
//! glibc gives threads heaps of their own (*arenas*, up to eight a core), and each keeps what its threads freed. Every
//! connection of a camera has threads of its own: a box whose cameras come and go for an hour would hold far more than it
//! uses. Few arenas share it; what threads wait for each other is nothing beside decoding.

/// Heaps of all threads together. Raising it spares threads that allocate at once a wait; it costs memory that each
/// keeps: on a box of two cores whose cameras came and went, some 45 MiB in twenty minutes with the default.
#[cfg(target_env = "gnu")]
const ARENAS: i32 = 2;

/// Keeps to a few arenas from now on; those there are stay. Other C libraries have none.
///
/// # Safety
/// No other thread may run yet (mallopt(3) is not thread-safe).
pub unsafe fn bound_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the caller's promise. It fails for an unknown option alone.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

#[cfg(all(test, target_env = "gnu"))]
#[expect(clippy::print_stdout, reason = "a process of its own tells what it found")]
mod tests {
    use std::process::Command;

    use super::*;

    const CHILD: &str = "NGATU_TEST_ARENAS";

    /// Arenas besides the main one: they are mapped at multiples of 64 MiB (malloc/arena.c, `HEAP_MAX_SIZE`).
    fn arenas() -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
        let is_arena = |line: &&str| {
            let start = line.split('-').next().and_then(|start| u64::from_str_radix(start, 16).ok());
            line.split_whitespace().count() == 5 && start.is_some_and(|start| start.is_multiple_of(64 << 20))
        };
        maps.lines().filter(is_arena).count()
    }

    /// A process of its own does this: threads that all allocate at once.
    #[test]
    fn sixteen_threads_allocate() {
        let Ok(bounded) = std::env::var(CHILD) else { return };
        if bounded == "bounded" {
            // SAFETY: the harness's main thread waits for this one.
            unsafe { bound_arenas() };
        }
        let all = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    all.wait();
                    let held: Vec<Vec<u8>> = (0..64).map(|_| vec![1; 4096]).collect();
                    all.wait();
                    drop(held);
                });
            }
        });
        println!("arenas {}", arenas());
    }

    fn arenas_of_child(bounded: &str) -> usize {
        let test = "resources::heap::tests::sixteen_threads_allocate";
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .env(CHILD, bounded)
            .output()
            .expect("it starts");
        let out = String::from_utf8_lossy(&child.stdout);
        let count = out.lines().find_map(|line| line.split_once("arenas ")?.1.trim().parse().ok());
        count.unwrap_or_else(|| panic!("{out}"))
    }

    #[test]
    fn threads_share_a_few_heaps() {
        assert!(arenas_of_child("bounded") < usize::try_from(ARENAS).expect("few"));
        assert!(arenas_of_child("as it is") > 2, "the default is many: else nothing is shown here");
    }
}
