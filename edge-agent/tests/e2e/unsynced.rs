//! Commands to a box whose clock nobody disciplines, and to one whose clock is right: what is fresh, what is not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use edge_agent::command::send;
use edge_agent::publish::wire::{
    Ack, AckState, CameraArguments, CameraState, CommandName, NoArguments, UtcMillis, to_bytes,
};
use uuid::Uuid;

use crate::agent::{Agent, edge_agent};
use crate::centre::Centre;
use crate::common::mosquitto::Mosquitto;
use crate::operators::{answers_to, command};
use crate::orders::{answers, payload, topic};
use crate::site::SiteFile;

/// What the kernel says of its clock, whatever it is here.
const KERNEL: &str = "
#include <string.h>
#include <sys/timex.h>
int adjtimex(struct timex *told) {
    memset(told, 0, sizeof *told);
    told->maxerror = SYNCED ? 1000 : 16000000;
    told->status = SYNCED ? STA_PLL : STA_UNSYNC;
    return SYNCED ? TIME_OK : TIME_ERROR;
}
";

/// A library that stands before the C library and says that the clock is synchronised, or not.
fn kernel(folder: &Path, synced: bool) -> PathBuf {
    let (source, library) = (folder.join("kernel.c"), folder.join(format!("kernel-{synced}.so")));
    std::fs::write(&source, KERNEL).expect("writes");
    let define = format!("-DSYNCED={}", u8::from(synced));
    let mut compiler = Command::new("cc");
    let made = compiler.args(["-shared", "-fPIC", &define, "-o"]).arg(&library).arg(&source).status();
    assert!(made.expect("cc is here: cargo links with it").success());
    library
}

fn run(site: &SiteFile, kernel: &Path) -> Agent {
    Agent::start(edge_agent(["run".as_ref(), site.write().as_os_str()]).env("LD_PRELOAD", kernel))
}

fn off() -> CameraArguments {
    CameraArguments { camera: "nam".to_owned(), enabled: false, until: None, reason: None }
}

impl Centre {
    /// Sends a command that was issued so many seconds from now.
    async fn order_of<A: serde::Serialize>(&mut self, name: CommandName, issued_in_s: i64, arguments: A) -> Ack {
        let mut command = send::command(name, "nguyen-van-a", Duration::from_secs(60), None, arguments);
        for time in [&mut command.issued_at, &mut command.expires_at] {
            *time = UtcMillis::from_unix_millis(time.as_unix_millis() + issued_in_s * 1000);
        }
        self.send(topic(name), to_bytes(&command), false).await;
        self.final_answer(command.id).await
    }

    /// Waits until the box is there in a later session than this.
    async fn until_after(&mut self, session: Option<u64>) {
        self.until("a later session", |seen| seen.births.last().map(|birth| birth.session) > session).await;
    }

    async fn order_in_session(&mut self, session: Option<u64>) -> Ack {
        let (id, payload) = payload(CommandName::Camera, session, off());
        self.send(topic(CommandName::Camera), payload, false).await;
        self.final_answer(id).await
    }
}

fn reason(ack: &Ack) -> (AckState, Option<&str>) {
    (ack.state, ack.reason.as_deref())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_without_a_clock_goes_by_the_session_and_one_with_a_clock_by_the_time() {
    let broker = Mosquitto::start_open();
    let site = SiteFile::new(broker.port()).camera("nam", "rtsp://127.0.0.1:9/none", "");
    let shims = tempfile::tempdir().expect("a folder");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = run(&site, &kernel(shims.path(), false));
    centre.until_online(0).await;

    // What may be late is done; what takes eyes off the road is done only for who names the session.
    let late = centre.order_of(CommandName::Rebirth, -7200, NoArguments {}).await;
    assert_eq!((reason(&late), late.time_quality.synced), ((AckState::Done, None), false));
    let unproven = centre.order_in_session(None).await;
    assert_eq!(reason(&unproven), (AckState::Refused, Some("clock_not_synced")));
    let (acks, code) = answers_to(&broker, &[], &["camera", "nam", "off", "--for", "2h", "--reason", "bảo trì"]);
    assert_eq!((reason(&acks[0]), code), ((AckState::Done, None), 0), "a shell names it");
    centre.until("it is off", |seen| seen.is("nam", CameraState::Disabled)).await;
    command(&broker, &[], &["camera", "nam", "on"]).succeeded();
    centre.until("it is on", |seen| !seen.is("nam", CameraState::Disabled)).await;

    // Somebody who heard it sends it once more: the answer that it had, and nothing else.
    let id: Uuid = acks[0].id.expect("its own");
    let heard = |payload: &&Vec<u8>| String::from_utf8_lossy(payload).contains(&id.to_string());
    let again = centre.seen.commands.iter().find(heard).expect("heard").clone();
    centre.send(topic(CommandName::Camera), again, false).await;
    centre.until("the answer once more", |seen| answers(seen, id).len() == 2).await;
    assert_eq!(answers(&centre.seen, id)[0], answers(&centre.seen, id)[1]);
    let births = centre.seen.births.len();
    assert_eq!(centre.order(CommandName::Rebirth, NoArguments {}).await.state, AckState::Done);
    centre.until("said once more", |seen| seen.births.len() > births).await;
    assert!(centre.seen.births.last().expect("just said").cameras[0].switched_off.is_none());

    // The session of before the restart is known to whoever listened: it proves nothing now.
    let old = centre.session();
    agent.kill();
    let agent = run(&site, &kernel(shims.path(), false));
    centre.until_after(old).await;
    assert_eq!(reason(&centre.order_in_session(old).await), (AckState::Refused, Some("stale_session")));
    let session = centre.session();
    assert_eq!(reason(&centre.order_in_session(session).await), (AckState::Done, None));
    agent.stop().succeeded();

    let agent = run(&site, &kernel(shims.path(), true));
    centre.until_after(session).await;
    let late = centre.order_of(CommandName::Camera, -7200, off()).await;
    assert_eq!((reason(&late), late.time_quality.synced), ((AckState::Refused, Some("expired")), true));
    let late = centre.order_of(CommandName::Rebirth, -7200, NoArguments {}).await;
    assert_eq!(reason(&late), (AckState::Refused, Some("expired")));
    let early = centre.order_of(CommandName::Camera, 600, off()).await;
    assert_eq!(reason(&early), (AckState::Refused, Some("future_dated")));
    assert_eq!(reason(&centre.order_in_session(None).await), (AckState::Done, None), "the time proves it");
    agent.stop().succeeded();
}
