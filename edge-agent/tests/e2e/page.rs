//! The status page as a person sees it, in a real browser, in front of the real program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use edge_agent::page::BoxStatus;
use serde_json::json;

use crate::agent::Agent;
use crate::clip::Cameras;
use crate::common::browser::Browser;
use crate::common::mosquitto::Mosquitto;
use crate::site::SiteFile;

/// What somebody might call a camera who wishes the page ill.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><b id='owned'>Nam</b>";

/// Where the page of this program is.
pub(crate) fn page_of(agent: &Agent) -> String {
    let line = agent.stderr.line_with("status page url=");
    line.split("url=").nth(1).expect("it says where").trim().to_owned()
}

/// What a path of the page at `url` answers, head and all.
pub(crate) fn answer(url: &str, path: &str) -> String {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("sends");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_person_sees_cameras_incidents_and_why_in_both_languages_and_when_the_program_is_gone() {
    let (broker, cameras) = (Mosquitto::start_open(), Cameras::start());
    let site = SiteFile::new(broker.port())
        .camera("nam", &cameras.url("one"), "")
        .camera("bac", "rtsp://127.0.0.1:1/none", "")
        .replaced("snapshots = false", "snapshots = true")
        .replaced("Hướng nam", &HOSTILE.replace('"', "\\\""))
        .replaced("Nút thử", &HOSTILE.replace('"', "\\\""))
        .replaced("Test junction", &HOSTILE.replace('"', "\\\""))
        .replaced("Towards nam", &HOSTILE.replace('"', "\\\""));
    let agent = Agent::run(&site.write());
    let url = page_of(&agent);
    let mut browser = Browser::start(1440);
    for (query, lang, online, offline, why, limit) in [
        ("", "vi", "Hoạt động", "không liên lạc được với camera", "Vì sao:", "ngưỡng"),
        ("?lang=en", "en", "Online", "the camera cannot be reached", "Why:", "limit"),
    ] {
        browser.open(&format!("{url}{query}"));
        browser.until("document.querySelector('#camera-nam[data-state=online] img')?.naturalWidth > 0");
        browser.until(&format!(
            "[...document.querySelectorAll('.because')].some((why) => why.textContent.includes('{limit}'))"
        ));
        browser.until("document.querySelector('.thumb:not([hidden]) img')?.naturalWidth > 0");
        browser.until("document.querySelector('#camera-bac:not([data-state=online]) .reason')?.textContent");
        assert_eq!(browser.value("document.documentElement.lang"), json!(lang));
        let text = browser.text();
        for words in [online, why, HOSTILE, "box-a", "ssdlite-mobilenet-v2", "UTC+07:00"] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert!(text.to_lowercase().contains(offline), "{offline}\n{text}");
        assert_eq!(browser.value("document.getElementById('owned')"), json!(null), "a name is text");
        for width in [390_u32, 1440] {
            browser.resize(width);
            let wide = browser.value("document.documentElement.scrollWidth");
            assert!(wide.as_u64().is_some_and(|wide| wide <= u64::from(width)), "{wide} px do not fit into {width}");
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            browser.screenshot(&folder.join(format!("page-{lang}-{width}.png")));
        }
        let title = browser.value("document.title");
        assert!(title.as_str().is_some_and(|title| title.contains(HOSTILE)), "the site's name, as text: {title}");
    }
    assert_eq!(browser.errors, [""; 0], "the console is clean");

    let status = browser.value("fetch('/api/v1/status').then((answer) => answer.text())");
    let status: BoxStatus = serde_json::from_str(status.as_str().expect("text")).expect("its type");
    assert!(status.broker.connected && status.broker.delivered_total > 0);
    assert!(status.cameras[0].analysed_total > 0 && status.cameras[0].latency.p95_ms.is_some());

    agent.stop().succeeded();
    browser.until("!document.getElementById('lost').hidden && document.body.classList.contains('stale')");
    let text = browser.text();
    assert!(text.contains("No contact with the program"), "{text}");
}
