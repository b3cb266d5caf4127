//! Everything that a campaign runs: broker, cameras, the links to both, a small disk, the program, the centre.
//! What is done to the broker and to certificates stands in `refusals.rs` and `trust.rs`.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::book::{Book, SharedBook};
use crate::centre::Centre;
use crate::chance::Chance;
use crate::clip::Cameras;
use crate::clock;
use crate::common::mosquitto::Mosquitto;
use crate::common::proxy::{Cut, Link, Proxy, Way};
use crate::disk::Disk;
use crate::faults::Fault;
use crate::loss::Loss;
use crate::papers::Papers;
use crate::program::{Program, open_incidents};
use crate::pump;
use crate::refusals;
use crate::site::SiteFile;

/// For what is committed to arrive, however busy the machine: a deadline, not a measurement.
pub(crate) const SETTLES_WITHIN: Duration = Duration::from_secs(240);

/// 256 kbit/s.
const SLOW: u32 = 32_000;

pub(crate) struct Rig {
    // In the order in which they end.
    program: Option<Program>,
    _centre: Centre,
    pub(crate) link: Proxy,
    loss: Option<Loss>,
    stream: Proxy,
    _cameras: Cameras,
    pub(crate) broker: Mosquitto,
    pub(crate) papers: Papers,
    /// Where the broker speaks TLS.
    pub(crate) tls_port: u16,
    disk: Option<Disk>,
    site: SiteFile,
    /// The site as the program reads it.
    path: PathBuf,
    folder: PathBuf,
    pub(crate) book: SharedBook,
}

impl Rig {
    /// All of it, running and delivering. Logs are kept in `folder`.
    pub(crate) fn start(folder: &Path, cameras: usize) -> Self {
        let book = SharedBook::default();
        // Every event goes to a watcher's socket before the program's is acknowledged: none waits in the broker, which
        // forgets everything when it is killed.
        let lines = ["allow_anonymous true", "max_inflight_messages 0", "max_queued_messages 0", "user root"];
        let mut broker = Mosquitto::stopped_with(&lines);
        broker.configure(&format!("acl_file {}", broker.path("acl").display()));
        std::fs::write(broker.path("acl"), refusals::RULES).expect("writes");
        // The program comes by TLS with its certificate; the centre stands beside the broker.
        let tls_port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut papers = Papers::new();
        papers.renew_broker(&broker);
        broker.configure(&papers.listener(&broker, tls_port));
        broker.start();
        let source = Cameras::start();
        let to = |port| Proxy::start(SocketAddr::from(([127, 0, 0, 1], port))).expect("a free port");
        let (link, stream) = (to(tls_port), to(source.port));
        let loss = Loss::of(link.port());
        let url = format!("rtsp://127.0.0.1:{}/one", stream.port());
        let names = ["nam", "bac", "dong", "tay"];
        let site = papers.shown_by(SiteFile::new(link.port()));
        let site = names.iter().take(cameras.max(1)).fold(site, |site, name| site.camera(name, &url, ""));
        let disk = Disk::mount(&site.storage());
        let centre = Centre::start(pump::start(broker.port()), &book);
        let path = site.write();
        let folder = folder.to_owned();
        let mut rig = Self {
            program: None,
            _centre: centre,
            link,
            loss,
            stream,
            _cameras: source,
            broker,
            papers,
            tls_port,
            disk,
            site,
            path,
            folder,
            book,
        };
        rig.start_program(None);
        rig.runs(1);
        rig
    }

    /// Whether disk faults can be made here.
    pub(crate) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Whether packets can be lost here.
    pub(crate) fn has_loss(&self) -> bool {
        self.loss.is_some()
    }

    pub(crate) fn start_program(&mut self, clock: Option<&Path>) {
        let log = self.folder.join("agent.log");
        self.program = Some(Program::start(&self.path, &self.site.storage(), &log, clock, &self.book));
    }

    pub(crate) fn kill_program(&mut self) {
        if let Some(program) = self.program.take() {
            program.kill();
            self.book.write(|book| book.kills += 1);
        }
    }

    fn stop_program(&mut self) {
        if let Some(program) = self.program.take()
            && !program.stop()
        {
            self.wrong("the program did not stop in order".to_owned());
        }
    }

    pub(crate) fn wrong(&self, what: String) {
        self.book.write(|book| book.wrongs.push(what));
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, length: Duration) {
        self.book.wait(length, |_| false);
    }

    /// Waits until so many more events arrive: it runs, judges and delivers.
    pub(crate) fn runs(&self, more: u64) {
        let enough = self.book.lock().arrived() + more;
        if !self.book.wait(SETTLES_WITHIN, |book| book.arrived() >= enough) {
            self.wrong("nothing arrives any more".to_owned());
        }
    }

