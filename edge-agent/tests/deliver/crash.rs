//! A process that is killed with SIGKILL while it commits, again and again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use analytics::Phase;
use edge_agent::outbox::{NextRequest, Outbox, OutboxLimits};

use crate::fixture::{PLAIN, camera, draft, topics};

const CHILD: &str = "NGATU_TEST_OUTBOX_CHILD";

/// Not a test of its own: the process that the next test kills. It says each number once its commit has returned.
#[test]
fn child_that_commits_until_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let path = Path::new(&folder).join("outbox.db");
        let (outbox, _thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens");
        let mut last = outbox.stats().borrow().last_sequence.0;
        loop {
            // An incident begins, and the one before it ends, in one commit: both or none.
            let events = vec![draft(last / 2 + 1, 1, Phase::New, PLAIN), draft(last / 2, 2, Phase::End, PLAIN)];
            let given = outbox.commit(events).await.expect("commits");
            last = given[1].0;
            let said = writeln!(std::io::stdout(), "\ncommitted {last}");
            if said.is_err() {
                return;
            }
        }
    });
}

#[tokio::test]
async fn nothing_committed_is_lost_and_no_number_skipped_over_ten_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("outbox.db");
    let mut outbox_id = None;
    let mut kept = 0;
    for round in 1..=10 {
        let mut child = Command::new(std::env::current_exe().expect("this test binary"))
            .args(["crash::child_that_commits_until_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let numbers = output
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("committed ").and_then(|number| number.parse::<u64>().ok()));
        // Killed after another number of commits each time; the kill falls anywhere in the next one.
        let said = numbers.take(round * 3).last().expect("it commits");
        child.kill().expect("kills");
        child.wait().expect("ends");

        let (outbox, thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens again");
        let stats = outbox.stats().borrow().clone();
        assert_eq!(*outbox_id.get_or_insert(stats.outbox_id), stats.outbox_id);
        assert!(stats.last_sequence.0 >= said, "{said} was committed, {} is known", stats.last_sequence);
        assert!(stats.last_sequence.0.is_multiple_of(2), "half a commit");
        assert!(stats.last_sequence.0 > kept);
        assert_eq!(stats.pending, stats.last_sequence.0, "every number is there");
        let open = outbox.open_incidents(camera("huong-nam")).await.expect("reads");
        assert_eq!(open.len(), 1, "the last incident is open, every other one has ended");
        kept = stats.last_sequence.0;
        drop(outbox);
        thread.join();
    }
    let (outbox, _thread) = Outbox::open(&path, OutboxLimits::default(), &topics()).expect("opens again");
    let mut drained = Vec::new();
    loop {
        let request =
            NextRequest { limit: 64, backlog: 64, mark: outbox.stats().borrow().last_sequence, ..Default::default() };
        let entries = outbox.next(request).await.expect("reads");
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            crate::common::contract::validate(&entry.topic, &entry.payload);
            outbox.delivered(entry.outbox_id, entry.sequence).await.expect("runs");
            drained.push(entry.sequence.0);
        }
    }
    drained.sort_unstable();
    assert!(drained.into_iter().eq(1..=kept));
}
