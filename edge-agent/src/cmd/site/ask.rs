//! Questions: answered by a flag, by a person, or by a default; an answer that is wrong is said to be, with the reason.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, bail};

/// Answers' judge: the value, or what is wrong with it and how to write it.
pub(super) type Judge<'a, T> = &'a dyn Fn(&str) -> Result<T, String>;

/// One thing to be known.
pub(super) struct Question<'a> {
    /// The flag that answers it, with its dashes.
    pub(super) flag: &'a str,
    /// What a person is asked.
    pub(super) words: &'a str,
    /// What Enter means.
    pub(super) default: Option<&'a str>,
}

/// Who is asked.
pub(super) struct Asker {
    /// `None`: nobody; flags and defaults must do.
    input: Option<Box<dyn BufRead>>,
}

impl Asker {
    /// Asks on the standard input, unless flags must do.
    pub(super) fn new(flags_only: bool) -> Self {
        Self { input: (!flags_only).then(|| Box::new(std::io::stdin().lock()) as Box<dyn BufRead>) }
    }

    /// Whether somebody answers.
    pub(super) fn asks(&self) -> bool {
        self.input.is_some()
    }

    /// The answer of the flag, else of the person, else the default.
    pub(super) fn ask<T>(
        &mut self,
        question: &Question<'_>,
        given: Option<&str>,
        judge: Judge<'_, T>,
    ) -> anyhow::Result<T> {
        if let Some(given) = given {
            return judge(given).map_err(|reason| anyhow::anyhow!("{}: {reason}", question.flag));
        }
        if self.input.is_none() {
            let default =
                question.default.with_context(|| format!("{} is missing, and --yes asks nothing", question.flag))?;
            return judge(default).map_err(|reason| anyhow::anyhow!("{}: {reason}", question.flag));
        }
        loop {
            let hint = question.default.filter(|default| !default.is_empty());
            let hint = hint.map(|default| format!(" [{default}]")).unwrap_or_default();
            let line = self.line(&format!("  {}{hint}: ", question.words))?;
            let answer = if line.is_empty() { question.default.unwrap_or_default() } else { line.as_str() };
            match judge(answer) {
                Ok(value) => return Ok(value),
                Err(reason) => println!("    {reason}"),
            }
        }
    }

    /// Yes or no.
    pub(super) fn confirm(&mut self, words: &str, default: bool) -> anyhow::Result<bool> {
        let question = Question { flag: "--yes", words, default: Some(if default { "y" } else { "n" }) };
        self.ask(&question, None, &|answer| match answer.to_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("write y or n".to_owned()),
        })
    }

    /// What nobody may see: not shown while it is typed at a terminal.
    pub(super) fn secret(&mut self, words: &str) -> anyhow::Result<String> {
        let hidden = Hidden::start();
        let line = self.line(&format!("  {words}: "));
        if hidden.is_some() {
            println!();
        }
        line
    }

    fn line(&mut self, prompt: &str) -> anyhow::Result<String> {
        print!("{prompt}");
        std::io::stdout().flush()?;
        let input = self.input.as_mut().context("nobody is there to be asked")?;
        let mut line = String::new();
        if input.read_line(&mut line).context("the answer cannot be read")? == 0 {
            println!();
            bail!("the answers ended before the questions did; nothing was written");
        }
        if !std::io::stdin().is_terminal() {
            // What a terminal would have shown of the answer: the end of its line.
            println!();
        }
        Ok(line.trim().to_owned())
    }
}

/// The terminal without its echo, until it is dropped.
pub(in crate::cmd) struct Hidden(libc::termios);

impl Hidden {
    /// `None` where there is no terminal.
    pub(in crate::cmd) fn start() -> Option<Self> {
        // SAFETY: termios is plain data, for which all-zero is a value.
        let mut before: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: a live termios.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut before) } != 0 {
            return None;
        }
        let mut silent = before;
        silent.c_lflag &= !libc::ECHO;
        // SAFETY: as above.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &raw const silent) };
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // SAFETY: the termios that tcgetattr filled.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSAFLUSH, &raw const self.0) };
    }
}
