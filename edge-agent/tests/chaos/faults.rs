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
    LinkBrokenUp,
    LinkBrokenDown,
    BrokerKilled,
    BrokerFrozen,
    BrokerRestarted,
    BrokerRefusing,
    BrokerSmall,
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
    AgentAndBrokerKilled, AgentKilled, AgentStopped, BrokerFrozen, BrokerKilled, BrokerRefusing, BrokerRestarted,
    BrokerSmall, CameraFrozen, CameraReset, ClockStepped, DiskFull, DiskReadOnly, LinkBrokenDown, LinkBrokenUp,
    LinkClosed, LinkFrozen, LinkLate, LinkRefusing, LinkReset, LinkSlow, LinkStalledDown, LinkStalledUp, OutboxDamaged,
};

/// Every kind and how often it comes, in a thousand: two thirds are the broker's and the link's, a third kills.
const MIX: [(Fault, u64); 24] = [
    (LinkReset, 55),
    (LinkClosed, 45),
    (LinkRefusing, 45),
    (LinkFrozen, 50),
    (LinkStalledUp, 50),
    (LinkStalledDown, 50),
    (LinkLate, 45),
    (LinkSlow, 45),
    (LinkBrokenUp, 60),
    (LinkBrokenDown, 40),
    (BrokerKilled, 50),
    (BrokerFrozen, 45),
    (BrokerRestarted, 25),
    (BrokerRefusing, 20),
    (BrokerSmall, 5),
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
    LinkSlow,
    AgentKilled,
    OutboxDamaged,
    ClockStepped,
];

impl Fault {
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let mut at = chance.below(MIX.iter().map(|(_, often)| often).sum());
        for (fault, often) in MIX {
            match at.checked_sub(often) {
                Some(rest) => at = rest,
                None => return fault,
            }
        }
        unreachable!("below the sum")
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
            LinkBrokenUp => "link broken in a packet, up",
            LinkBrokenDown => "link broken in a packet, down",
            BrokerKilled => "broker killed",
            BrokerFrozen => "broker frozen",
            BrokerRestarted => "broker restarted",
            BrokerRefusing => "broker refusing topics",
            BrokerSmall => "broker refusing large packets",
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