    /// Waits until everything that is committed at this moment has arrived; what of it does not.
    pub(crate) fn settle(&mut self) -> BTreeSet<(Uuid, u64)> {
        if self.program.as_mut().is_none_or(|program| program.has_ended().is_some()) {
            self.kill_program();
            self.start_program(None);
        }
        let mut waited_for = self.book.lock().missing();
        self.book.wait(SETTLES_WITHIN, |book| {
            let missing = book.missing();
            waited_for.retain(|number| missing.contains(number));
            waited_for.is_empty()
        });
        if !self.book.wait(SETTLES_WITHIN, |book| book.owed().is_empty()) {
            let owed = self.book.write(Book::forgive);
            self.wrong(format!("open when the program ended, and neither continued nor closed by the next: {owed:?}"));
        }
        waited_for
    }

    /// Stops the program in order and waits for its last events; afterwards the book must be closed.
    pub(crate) fn close(&mut self) -> BTreeSet<(Uuid, u64)> {
        // What waited when it was told to stop is sent after the next start; each time less.
        for _ in 0..5 {
            self.stop_program();
            if self.book.wait(Duration::from_secs(2), Book::is_settled) {
                self.compare_open();
                return BTreeSet::new();
            }
            self.start_program(None);
            let never = self.settle();
            if !never.is_empty() {
                return never;
            }
        }
        self.book.lock().missing()
    }

    /// What goes on for the centre goes on for the program, and the other way round.
    fn compare_open(&self) {
        match open_incidents(&self.site.storage()) {
            Ok(open) => {
                let told = self.book.lock().open();
                let (only_told, only_known): (Vec<_>, Vec<_>) =
                    (told.difference(&open).collect(), open.difference(&told).collect());
                if !only_told.is_empty() || !only_known.is_empty() {
                    self.wrong(format!(
                        "open for the centre alone: {only_told:?}; for the program alone: {only_known:?}"
                    ));
                }
            }
            Err(reason) => self.wrong(format!("the database of a stopped program: {reason}")),
        }
    }

    /// Breaks something and mends it; false where that cannot be done here.
    pub(crate) fn make(&mut self, fault: Fault, chance: &mut Chance) -> bool {
        match fault {
            Fault::LinkReset => self.link.cut(Cut::Reset),
            Fault::LinkClosed => self.link.cut(Cut::Close),
            Fault::LinkRefusing => {
                self.link.set(Link::Refusing);
                self.link.cut(chance.one_of(&[Cut::Reset, Cut::Close]));
                self.hold_link(chance, 4000);
            }
            Fault::LinkFrozen => self.with_link(Link::Frozen, chance, 5000),
            Fault::LinkStalledUp => self.with_link(Link::Stalled(Way::Up), chance, 5000),
            Fault::LinkStalledDown => self.with_link(Link::Stalled(Way::Down), chance, 5000),
            Fault::LinkLate => {
                let late = Link::Late(chance.millis(50, 900));
                self.with_link(late, chance, 5000);
            }
            Fault::LinkSlow => self.with_link(Link::Slow(SLOW), chance, 5000),
            Fault::LinkLossy => return self.lose_packets(chance),
            Fault::LinkBrokenUp => {
                let after = 1 + chance.below(9000);
                self.with_link(Link::Breaking(Way::Up, after), chance, 3000);
            }
            Fault::LinkBrokenDown => {
                let after = 1 + chance.below(60);
                self.with_link(Link::Breaking(Way::Down, after), chance, 3000);
            }
            Fault::BrokerKilled => {
                self.broker.kill();
                self.hold_link(chance, 4000);
                self.broker.start();
            }
            Fault::BrokerFrozen => {
                self.broker.freeze();
                self.hold_link(chance, 5000);
                self.broker.thaw();
            }
            Fault::BrokerRestarted => {
                self.broker.stop();
                self.broker.start();
            }
            Fault::BrokerRefusing => self.refuse_topics(chance),
            Fault::BrokerSmall => self.refuse_large_packets(chance),
            Fault::BrokerFull => self.refuse_connections(chance),
            Fault::BrokerCertificateRotated => self.rotate_broker_certificate(chance),
            Fault::BrokerCertificateExpired => self.expire_broker_certificate(chance),
            Fault::CertificateRotated => self.rotate_certificate(chance),
            Fault::CertificateExpired => self.expire_certificate(chance),
            Fault::CameraReset => self.stream.cut(Cut::Reset),
            Fault::CameraFrozen => {
                self.stream.set(Link::Frozen);
                self.pass(chance.millis(1000, 8000));
                self.stream.set(Link::Sound);
            }
            Fault::AgentKilled => self.kill_and_start(chance),
            Fault::AgentAndBrokerKilled => {
                self.broker.kill();
                self.pass(chance.millis(0, 1500));
                self.kill_program();
                self.start_program(None);
                self.pass(chance.millis(0, 3000));
                self.broker.start();
            }
            Fault::AgentStopped => {
                self.stop_program();
                self.start_program(None);
            }
            Fault::DiskFull => return self.fill_disk(chance),
            Fault::DiskReadOnly => return self.forbid_writing(chance),
            Fault::OutboxDamaged => return self.damage_outbox(chance),
            Fault::ClockStepped => return self.step_clock(chance),
        }
        true
    }

