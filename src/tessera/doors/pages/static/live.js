// The feed of /live: rows as they come, made of text alone. What comes while somebody reads, or has paused, waits behind a button.
(() => {
  const MOST = 80, WAIT = 300;
  addEventListener("DOMContentLoaded", () => {
    const $ = (s) => document.querySelector(s), feed = $("#feed");
    setInterval(() => { if (!document.hidden) document.body.dispatchEvent(new CustomEvent("live:step")); }, 5000);
    if (!feed || !window.EventSource) return;
    const list = $("#feed ol"), fresh = $("#fresh"), pause = $("#pause"), said = $("#said"), names = $("#names"), known = new Set();
    const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: feed.dataset.zone });
    let waiting = [], paused = false, stream, lately = 0;
    const part = (tag, cls, text) => { const made = document.createElement(tag); if (cls) made.className = cls; made.textContent = text; return made; };
    const row = (e) => {
      const li = document.createElement("li"), at = e.at && new Date(e.at), body = part("div", "", "");
      li.append(part("time", "num", at && !isNaN(at) ? clock.format(at) : ""), body);
      body.append(part("b", "", e.event || e.kind || feed.dataset.unnamed));
      if (e.kind && e.event && e.kind !== "track") body.append(part("span", "tag", e.kind));
      if (e.who) body.append(part("span", "tag plum", e.who));
      const rest = part("p", "muted", "");
      for (const [name, value] of e.rest) { const one = part("span", "", ""); one.append(part("i", "", name), " ", value); rest.append(one); }
      if (e.rest.length) body.append(rest);
      return li;
    };
    const name = (e) => {
      if (!names || !e.event || known.has(e.event) || known.size > 50) return;
      known.add(e.event);
      names.append(new Option(e.event));
    };
    const draw = () => {
      if (waiting.length) { const quiet = $("#quiet"); if (quiet) quiet.remove(); }
      list.prepend(...waiting.reverse().map(row));
      waiting = [];
      while (list.children.length > MOST) list.lastChild.remove();
      fresh.hidden = true;
    };
    const reads = () => paused || feed.scrollTop > 4 || feed.contains(document.activeElement);
    const offer = () => { fresh.hidden = !waiting.length; $("#fresh span").textContent = fresh.dataset.said.replace("{n}", waiting.length); };
    const open = () => {
      stream = new EventSource(feed.dataset.at);
      stream.onopen = () => { $("#lost").hidden = true; };
      stream.onerror = () => { $("#lost").hidden = false; if (stream.readyState === EventSource.CLOSED) setTimeout(() => stream && open(), 5000); };
      stream.onmessage = (m) => {
        const told = JSON.parse(m.data);
        for (const at of document.querySelectorAll("#tells [data-n]")) at.textContent = told[at.dataset.n].toLocaleString(document.documentElement.lang);
        lately += told.events.length;
        told.events.forEach(name);
        waiting = [...waiting, ...told.events].slice(-WAIT);
        if (reads()) offer(); else if (waiting.length) draw();
      };
    };
    const shut = () => { if (stream) stream.close(); stream = null; };
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      $("#pause span").textContent = paused ? pause.dataset.go : pause.dataset.pause;
      said.textContent = paused ? said.dataset.paused : said.dataset.going;
      if (!paused) draw();
    });
    fresh.addEventListener("click", () => { feed.scrollTop = 0; draw(); pause.focus(); });
    // A fast feed is not read out; how many came is, twice a minute.
    setInterval(() => { if (lately && !paused) said.textContent = said.dataset.many.replace("{n}", lately); lately = 0; }, 30000);
    open();
    addEventListener("pagehide", shut);
    addEventListener("pageshow", (e) => { if (e.persisted) open(); });
  });
})();
