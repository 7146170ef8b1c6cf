/* Tessera's consent banner: asks before anything is sent, sends what she chose, and lets the page's scripts run by it. */
(function (w, d, s) {
  "use strict";
  var KEY = "tessera_consent", origin = new URL(d.currentScript.src).origin, n = w.navigator, gpc = n.globalPrivacyControl === true, waiting = [], box, before;
  var zh = /^zh/i.test(d.documentElement.lang || n.language || ""), t = zh ? s.words.zh : s.words.en;

  function stored(name, value) {
    try {
      if (value !== undefined) w.localStorage.setItem(name, value);
      return w.localStorage.getItem(name);
    } catch (e) { return null; }
  }

  function read() {
    try {
      var kept = JSON.parse(stored(KEY));
      return kept && kept.version === s.version ? held(kept.choices) : null;
    } catch (e) { return null; }
  }

  /* Global Privacy Control is a no to selling and sharing, whatever was clicked before or elsewhere. */
  function held(choices) {
    var out = {};
    s.purposes.forEach(function (p) { out[p.id] = choices[p.id] === true && !(gpc && p.gpc); });
    return out;
  }

  function uuid() {
    if (w.crypto.randomUUID) return w.crypto.randomUUID();
    return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, function (c) {
      return (+c ^ (w.crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+c / 4)))).toString(16);
    });
  }

  /* The same anonymous id as analytics.js has or will take. */
  function anonymous() {
    var id, cookie = /(?:^|; )ajs_anonymous_id=([^;]+)/.exec(d.cookie);
    try { id = JSON.parse(stored("ajs_anonymous_id")); } catch (e) { id = stored("ajs_anonymous_id"); }
    id = id || (cookie && decodeURIComponent(cookie[1]).replace(/^"|"$/g, "")) || uuid();
    stored("ajs_anonymous_id", JSON.stringify(id));
    return id;
  }

  function send(choices) {
    var body = JSON.stringify({
      event: "Segment Consent Preference Updated", anonymousId: anonymous(), messageId: "consent-" + uuid(),
      writeKey: s.writeKey, timestamp: new Date().toISOString(), sentAt: new Date().toISOString(),
      properties: { version: s.version, language: zh ? "zh" : "en" },
      context: { consent: { categoryPreferences: choices } }
    });
    w.fetch(origin + "/v1/t", {
      method: "POST", body: body, keepalive: true, credentials: "omit", headers: { "Content-Type": "text/plain" }
    }).catch(function () {});
  }

  /* Scripts that waited: <script type="text/plain" data-consent="marketing">, or data-consent="" for any choice. */
  function release(choices) {
    [].forEach.call(d.querySelectorAll('script[type="text/plain"][data-consent]'), function (old) {
      var need = old.getAttribute("data-consent"), made;
      if (need && !choices[need]) return;
      made = d.createElement("script");
      [].forEach.call(old.attributes, function (a) { if (a.name !== "type") made.setAttribute(a.name, a.value); });
      made.removeAttribute("data-consent");
      made.text = old.text;
      old.parentNode.replaceChild(made, old);
    });
    waiting.splice(0).forEach(function (f) { f(choices); });
  }

  /* What the SDK sends from now on says what was chosen. */
  function mark() {
    var a = w.analytics;
    if (!a || !a.addSourceMiddleware || a.tessera) return;
    a.tessera = true;
    a.addSourceMiddleware(function (m) {
      var e = m.payload.obj, now = read();
      e.context = e.context || {};
      if (now) e.context.consent = { categoryPreferences: now };
      m.next(m.payload);
    });
  }

  function chosen(choices) {
    choices = held(choices);
    stored(KEY, JSON.stringify({ version: s.version, choices: choices, at: new Date().toISOString() }));
    box.parentNode.removeChild(box);
    box = null;
    if (before && before.focus) before.focus();
    send(choices);
    mark();
    release(choices);
  }

  function add(to, tag, text, style) {
    var made = d.createElement(tag);
    if (text) made.textContent = text;
    if (style) made.style.cssText = style;
    return to.appendChild(made);
  }

  function ask() {
    if (box) return;
    var was = read() || {}, boxes = {}, row, head, about, buttons;
    before = d.activeElement;
    box = add(d.body, "div", "", "position:fixed;inset:auto 0 0 0;z-index:2147483647;max-height:80vh;overflow:auto;" +
      "padding:1rem;background:Canvas;color:CanvasText;border-top:2px solid;font:1rem/1.5 system-ui,sans-serif");
    box.lang = zh ? "zh-Hans" : "en";
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-labelledby", "tessera-consent-head");
    box.setAttribute("aria-describedby", "tessera-consent-about");
    head = add(box, "h2", t.head, "margin:0;font-size:1.2rem;outline:none");
    head.id = "tessera-consent-head";
    head.tabIndex = -1;
    about = add(box, "p", t.about, "margin:.5rem 0");
    about.id = "tessera-consent-about";
    s.purposes.forEach(function (p) {
      var off = gpc && p.gpc, sentence = zh ? p.zh : p.en;
      row = add(box, "label", "", "display:block;padding:.35rem 0");
      boxes[p.id] = add(row, "input", "", "width:1.2rem;height:1.2rem;margin:0 .5rem 0 0;vertical-align:middle");
      boxes[p.id].type = "checkbox";
      boxes[p.id].name = p.id;
      boxes[p.id].disabled = off;
      boxes[p.id].checked = !off && was[p.id] === true;
      add(row, "span", sentence + (off ? " " + t.gpc : ""));
    });
    buttons = add(box, "div", "", "display:flex;flex-wrap:wrap;gap:.5rem;margin-top:.5rem");
    [["all", t.all], ["none", t.none], ["save", t.save]].forEach(function (b) {
      var made = add(buttons, "button", b[1], "font:inherit;padding:.5rem 1rem;min-height:44px;border:2px solid;" +
        "background:Canvas;color:CanvasText;cursor:pointer");
      made.type = "button";
      made.name = b[0];
      made.onclick = function () {
        var out = {};
        s.purposes.forEach(function (p) { out[p.id] = b[0] === "save" ? boxes[p.id].checked : b[0] === "all"; });
        chosen(out);
      };
    });
    head.focus();
  }

  w.tesseraConsent = {
    get: read,
    open: ask,
    ready: function (f) { var now = read(); if (now) f(now); else waiting.push(f); }
  };

  function start() {
    var now = read();
    if (now) { mark(); release(now); } else ask();
    [].forEach.call(d.querySelectorAll("[data-consent-open]"), function (e) { e.addEventListener("click", ask); });
  }
  if (d.readyState === "loading") d.addEventListener("DOMContentLoaded", start); else start();
})
