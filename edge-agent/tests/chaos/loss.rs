//! Packets that are lost within connections: nftables drops every so many'th, by the kernel's own chance, of those that go
//! to or come from one port. TCP sends them again, later and later: that is what a bad radio link is to a program.
//!
//! netem (`tc qdisc add … netem loss`) does the same to a whole device; few kernels of test machines have it.

use std::process::Command;

use crate::space;

/// The link's packets; none is lost any more when it is dropped.
pub(crate) struct Loss {
    port: u16,
}

impl Loss {
    /// Of the connections to this port; `None` where the system does not allow it.
    pub(crate) fn of(port: u16) -> Option<Self> {
        space::has_network().then_some(Self { port })
    }

    /// Loses so many in a hundred, each way; whether it can.
    pub(crate) fn set(&self, percent: u64) -> bool {
        let port = self.port;
        let rule = |way| format!("add rule ip chaos in tcp {way} {port} numgen random mod 100 < {percent} drop\n");
        let chain = "add table ip chaos\nadd chain ip chaos in { type filter hook input priority 0; }\n";
        nft(&format!("{chain}{}{}", rule("dport"), rule("sport")))
    }

    pub(crate) fn end(&self) -> bool {
        nft("delete table ip chaos\n")
    }
}

fn nft(what: &str) -> bool {
    Command::new("nft").arg(what).output().is_ok_and(|output| output.status.success())
}
