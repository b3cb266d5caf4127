//! Certificates that expire and are exchanged, the box's and the broker's, while it runs.
//!
//! What the box shows is known from the broker, which logs whom it lets in and by which name in a certificate.

use std::time::Duration;

use crate::chance::Chance;
use crate::common::proxy::Cut;
use crate::rig::{Rig, SETTLES_WITHIN};

/// What the broker logs when it lets the box in.
const LET_IN: &str = " as ngatu-nut-thu-box-a ";

/// What it logs when it reads its files again.
const READ_AGAIN: &str = "Reloading config";

impl Rig {
    /// The box's own, with its key. It is used while the program runs, without a restart.
    pub(crate) fn rotate_certificate(&mut self, chance: &mut Chance) {
        let name = self.papers.renew();
        if chance.percent(30) {
            self.pass(chance.millis(0, 3000));
            self.cut(chance);
        }
        self.until_let_in_as(&name);
        self.runs(1);
    }

    /// The box's own file is replaced by one whose time is over, and that by a good one.
    pub(crate) fn expire_certificate(&mut self, chance: &mut Chance) {
        // It is connected, with what was good.
        self.runs(1);
        self.papers.expire();
        if chance.percent(50) {
            self.until_told("the new certificate has expired", |problem| {
                problem.is_some_and(|problem| problem.contains("expired"))
            });
            if chance.percent(50) {
                self.cut(chance);
            }
            // What was in use goes on being used.
            self.runs(1);
        } else {
            // A program that starts with it has no other: the broker refuses it.
            self.kill_program();
            self.pass(Duration::from_millis(300));
            let before = self.broker.log().matches(LET_IN).count();
            self.start_program(None);
            self.pass(chance.millis(3000, 7000));
            if self.broker.log().matches(LET_IN).count() > before {
                self.wrong("the broker let the box in with an expired certificate".to_owned());
            }
        }
        let name = self.papers.renew();
        self.until_let_in_as(&name);
        self.until_told("certificates are as they should", |problem| problem.is_none());
        self.runs(1);
    }

    /// The broker's: it comes back with another, or reads it while it runs and shows it to the next who comes.
    pub(crate) fn rotate_broker_certificate(&mut self, chance: &mut Chance) {
        self.papers.renew_broker(&self.broker);
        if chance.percent(50) {
            self.broker.reload();
            self.until_logged("it reads its files again", |log| log.contains(READ_AGAIN));
            self.cut(chance);
        } else {
            self.broker.stop();
            self.broker.start();
        }
        self.until_let_in();
        self.runs(1);
    }

    /// The broker shows one whose time is over: it gets nothing until it has a good one.
    pub(crate) fn expire_broker_certificate(&mut self, chance: &mut Chance) {
        self.papers.expire_broker(&self.broker);
        self.broker.stop();
        self.broker.start();
        self.hold_link(chance, 5000);
        if self.broker.log().contains(LET_IN) {
            self.wrong("the box gave itself to a broker whose certificate has expired".to_owned());
        }
        self.broker.stop();
        self.papers.renew_broker(&self.broker);
        self.broker.start();
        self.until_let_in();
        self.runs(1);
    }

    fn cut(&self, chance: &mut Chance) {
        self.link.cut(chance.one_of(&[Cut::Reset, Cut::Close]));
    }

    /// Waits until the broker has let it in with the certificate of this name.
    fn until_let_in_as(&self, name: &str) {
        let shown = format!("u'{name}'");
        let is_so = |line: &str| line.contains(LET_IN) && line.contains(&shown);
        self.until_logged(&format!("the box is let in as {name}"), |log| log.lines().any(is_so));
    }

    /// Waits until the broker, as it is now, has let it in: its log begins anew with it.
    fn until_let_in(&self) {
        let since = |log: &str| log.rfind(READ_AGAIN).map_or(0, |at| at);
        self.until_logged("the box is let in", |log| log[since(log)..].contains(LET_IN));
    }

    fn until_logged(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        if !self.book.wait_for(SETTLES_WITHIN, || is_so(&self.broker.log())) {
            self.wrong(format!("the broker never logs that {what}"));
        }
    }

    /// Waits until health says so of certificate files.
    fn until_told(&self, what: &str, is_so: impl Fn(Option<&str>) -> bool) {
        let is_so = |book: &crate::book::Book| is_so(book.certificate_problem.as_deref());
        if !self.book.wait(SETTLES_WITHIN, is_so) {
            let told = self.book.lock().certificate_problem.clone();
            self.wrong(format!("health never says that {what}: {told:?}"));
        }
    }
}