    /// Leaves the program alone for a while, wherever it then is.
    pub(crate) fn breathe(&self, chance: &mut Chance) {
        self.pass(chance.millis(0, 1200));
    }

    fn with_link(&mut self, link: Link, chance: &mut Chance, at_most: u64) {
        self.link.set(link);
        self.hold_link(chance, at_most);
        self.link.set(Link::Sound);
    }

    fn lose_packets(&mut self, chance: &mut Chance) -> bool {
        let percent = 1 + chance.below(25);
        if !self.loss.as_ref().is_some_and(|loss| loss.set(percent)) {
            return false;
        }
        // Now and then it is so bad when the connection is made.
        if chance.percent(40) {
            self.link.cut(chance.one_of(&[Cut::Reset, Cut::Close]));
        }
        self.hold_link(chance, 6000);
        if !self.loss.as_ref().is_some_and(Loss::end) {
            self.wrong("packets are lost for ever".to_owned());
        }
        true
    }

    /// Lets the fault last; now and then the program is killed in the midst of it.
    pub(crate) fn hold_link(&mut self, chance: &mut Chance, at_most: u64) {
        // Now and then for longer than the program waits for an acknowledgement.
        let longest = chance.percent(3).then_some((22_000, 26_000));
        let (from, to) = longest.unwrap_or((100, at_most));
        self.pass(chance.millis(from, to));
        if chance.percent(15) {
            self.kill_and_start(chance);
        }
        self.link.set(Link::Sound);
    }

    /// At any instant: while it starts, while it runs.
    fn kill_and_start(&mut self, chance: &mut Chance) {
        self.pass(chance.millis(0, 3000));
        self.kill_program();
        self.start_program(None);
    }

    fn fill_disk(&mut self, chance: &mut Chance) -> bool {
        let Some(disk) = &self.disk else { return false };
        disk.fill();
        self.pass(chance.millis(1000, 5000));
        if chance.percent(40) {
            self.kill_program();
            self.start_program(None);
            self.pass(chance.millis(500, 4000));
        }
        if let Some(disk) = &self.disk {
            disk.empty();
        }
        true
    }

    fn forbid_writing(&mut self, chance: &mut Chance) -> bool {
        if self.disk.is_none() {
            return false;
        }
        self.kill_program();
        let set = |disk: &Option<Disk>, writable| disk.as_ref().is_some_and(|disk| disk.set_writable(writable));
        if !set(&self.disk, false) {
            self.start_program(None);
            return false;
        }
        self.start_program(None);
        self.pass(chance.millis(1000, 4000));
        if !set(&self.disk, true) {
            self.wrong("the disk cannot be made writable again".to_owned());
        }
        true
    }

    /// Of a program that is stopped. What waited in it is lost with it, and said to be.
    fn damage_outbox(&mut self, chance: &mut Chance) -> bool {
        if !self.settle().is_empty() {
            // The round's end says what.
            return true;
        }
        self.stop_program();
        let path = self.site.storage().join("outbox.sqlite");
        let Ok(mut bytes) = std::fs::read(&path) else { return false };
        let Ok((_folder, db)) = crate::program::copied_database(&self.site.storage()) else { return false };
        let Ok(id) = db.query_row("SELECT outbox_id FROM meta", [], |row| row.get::<_, String>(0)) else {
            return false;
        };
        match chance.below(4) {
            0 => bytes.truncate(bytes.len() / 2),
            1 => bytes.clear(),
            2 => bytes[..512].fill(0x5a),
            _ => bytes.iter_mut().skip(100).for_each(|byte| *byte = !*byte),
        }
        std::fs::write(&path, bytes).expect("writes");
        let announced = self.book.write(|book| {
            if let Ok(id) = id.parse() {
                book.give_up(id);
            }
            book.set_aside
        });
        self.start_program(None);
        if !self.book.wait(SETTLES_WITHIN, |book| book.set_aside > announced) {
            self.wrong("a damaged outbox was not announced".to_owned());
        }
        true
    }

    /// Under a clock that steps while it runs, and is right again in the end.
    fn step_clock(&mut self, chance: &mut Chance) -> bool {
        if !clock::is_here() {
            return false;
        }
        let file = self.folder.join("clock");
        let step = chance.one_of(&clock::STEPS);
        // To a clock of 1970 most brokers' certificates are not valid yet: everything is kept until it is right.
        let is_too_early = step == clock::FROM_1970 && chance.percent(50);
        if is_too_early {
            self.papers.renew_broker_from_2020(&self.broker);
            self.broker.stop();
            self.broker.start();
        }
        clock::set(&file, if step == clock::FROM_1970 { step } else { "+0" });
        self.kill_program();
        self.start_program(Some(&file));
        if is_too_early {
            self.pass(chance.millis(2000, 6000));
        } else {
            self.runs(2);
        }
        clock::set(&file, if step == clock::FROM_1970 { "+0" } else { step });
        self.runs(2);
        self.pass(chance.millis(0, 2000));
        if chance.percent(50) {
            clock::set(&file, "+0");
            self.runs(1);
        }
        self.kill_program();
        self.start_program(None);
        true
    }
}
