// What /explore does: the editor, the names that a click inserts, the slider of moments, and what is said when an answer has come.
// docs/make_assets.py bundles it, with the editor, into static/editor.js.
import { editorOf } from "./editor.js";

const $ = (s, at = document) => at.querySelector(s);
document.documentElement.classList.add("js");
addEventListener("DOMContentLoaded", () => {
  const area = $("#text");
  if (!area) return;
  const editor = editorOf(area, JSON.parse($("#words").textContent), () => $("#run").click());
  addEventListener("click", (e) => { const named = e.target.closest("[data-insert]"); if (named) editor.insert(named.dataset.insert); });
  addEventListener("input", (e) => {
    if (e.target.id !== "moment") return;
    const said = e.target.dataset.said.split("|")[e.target.value];
    $("#moment-said").textContent = said;
    e.target.setAttribute("aria-valuetext", said);
  });
  addEventListener("change", (e) => {
    if (e.target.id !== "moment") return;
    const at = $("#moment-at");
    at.value = e.target.dataset.moments.split("|")[e.target.value];
    window.htmx.trigger(at, "moved");
  });
  document.body.addEventListener("htmx:afterSettle", (e) => {
    const answer = $("#answer");
    if (!answer || (e.detail.target && e.detail.target.id === "about")) return;
    $("#told").textContent = answer.dataset.said;
    if (answer.dataset.line) {
      const doc = editor.view.state.doc, line = doc.line(Math.min(answer.dataset.line, doc.lines));
      editor.view.dispatch({ selection: { anchor: Math.min(line.from + Number(answer.dataset.column), line.to) }, scrollIntoView: true });
    }
  });
});
