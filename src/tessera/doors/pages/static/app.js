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
  // One stream for the page. Each kind of news is an event on the body, `live:KIND`, which hx-trigger listens to; at most one a second.
  addEventListener("DOMContentLoaded", () => {
    const at = document.body.dataset.live;
    if (!at || !window.EventSource) return;
    const mark = $("#live"), waiting = new Map();
    let stream, told = 0;
    const say = (lost) => {
      if (!mark) return;
      mark.classList.toggle("lost", lost);
      $("span", mark).textContent = lost ? mark.dataset.lost.replace("{0}", new Date(told || Date.now()).toLocaleTimeString(document.documentElement.lang)) : mark.dataset.live;
    };
    // Work that takes long says how far it is: into the bar and the words of whoever shows that kind.
    const far = (kind, { stage, percent }) => { for (const el of document.querySelectorAll(`[data-news="${CSS.escape(kind)}"]`)) { el.hidden = false; const bar = $("progress", el), at = $("[data-stage]", el); if (bar) bar.value = percent; if (at) at.textContent = stage; } };
    const flush = () => { for (const [kind, detail] of waiting) { if ("percent" in detail) far(kind, detail); document.body.dispatchEvent(new CustomEvent(`live:${kind}`, { detail })); } waiting.clear(); };
    setInterval(flush, 500);
    const open = () => {
      stream = new EventSource(at);
      stream.onopen = () => { told = Date.now(); say(false); };
      stream.onerror = () => say(true);
      stream.onmessage = (e) => { told = Date.now(); const news = JSON.parse(e.data); waiting.set(news.kind, news); };
    };
    open();
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (e) => { if (e.persisted) open(); });
  });
})();
