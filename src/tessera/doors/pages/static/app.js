// What every page does beside htmx: keys, the live stream, menus that act when they change. Strings come from the page.
(() => {
  const $ = (s, at = document) => at.querySelector(s);
  const typing = (e) => /^(input|textarea|select)$/i.test(e.target.tagName) || e.target.isContentEditable;
  let first = "";
  addEventListener("keydown", (e) => {
    if (typing(e) || e.metaKey || e.ctrlKey || e.altKey) return;
    if (e.key === "/") { const find = $(".find input"); if (find) { e.preventDefault(); find.focus(); } }
    else if (e.key === "?") { const help = $("#keys"); if (help) { e.preventDefault(); help.open ? help.close() : help.showModal(); } }
    else if (first === "g") { const to = $(`[data-key="${CSS.escape(e.key)}"]`); if (to) to.click(); }
    first = e.key;
  });
  // A select or switch inside a form that says so sends it when it changes.
  addEventListener("change", (e) => { const form = e.target.form; if (form && form.hasAttribute("data-auto")) form.requestSubmit(); });
  addEventListener("click", (e) => {
    const copy = e.target.closest("[data-copy]");
    if (copy) navigator.clipboard.writeText($(copy.dataset.copy).textContent).then(() => { copy.dataset.done = "1"; $(".said", copy).textContent = copy.dataset.said; });
    const close = e.target.closest("[data-close]");
    if (close) close.closest("dialog").close();
  });
  // News of a list that is being read (the pointer over it, or the focus in it) wait behind a button that counts them.
  addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-hold]").forEach((list) => {
    const button = $("[data-fresh]", list), read = () => list.matches(":hover, :focus-within");
    let many = 0;
    const show = (live) => { many = 0; button.hidden = true; htmx.trigger(list, "fresh", { live }); };
    document.body.addEventListener(list.dataset.hold, (e) => {
      many += e.detail.many || 1;
      if (!read()) return show(true);
      $("span", button).textContent = button.dataset.fresh.replace("{0}", many);
      button.hidden = false;
    });
    button.addEventListener("click", () => show(false));
    list.addEventListener("mouseleave", () => { if (many && !read()) show(false); });
  }));
  // What a page asks because it was told of news says so: it is no use of the session, and no news again.
  addEventListener("htmx:configRequest", (e) => {
    const by = e.detail.triggeringEvent;
    if (by && (String(by.type).startsWith("live:") || (by.type === "fresh" && by.detail.live))) e.detail.headers["Tessera-Live"] = "1";
  });
  // One stream for the browser: of all pages of a kind one holds the lock and the stream, and passes on what it hears; when it is
  // closed, the browser gives the lock to another. Each kind of news is an event on the body, `live:KIND`, which hx-trigger
  // listens to; at most one a second, the first at once.
  addEventListener("DOMContentLoaded", () => {
    const from = document.body.dataset.live;
    if (!from || !window.EventSource) return;
    const mark = $("#live"), path = from.split("?")[0], since = (from.split("since=")[1] || ".").split(".");
    const newest = new Map(), waiting = new Map(), others = window.BroadcastChannel ? new BroadcastChannel("tessera" + path) : null;
    let stream = null, release = null, again = 1000, told = 0, flushed = 0, timer = 0, lost = false;
    const say = (is) => {
      lost = is;
      if (!mark) return;
      mark.classList.toggle("lost", is);
      $("span", mark).textContent = is ? mark.dataset.lost.replace("{0}", new Date(told || Date.now()).toLocaleTimeString(document.documentElement.lang)) : mark.dataset.live;
    };
    // Work that takes long says how far it is: into the bar and the words of whoever shows that kind.
    const far = (kind, { stage, percent }) => {
      for (const el of document.querySelectorAll(`[data-news="${CSS.escape(kind)}"]`)) {
        el.hidden = false;
        const bar = $("progress", el), at = $("[data-stage]", el);
        if (bar) bar.value = percent;
        if (at) at.textContent = stage;
      }
    };
    const flush = () => {
      timer = 0; flushed = Date.now();
      for (const [kind, detail] of waiting) {
        if ("percent" in detail) far(kind, detail);
        document.body.dispatchEvent(new CustomEvent(`live:${kind}`, { detail }));
      }
      waiting.clear();
    };
    const hear = (news) => {
      const [run, number] = news.at.split("."), known = newest.get(news.kind);
      told = Date.now(); newest.delete(news.kind); newest.set(news.kind, news);
      if ((known && known.at === news.at) || (run === since[0] && Number(number) <= Number(since[1]))) return;
      waiting.set(news.kind, news);
      timer = timer || setTimeout(flush, Math.max(0, flushed + 1000 - Date.now()));
    };
    const pass = (what) => others && others.postMessage(what);
    const tell = (is) => { say(is); pass({ lost: is }); };
    const open = () => {
      const last = [...newest.values()].pop();
      stream = new EventSource(last ? `${path}?since=${last.at}` : from);
      stream.onopen = () => { told = Date.now(); again = 1000; tell(false); };
      stream.onmessage = (e) => { const news = JSON.parse(e.data); hear(news); pass({ news }); };
      stream.onerror = () => {
        tell(true);
        if (stream.readyState === EventSource.CLOSED) setTimeout(() => stream && open(), again = Math.min(again * 2, 60000));
      };
    };
    const lead = () => {
      if (!others || !navigator.locks) return open();
      pass({ hello: true });
      navigator.locks.request("tessera" + path, () => new Promise((free) => { release = free; open(); }));
    };
    const leave = () => { if (stream) stream.close(); stream = null; if (release) release(); release = null; };
    if (others) others.onmessage = ({ data }) => {
      if (stream) { if (data.hello) { pass({ lost }); for (const news of newest.values()) pass({ news }); } return; }
      if (data.news) hear(data.news);
      if ("lost" in data) { if (!data.lost) told = Date.now(); say(data.lost); }
    };
    lead();
    addEventListener("pagehide", leave);
    addEventListener("pageshow", (e) => { if (e.persisted) lead(); });
  });
})();
