//! A real browser without a screen: Chromium over its DevTools protocol, on a pipe.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::DEADLINE;

/// Messages that wait while the test does something else.
const WAITING: usize = 4096;

/// A browser with one page; killed when dropped.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    sent: u64,
    session: Option<String>,
    /// Pages that were loaded.
    loads: u64,
    /// What the page's console said of errors.
    pub(crate) errors: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// With an empty page of this width.
    pub(crate) fn start(width_px: u32) -> Self {
        Self::start_with(width_px, &[])
    }

    /// The same with further switches of Chromium.
    pub(crate) fn start_with(width_px: u32, switches: &[String]) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        // Chromium reads commands from descriptor 3 and writes to 4. Its sandbox does not work for root.
        let start = "exec chromium --headless --remote-debugging-pipe --no-first-run --disable-gpu --no-sandbox \
                     --disable-dev-shm-usage --user-data-dir=\"$0\" \"$@\" about:blank 3<&0 4>&1 0</dev/null 1>/dev/null";
        let mut child = Command::new("bash")
            .args(["-c", start])
            .arg(profile.path())
            .args(switches)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash runs");
        let commands = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, messages) = sync_channel(WAITING);
        std::thread::spawn(move || {
            for message in output.split(0) {
                let Ok(message) = message else { return };
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser =
            Self { child, commands, messages, sent: 0, session: None, loads: 0, errors: Vec::new(), _profile: profile };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": page, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(width_px);
        browser
    }

    /// Gives the page another width, as a phone or a desk has.
    pub(crate) fn resize(&mut self, width_px: u32) {
        let size = json!({ "width": width_px, "height": 900, "deviceScaleFactor": 1, "mobile": width_px < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    pub(crate) fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened.get("errorText").is_none(), "{url}: {opened}");
    }

    /// Does what leads to another page, and waits until that is loaded.
    pub(crate) fn leave_by(&mut self, expression: &str) {
        let before = self.loads;
        self.value(expression);
        while self.loads == before {
            let message = self.messages.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("stays: {expression}"));
            self.note(&message);
        }
    }

    /// The value of an expression in the page; a promise is waited for.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a condition holds in the page.
    pub(crate) fn until(&mut self, condition: &str) {
        let within_ms = DEADLINE.as_millis() / 2;
        let waiting = format!(
            "new Promise((done) => {{ const end = Date.now() + {within_ms}; const look = () => {{ \
             if ({condition}) done(true); else if (Date.now() > end) done(false); else setTimeout(look, 50); }}; \
             look(); }})"
        );
        // A page that is still being loaded takes what waits in it along.
        let deadline = Instant::now() + DEADLINE;
        while self.value("document.readyState") != json!("complete") {
            assert!(Instant::now() < deadline, "the page is not loaded");
        }
        if self.value(&waiting) != json!(true) {
            panic!("never: {condition}\n{}\n{:?}", self.value("document.body.innerText"), self.errors);
        }
    }

    /// Everything a person would read.
    pub(crate) fn text(&mut self) -> String {
        self.value("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// The whole page as a picture.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        let asked = json!({ "format": "png", "captureBeyondViewport": true });
        let png = self.call("Page.captureScreenshot", asked)["data"].clone();
        std::fs::write(path, base64(png.as_str().expect("base64"))).expect("writes");
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let sent = self.commands.write_all(format!("{message}\0").as_bytes()).and_then(|()| self.commands.flush());
        sent.expect("chromium runs (apt-get install chromium)");
        loop {
            let mut message = match self.messages.recv_timeout(DEADLINE) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => panic!("no answer to {method}"),
                Err(RecvTimeoutError::Disconnected) => panic!("chromium ended (apt-get install chromium)"),
            };
            if message["id"] == json!(self.sent) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        if message["method"] == "Page.loadEventFired" {
            self.loads += 1;
        }
        let is_error = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => params["type"] == "error",
            Some("Log.entryAdded") => params["entry"]["level"] == "error",
            _ => false,
        };
        if is_error {
            self.errors.push(params.to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// RFC 4648, without line breaks.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | u32::from(value(c));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
