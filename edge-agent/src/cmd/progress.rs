//! How far something long is, on stderr, while a person looks on; elsewhere nothing is written.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that is redrawn; gone when it is cleared or dropped.
pub(crate) struct Progress(ProgressBar);

fn bar(template: &str, what: &str) -> Progress {
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    bar.set_style(ProgressStyle::with_template(template).expect("a constant that tests show to be valid"));
    bar.set_prefix(what.to_owned());
    Progress(bar)
}

/// Bytes of a file.
pub(crate) fn bytes(what: &str) -> Progress {
    bar("{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}", what)
}

/// Parts of a thousand.
#[cfg(feature = "demo")]
pub(crate) fn fraction(what: &str) -> Progress {
    bar("{prefix} {wide_bar} {percent} % {eta}", what)
}

/// Frames, with what is said of them.
pub(crate) fn frames(what: &str) -> Progress {
    bar("{prefix} {spinner} {msg}", what)
}

impl Progress {
    /// So much of so much.
    pub(crate) fn tell(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }

    /// `0.0..=1.0` of the whole.
    #[cfg(feature = "demo")]
    pub(crate) fn tell_fraction(&self, done: f64) {
        self.tell((done * 1000.0) as u64, Some(1000));
    }

    /// In words.
    pub(crate) fn say(&self, words: String) {
        self.0.set_message(words);
        self.0.tick();
    }

    /// Since it was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Takes it off the screen.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid() {
        for progress in [bytes("a"), frames("b")] {
            progress.tell(1, Some(2));
            progress.say("c".to_owned());
        }
        #[cfg(feature = "demo")]
        fraction("d").tell_fraction(0.5);
    }
}
