// The status page: asks /api/v1/status and shows it. Every word comes from the page's own template or from the answer;
// everything is put in as text, never as markup.
"use strict";

(() => {
  const POLL_MS = 2000;
  const TIMEOUT_MS = 15000;
  // A slow link is left free for three quarters of the time.
  const IDLE_SHARE = 3;
  // Whoever keeps the accounts looks at times.
  const ACCOUNTS_MS = 15000;
  const LANG = document.documentElement.lang;
  const TITLE = document.title;

  const byId = (id) => document.getElementById(id);
  const cards = new Map();
  const rows = new Map();
  let zone = "UTC";
  let lastHeard = null;
  let viewer = null;
  let accountsNotBefore = 0;
  let timer = null;

  // --- how things are written ---------------------------------------------------------------------------------------
  const words = (text) => text[LANG] ?? "";
  const number = (value, digits = 1) => value.toLocaleString(LANG, { maximumFractionDigits: digits });
  const fixed = (value) =>
    value.toLocaleString(LANG, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const bytes = (value) =>
    value < 1 << 20 ? `${number(value / 1024, 0)} KiB` : `${number(value / (1 << 20), value < 10 << 20 ? 1 : 0)} MiB`;

  // Local time of the site, wherever the reader is.
  function local(utc) {
    const options = { timeZone: zone, hourCycle: "h23", timeZoneName: "longOffset", year: "numeric" };
    for (const part of ["day", "month", "hour", "minute", "second"]) options[part] = "2-digit";
    const parts = {};
    for (const { type, value } of new Intl.DateTimeFormat("en-GB", options).formatToParts(new Date(utc))) {
      parts[type] = value;
    }
    const offset = parts.timeZoneName.replace("GMT", "") || "+00:00";
    return {
      date: `${parts.day}/${parts.month}/${parts.year}`,
      time: `${parts.hour}:${parts.minute}:${parts.second}`,
      offset: `UTC${offset}`,
    };
  }
  const moment = (utc) => {
    const { date, time, offset } = local(utc);
    return `${date} ${time} ${offset}`;
  };

  function span(start, end) {
    if (!end || end === start) return moment(start);
    const [from, to] = [local(start), local(end)];
    const until = from.date === to.date ? to.time : `${to.date} ${to.time}`;
    return `${from.date} ${from.time} – ${until} ${to.offset}`;
  }

  function lasting(seconds, days) {
    const pad = (value) => String(Math.floor(value)).padStart(2, "0");
    const clock = `${pad((seconds % 86400) / 3600)}:${pad((seconds % 3600) / 60)}:${pad(seconds % 60)}`;
    return seconds < 86400 ? clock : `${Math.floor(seconds / 86400)} ${days} ${clock}`;
  }

  // --- how things are put in ----------------------------------------------------------------------------------------
  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tile(id, level, value, notes) {
    const element = byId(id);
    element.dataset.level = level;
    put(element.querySelector(".value"), value);
    const wanted = notes.filter(Boolean);
    const list = element.querySelector(".notes");
    while (list.children.length > wanted.length) list.lastChild.remove();
    while (list.children.length < wanted.length) list.append(document.createElement("li"));
    wanted.forEach((note, index) => put(list.children[index], note));
  }

  // One element for each item, kept as long as the item is there, in the order of the items.
  function keyed(parent, known, template, items, key, show) {
    const keys = new Set(items.map(key));
    for (const [name, element] of known) {
      if (!keys.has(name)) {
        element.remove();
        known.delete(name);
      }
    }
    items.forEach((item, index) => {
      let element = known.get(key(item));
      if (!element) {
        element = byId(template).content.firstElementChild.cloneNode(true);
        known.set(key(item), element);
      }
      if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
      show(element, item);
    });
  }

  // --- the parts ----------------------------------------------------------------------------------------------------
  function showBox(status) {
    zone = status.timezone;
    document.title = `${words(status.site.name)} – ${TITLE}`;
    put(byId("site"), words(status.site.name));
    put(byId("box"), status.box);
    put(byId("version"), status.software.version);
    put(byId("now"), moment(status.time));
    byId("now").dateTime = status.time;

    const reasons = status.reasons.map((reason) => words(reason.text));
    tile("tile-state", status.state === "ok" ? "good" : "warn", words(status.state_text), reasons);

    const { broker, outbox, clock } = status;
    const says = byId("tile-broker").dataset;
    tile("tile-broker", broker.connected ? "good" : "bad", broker.connected ? says.good : says.bad, [
      broker.url,
      `${says.since} ${moment(broker.since)}`,
      `${number(broker.delivered_total)} ${says.delivered}`,
      broker.host_online === false && says.hostOffline,
      broker.transport?.tls_version && `TLS ${broker.transport.tls_version}`,
      broker.transport?.certificate && `${says.certificate} ${broker.transport.certificate.not_after.slice(0, 10)}`,
      broker.transport?.problem,
      broker.last_error,
    ]);

    const held = byId("tile-outbox").dataset;
    const level = outbox.failing !== null || outbox.lost_total > 0 ? "bad" : outbox.pending > 0 ? "warn" : "good";
    tile("tile-outbox", level, outbox.pending === 0 ? held.good : number(outbox.pending), [
      outbox.pending > 0 && `${held.waiting}, ${bytes(outbox.pending_bytes)}`,
      outbox.lost_total > 0 && `${number(outbox.lost_total)} ${held.lost}`,
      outbox.failing,
    ]);

    const set = byId("tile-clock").dataset;
    tile("tile-clock", clock.synced ? "good" : "warn", clock.synced ? set.good : set.bad, [
      clock.max_error_ms !== null && `${set.error} ${number(clock.max_error_ms)} ms`,
    ]);

    const ran = byId("tile-uptime").dataset;
    tile("tile-uptime", "plain", lasting(status.uptime_s, ran.days), [
      `${ran.memory} ${bytes(status.memory_bytes)}`,
      status.resources?.writes_per_day_bytes != null && `${ran.writes} ${bytes(status.resources.writes_per_day_bytes)}`,
      status.hw_profile,
    ]);
  }

  // Who looks, and what of it is for them; on loopback there is no log-in, and all of it is.
  const may = (right) => !viewer || viewer.may.includes(right);

  function showViewer() {
    byId("viewer").hidden = !viewer;
    byId("log-out").hidden = viewer?.via !== "session";
    byId("technical").hidden = !viewer || !may("diagnostics");
    byId("accounts").hidden = !viewer || !may("accounts");
    if (!viewer) return;
    put(byId("viewer-name"), viewer.name);
    put(byId("viewer-role"), words(viewer.role_text));
  }

  function fillTable(body, lines) {
    const written = lines.map((cells) => {
      const line = document.createElement("tr");
      for (const cell of cells) {
        const data = document.createElement("td");
        data.textContent = cell;
        line.append(data);
      }
      return line;
    });
    body.replaceChildren(...written);
  }

  async function showAccounts() {
    if (!viewer || !may("accounts") || performance.now() < accountsNotBefore) return;
    accountsNotBefore = performance.now() + ACCOUNTS_MS;
    const answer = await fetch("/api/v1/accounts", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) return;
    const { accounts, certificates, sessions } = await answer.json();
    const [body, days] = [byId("account-rows"), byId("tile-uptime").dataset.days];
    const way = (text) => (named) => [named.name, words(named.role_text), text];
    fillTable(body, [...accounts.map(way(body.dataset.password)), ...certificates.map(way(body.dataset.certificate))]);
    fillTable(
      byId("session-rows"),
      sessions.map((session) => [
        session.name,
        words(session.role_text),
        session.address,
        ...[session.age_s, session.idle_s, session.ends_in_s].map((seconds) => lasting(seconds, days)),
      ]),
    );
  }

  function showPicture(card, camera) {
    const [frame, image] = [card.querySelector(".picture"), card.querySelector("img")];
    const taken = card.querySelector(".taken");
    const empty = card.querySelector(".no-picture");
    const none = may("pictures") ? empty.dataset.none : empty.dataset.forbidden;
    put(empty, camera.picture ? empty.dataset.loading : none);
    const path = camera.picture && `${camera.picture.path}?seq=${camera.picture.seq}`;
    // One at a time, and none that nobody sees: a tunnel over a mobile link is slow.
    const idle = image.dataset.state !== "loading" && performance.now() >= Number(image.dataset.notBefore ?? 0);
    if (!path || path === image.dataset.path || !idle || !isSeen(frame)) return;
    const from = performance.now();
    const done = (state) => {
      image.dataset.state = state;
      image.dataset.notBefore = performance.now() + IDLE_SHARE * (performance.now() - from);
    };
    image.onload = () => {
      done("loaded");
      image.hidden = taken.hidden = false;
      empty.hidden = true;
      put(taken, local(camera.picture.taken_at).time);
      taken.dateTime = camera.picture.taken_at;
    };
    image.onerror = () => done("failed");
    image.alt = `${frame.dataset.alt} ${words(camera.camera.name)}`;
    image.dataset.path = path;
    image.dataset.state = "loading";
    image.src = path;
  }

  function isSeen(element) {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > -400 && top < window.innerHeight + 400;
  }

  function showCamera(card, camera) {
    const at = (name) => card.querySelector(`.${name}`);
    card.id = `camera-${camera.camera.id}`;
    card.dataset.state = camera.state;
    put(at("name"), words(camera.camera.name));
    put(at("state"), words(camera.state_text));
    const reason = camera.reasons.map((reason) => words(reason.text)).join("; ");
    at("trouble").hidden = !reason && !camera.detail;
    put(at("reason"), reason);
    put(at("detail"), camera.detail ?? "");
    put(at("received"), fixed(camera.received_fps));
    put(at("analysed"), fixed(camera.analysed_fps));
    put(at("asked"), number(camera.asked_fps));
    const { p50_ms: median, p95_ms: slow } = camera.latency;
    put(at("latency"), median === null ? "–" : `${number(median, 0)} / ${number(slow, 0)}`);
    at("held").hidden = !camera.ring;
    if (camera.ring) {
      put(at("ring-seconds"), fixed(camera.ring.seconds));
      put(at("ring-bytes"), bytes(camera.ring.bytes));
    }
    put(at("model"), camera.model.name);
    put(at("provider"), camera.model.provider);
    showPicture(card, camera);
  }

  function showIncident(row, incident) {
    // Nothing about it is new.
    const version = `${incident.event_id} ${incident.pictures.map((picture) => picture.path).join(" ")}`;
    if (row.dataset.version === version) return;
    row.dataset.version = version;
    row.dataset.severity = incident.severity;
    row.dataset.phase = incident.phase;
    const at = (name) => row.querySelector(`.${name}`);
    put(at("severity"), words(incident.severity_text));
    put(at("label"), words(incident.label));
    put(at("phase"), words(incident.phase_text));
    const direction = incident.direction ? words(incident.direction) : "";
    put(at("where"), [words(incident.place), words(incident.objects), direction].filter(Boolean).join(" · "));
    const because = words(incident.why);
    at("why").hidden = !because;
    put(at("because"), because);
    put(at("when"), span(incident.started_at, incident.ended_at));
    const thumb = at("thumb");
    const [picture] = incident.pictures;
    thumb.hidden = !picture;
    if (picture) {
      thumb.href = picture.path;
      thumb.firstElementChild.alt = words(incident.label);
    }
  }

  // One at a time, and only those in sight: see showPicture.
  let thumbIsLoading = false;
  function loadThumbs() {
    const waits = (image) => !image.hasAttribute("src") && isSeen(image.parentElement);
    const image = thumbIsLoading ? null : [...document.querySelectorAll(".thumb:not([hidden]) img")].find(waits);
    if (!image) return;
    const from = performance.now();
    thumbIsLoading = true;
    image.onload = image.onerror = () => {
      const pause = IDLE_SHARE * (performance.now() - from);
      setTimeout(() => {
        thumbIsLoading = false;
        loadThumbs();
      }, pause);
    };
    image.src = image.parentElement.href;
  }

  function show(status) {
    viewer = status.viewer;
    showViewer();
    showBox(status);
    keyed(byId("cameras"), cards, "camera-card", status.cameras, (camera) => camera.camera.id, showCamera);
    byId("disabled").hidden = status.disabled.length === 0;
    put(byId("disabled").querySelector("span"), status.disabled.join(", "));
    const found = (row) => `${row.camera} ${row.rule} ${row.confirmed}/${row.judged}`;
    byId("precision").hidden = status.precision.length === 0;
    put(byId("precision").querySelector("span"), status.precision.map(found).join(", "));
    const none = byId("no-incidents");
    none.hidden = status.incidents.length > 0;
    put(none, may("incidents") ? none.dataset.none : none.dataset.forbidden);
    const key = (incident) => incident.incident_id;
    keyed(byId("incidents"), rows, "incident-row", status.incidents, key, showIncident);
    loadThumbs();
  }

  // --- asking -------------------------------------------------------------------------------------------------------
  function heard(time) {
    lastHeard = time;
    document.body.classList.remove("stale");
    byId("lost").hidden = byId("never").hidden = true;
    byId("content").hidden = false;
  }

  function missed() {
    document.body.classList.toggle("stale", lastHeard !== null);
    byId("never").hidden = lastHeard !== null;
    byId("lost").hidden = lastHeard === null;
    if (lastHeard) put(byId("last-heard"), moment(lastHeard));
  }

  async function poll() {
    timer = null;
    const from = performance.now();
    let status = null;
    try {
      const answer = await fetch("/api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      // The session is over.
      if (answer.status === 401) return location.assign(LANG === "en" ? "/login?lang=en" : "/login");
      if (answer.ok) status = await answer.json();
    } catch {
      // Said below.
    }
    if (status) {
      heard(status.time);
      show(status);
      showAccounts().catch(() => {});
    } else {
      missed();
    }
    const pause = Math.max(POLL_MS, IDLE_SHARE * (performance.now() - from));
    if (!document.hidden) timer = setTimeout(poll, pause);
  }

  // A page in the background asks nothing.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && timer === null) timer = setTimeout(poll, 0);
  });
  document.addEventListener("scroll", loadThumbs, { passive: true });
  poll();
})();
