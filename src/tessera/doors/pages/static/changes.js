// The text of a file beside its form: numbers of lines that follow the typing, mistakes at their line, parts that stay open.
(() => {
  const $ = (s) => document.querySelector(s);
  const open = new Map();
  const number = () => {
    const text = $("#text"), gutter = $(".gutter");
    if (!text || !gutter) return;
    const lines = text.value.split("\n"), n = Math.max(1, lines.length - (lines[lines.length - 1] === "" ? 1 : 0));
    const wrong = new Set((($("#checks") || text).dataset.wrong || "").split(" "));
    gutter.replaceChildren(...Array.from({ length: n }, (_, k) => {
      const line = document.createElement("span");
      line.textContent = k + 1;
      if (wrong.has(String(k + 1))) line.className = "wrong";
      return line;
    }));
    text.rows = Math.max(n + 1, 8);
  };
  addEventListener("input", (e) => { if (e.target.id === "text") number(); });
  addEventListener("toggle", (e) => { if (e.target.matches && e.target.matches("details.item")) open.set(e.target.id, e.target.open); }, true);
  addEventListener("htmx:afterSettle", () => {
    number();
    for (const [id, is] of open) { const found = document.getElementById(id); if (found) found.open = is; }
  });
  addEventListener("click", (e) => {
    const to = e.target.closest && e.target.closest("[data-line]");
    if (!to) return;
    e.preventDefault();
    const text = $("#text"), lines = text.value.split("\n"), n = Number(to.dataset.line) - 1;
    const start = lines.slice(0, n).reduce((sum, line) => sum + line.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[n] || "").length);
  });
})();
