//! What is broken, and how often.

use crate::chance::Chance;

/// A kind of fault; its name is what the campaign counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    LinkReset,
    LinkClosed,
    LinkRefusing,
    LinkFrozen,
    LinkStalledUp,
    LinkStalledDown,
    LinkLate,
    LinkSlow,
    LinkLossy,
    LinkBrokenUp,
    LinkBrokenDown,
    BrokerKilled,
    BrokerFrozen,
    BrokerRestarted,
    BrokerRefusing,
    BrokerSmall,
    BrokerFull,
    BrokerCertificateRotated,
    BrokerCertificateExpired,
    CertificateRotated,
    CertificateExpired,
    CameraReset,
    CameraFrozen,
    AgentKilled,
    AgentAndBrokerKilled,
    AgentStopped,
    DiskFull,
    DiskReadOnly,
    OutboxDamaged,
    ClockStepped,
}

use Fault::{
    AgentAndBrokerKilled, AgentKilled, AgentStopped, BrokerCertificateExpired, BrokerCertificateRotated, BrokerFrozen,
    BrokerFull, BrokerKilled, BrokerRefusing, BrokerRestarted, BrokerSmall, CameraFrozen, CameraReset,
    CertificateExpired, CertificateRotated, ClockStepped, DiskFull, DiskReadOnly, LinkBrokenDown, LinkBrokenUp,
    LinkClosed, LinkFrozen, LinkLate, LinkLossy, LinkRefusing, LinkReset, LinkSlow, LinkStalledDown, LinkStalledUp,
    OutboxDamaged,
};

/// Every kind and how often it comes, in a thousand: two thirds are the broker's and the link's, a third kills.
const MIX: [(Fault, u64); 30] = [
    (LinkReset, 45),
    (LinkClosed, 45),
    (LinkRefusing, 35),
    (LinkFrozen, 40),
    (LinkStalledUp, 40),
    (LinkStalledDown, 40),
    (LinkLate, 35),
    (LinkSlow, 35),
    (LinkLossy, 40),
    (LinkBrokenUp, 50),
    (LinkBrokenDown, 40),
    (BrokerKilled, 45),
    (BrokerFrozen, 40),
    (BrokerRestarted, 25),
    (BrokerRefusing, 20),
    (BrokerSmall, 5),
    (BrokerFull, 9),
    (BrokerCertificateRotated, 10),
    (BrokerCertificateExpired, 5),
    (CertificateRotated, 14),
    (CertificateExpired, 12),
    (CameraReset, 15),
    (CameraFrozen, 15),
    (AgentKilled, 255),
    (AgentAndBrokerKilled, 25),
    (AgentStopped, 20),
    (DiskFull, 15),
    (DiskReadOnly, 5),
    (OutboxDamaged, 8),
    (ClockStepped, 12),
];

/// The short part: every class of fault once, in an order that lets them meet.
pub(crate) const SHORT: [Fault; 14] = [
    AgentKilled,
    LinkReset,
    BrokerKilled,
    LinkBrokenUp,
    AgentKilled,
    LinkStalledDown,
    BrokerFrozen,
    AgentAndBrokerKilled,
    DiskFull,
    BrokerRefusing,
    CertificateRotated,
    AgentKilled,
    OutboxDamaged,
    ClockStepped,
];

impl Fault {
    /// One of those whose names hold these words.
    pub(crate) fn by(chance: &mut Chance, only: &str) -> Self {
        let mix = || MIX.into_iter().filter(|(fault, _)| fault.name().contains(only));
        let mut at = chance.below(mix().map(|(_, often)| often).sum());
        for (fault, often) in mix() {
            match at.checked_sub(often) {
                Some(rest) => at = rest,
                None => return fault,
            }
        }
        panic!("no fault is called {only:?}")
    }

    /// As it is counted, with the kinds that belong together side by side.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            LinkReset => "link reset (RST)",
            LinkClosed => "link closed (FIN)",
            LinkRefusing => "link refusing",
            LinkFrozen => "link frozen",
            LinkStalledUp => "link stalled up",
            LinkStalledDown => "link stalled down",
            LinkLate => "link late",
            LinkSlow => "link at 256 kbit/s",
            LinkLossy => "link losing packets",
            LinkBrokenUp => "link broken in a packet, up",
            LinkBrokenDown => "link broken in a packet, down",
            BrokerKilled => "broker killed",
            BrokerFrozen => "broker frozen",
            BrokerRestarted => "broker restarted",
            BrokerRefusing => "broker refusing topics",
            BrokerSmall => "broker refusing large packets",
            BrokerFull => "broker without a free place",
            BrokerCertificateRotated => "certificate of the broker rotated",
            BrokerCertificateExpired => "certificate of the broker expired",
            CertificateRotated => "certificate rotated",
            CertificateExpired => "certificate expired",
            CameraReset => "camera link reset",
            CameraFrozen => "camera link frozen",
            AgentKilled => "agent kill -9",
            AgentAndBrokerKilled => "agent kill -9 and broker killed",
            AgentStopped => "agent stopped and started",
            DiskFull => "disk full",
            DiskReadOnly => "disk read-only",
            OutboxDamaged => "outbox damaged",
            ClockStepped => "clock stepped",
        }
    }
}
