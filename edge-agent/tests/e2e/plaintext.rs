//! Plaintext beyond loopback: refused, or allowed and never forgotten.

use serde_json::Value;

use crate::agent::{Agent, finished};
use crate::centre::Centre;
use crate::common::mosquitto::Mosquitto;
use crate::page::{answer, page_of};
use crate::site::SiteFile;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plaintext_beyond_loopback_is_refused_or_stays_visible_everywhere() {
    let broker = Mosquitto::start_open();
    // An address that is not loopback's, and leads here all the same.
    let site = SiteFile::new(broker.port())
        .camera("nam", "rtsp://127.0.0.1:1/none", "")
        .replaced("mqtt://127.0.0.1", "mqtt://0.0.0.0");
    let said = finished(["run".as_ref(), site.write().as_os_str()]).failed(64);
    assert!(said.contains("beyond loopback") && said.contains("allow_plaintext"), "{said}");

    let site = site.replaced("[mqtt]", "[mqtt]\nallow_plaintext = true");
    let mut centre = Centre::start(broker.port(), None).await;
    let agent = Agent::run(&site.write());
    centre.until("birth", |seen| !seen.births.is_empty()).await;
    assert_eq!(centre.seen.births[0].transport.as_deref(), Some("plaintext"));
    let warned = |health: &edge_agent::publish::wire::Health| {
        health.reasons.iter().any(|reason| reason == "plaintext")
            && health.transport.as_ref().is_some_and(|transport| transport.security == "plaintext")
    };
    centre.until("health", |seen| seen.healths.iter().any(warned)).await;
    let page = page_of(&agent);
    let status = answer(&page, "/api/v1/status");
    let status: Value = serde_json::from_str(status.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let reason = status["reasons"].as_array().and_then(|all| all.iter().find(|reason| reason["code"] == "plaintext"));
    let text = &reason.expect("is there")["text"];
    assert!(text["vi"].as_str().is_some_and(|vi| vi.contains("không mã hóa")), "{text}");
    assert!(text["en"].as_str().is_some_and(|en| en.contains("without encryption")), "{text}");
    assert!(answer(&page, "/metrics").contains("ngatu_broker_plaintext 1"));
    let said = agent.stop().succeeded().stderr;
    assert!(said.contains("allow_plaintext"), "{said}");
    // In time it does not go away.
    assert!(centre.seen.healths.last().is_some_and(warned));
    let said = finished(["doctor".as_ref(), site.write().as_os_str()]).stdout;
    assert!(said.contains("mqtt.allow_plaintext"), "{said}");
}
