// Runs the consent banner over a small document and tells, as JSON, what it did: node banner.js SCRIPT GPC LANGUAGE CLICK
const fs = require("fs"), vm = require("vm");
const [file, gpc, language, click] = process.argv.slice(2);
const stored = {}, sent = [], events = [], ran = [];
function element(tag) {
  return {
    tag, children: [], style: {}, attributes: [], textContent: "",
    appendChild(child) { child.parentNode = this; this.children.push(child); return child; },
    removeChild(child) { this.children = this.children.filter((c) => c !== child); },
    replaceChild(made, old) { ran.push(made.text); this.children = this.children.filter((c) => c !== old); waiting = waiting.filter((c) => c !== old); },
    setAttribute(name, value) { this[name] = value; }, getAttribute(name) { return this[name]; }, removeAttribute() {},
    focus() { document.activeElement = this; },
  };
}
const body = element("body");
function script(text, need) { const made = element("script"); Object.assign(made, { text, "data-consent": need, parentNode: body }); return made; }
let waiting = [script("any", ""), script("ads", "ads"), script("stats", "stats")];
const document = {
  body, cookie: "", readyState: "complete", documentElement: { lang: language }, activeElement: element("page"),
  currentScript: { src: "https://cdp.example.org/banner.js?writeKey=k" }, createElement: element,
  querySelectorAll: (what) => (what.startsWith("script") ? waiting : []), addEventListener() {},
};
const window = {
  navigator: { language: "en", globalPrivacyControl: gpc === "true" }, crypto: require("crypto").webcrypto,
  localStorage: { getItem: (k) => (k in stored ? stored[k] : null), setItem: (k, v) => { stored[k] = v; } },
  fetch: (url, what) => { sent.push({ url, body: JSON.parse(what.body) }); return Promise.resolve(); },
  analytics: { addSourceMiddleware: (f) => { window.marking = f; } },
};
const load = () => vm.runInNewContext(fs.readFileSync(file, "utf-8"), { window, document, URL, JSON, Date, Uint8Array, decodeURIComponent });
const find = (at, test) => (test(at) ? [at] : []).concat(...at.children.map((c) => find(c, test)));
load();
window.tesseraConsent.ready((choices) => events.push(choices));
const box = body.children[0], asked = { role: box.role, lang: box.lang, texts: find(box, (e) => e.textContent).map((e) => e.textContent) };
const inputs = find(box, (e) => e.tag === "input").map((e) => ({ name: e.name, disabled: e.disabled, checked: e.checked }));
const before = { sent: sent.length, ran: ran.length, stored: Object.keys(stored) };
if (click === "save") find(box, (e) => e.name === "stats")[0].checked = true;
find(box, (e) => e.tag === "button" && e.name === click)[0].onclick();
const marked = { payload: { obj: {} }, next() {} };
window.marking(marked);
const open = body.children.length;
load();
console.log(JSON.stringify({ asked, inputs, before, sent, ran, events, marked: marked.payload.obj, open, again: body.children.length, now: window.tesseraConsent.get() }));
