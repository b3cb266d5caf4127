//! A broker that does not take what it is given, or whom it should: its access list, its limit of a packet, its quota of
//! connections.

use std::net::TcpStream;

use crate::chance::Chance;
use crate::common::proxy::{Cut, Link};
use crate::rig::{Rig, SETTLES_WITHIN};

/// Every client does everything; patterns hold for those with a name and those without.
pub(crate) const RULES: &str = "pattern readwrite #\n";

/// Nobody may send events; everything else goes on.
const RULES_WITHOUT_EVENTS: &str = "pattern read #\npattern write ngatu/v1/+/+/birth\npattern write ngatu/v1/+/+/status\n\
                                    pattern write ngatu/v1/+/+/health\npattern write ngatu/v1/+/+/camera/+/status\n";

impl Rig {
    pub(crate) fn refuse_topics(&mut self, chance: &mut Chance) {
        std::fs::write(self.broker.path("acl"), RULES_WITHOUT_EVENTS).expect("writes");
        self.broker.reload();
        self.pass(chance.millis(1000, 5000));
        std::fs::write(self.broker.path("acl"), RULES).expect("writes");
        self.broker.reload();
    }

    pub(crate) fn refuse_large_packets(&mut self, chance: &mut Chance) {
        let path = self.broker.path("mosquitto.conf");
        let config = std::fs::read_to_string(&path).expect("was written");
        self.broker.stop();
        let limit = chance.one_of(&["message_size_limit 1200", "max_packet_size 1500"]);
        std::fs::write(&path, format!("{config}{limit}\n")).expect("writes");
        self.broker.start();
        self.pass(chance.millis(2000, 6000));
        self.broker.stop();
        std::fs::write(&path, config).expect("writes");
        self.broker.start();
    }

    /// All the places are taken, by another one: Mosquitto closes every further connection at once.
    pub(crate) fn refuse_connections(&mut self, chance: &mut Chance) {
        let path = self.broker.path("mosquitto.conf");
        let config = std::fs::read_to_string(&path).expect("was written");
        self.broker.stop();
        // Of the listener that was named last: that of TLS.
        std::fs::write(&path, format!("{config}max_connections 1\n")).expect("writes");
        self.link.set(Link::Refusing);
        self.broker.start();
        let other = TcpStream::connect(("127.0.0.1", self.tls_port));
        self.link.set(Link::Sound);
        let is_refused = |rig: &Self| rig.broker.log().contains("max_connections exceeded");
        if !self.book.wait_for(SETTLES_WITHIN, || is_refused(self)) {
            self.wrong("a broker without a free place was not asked for one".to_owned());
        }
        self.hold_link(chance, 4000);
        drop(other);
        self.runs(1);
        self.broker.stop();
        std::fs::write(&path, config).expect("writes");
        self.broker.start();
        if chance.percent(30) {
            self.link.cut(Cut::Reset);
        }
    }
}
