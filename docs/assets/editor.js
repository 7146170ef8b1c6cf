// The SQL editor of /explore: CodeMirror around a form's textarea.
import { StyleModule } from "style-mod";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, drawSelection, highlightActiveLine } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { acceptCompletion, autocompletion, completionKeymap, startCompletion } from "@codemirror/autocomplete";
import { bracketMatching, LanguageSupport, syntaxHighlighting } from "@codemirror/language";
import { classHighlighter } from "@lezer/highlight";
import { SQLDialect } from "@codemirror/lang-sql";

// CodeMirror would put its rules into a <style>, which our policy refuses. A sheet that a script made is no inline style.
const sheet = new CSSStyleSheet(), mounted = [];
StyleModule.mount = (root, modules) => {
  for (const m of [modules].flat()) if (!mounted.includes(m)) mounted.push(m);
  sheet.replaceSync([...new Set([...[modules].flat(), ...mounted])].map((m) => m.getRules()).join("\n"));
  if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
};

const look = EditorView.theme({
  "&": { fontSize: "13px", color: "var(--ink)", backgroundColor: "var(--surface)", height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: 'ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace', lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--ink)", padding: "10px 0" },
  ".cm-gutters": { backgroundColor: "var(--sunk)", color: "var(--ink3)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--lapis-bg) 45%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { backgroundColor: "color-mix(in srgb, var(--focus) 28%, transparent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--gold-bg)", color: "inherit" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line2)", borderRadius: "8px",
    boxShadow: "0 6px 24px rgb(0 0 0 / .14)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "inherit", maxHeight: "15em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--lapis-bg)", color: "var(--ink)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--lapis)" },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--ink3)", marginLeft: "1.2em" },
  ".cm-completionInfo": { maxWidth: "300px", padding: "6px 10px", color: "var(--ink2)" },
});

// The tables that a text names, by the name or alias under which it uses them.
const named = (text, tables) => {
  const found = new Map();
  const mention = /\b(?:from|join)\s+(\w+)(?:\s+(?:version|timestamp)\s+as\s+of\s+(?:\d+|'[^']*'))?(?:\s+(?:as\s+)?(?!where\b|join\b|on\b|left\b|right\b|inner\b|full\b|cross\b|group\b|order\b|limit\b|using\b|having\b|union\b|qualify\b)(\w+))?/gi;
  for (const [, table, alias] of text.matchAll(mention)) {
    const known = tables.get(table.toLowerCase());
    if (known) { found.set(table.toLowerCase(), known); if (alias) found.set(alias.toLowerCase(), known); }
  }
  return found;
};

const column = (c, boost) => ({ label: c.name, type: "property", detail: c.type, info: c.note || undefined, boost });

const source = (words) => {
  const tables = new Map(words.tables.map((t) => [t.name.toLowerCase(), t]));
  const always = [
    ...words.tables.map((t) => ({ label: t.name, type: "class", detail: words.said.table, info: t.note || undefined, boost: 1 })),
    ...words.functions.map((f) => ({ label: f, type: "function", apply: `${f}(`, detail: words.said.function })),
    ...words.keywords.map((k) => ({ label: k, type: "keyword", boost: -1 })),
  ];
  return (context) => {
    const text = context.state.doc.toString(), used = named(text, tables);
    const dotted = context.matchBefore(/(\w+)\.\w*/);
    if (dotted) {
      const table = used.get(dotted.text.split(".")[0].toLowerCase());
      return table ? { from: dotted.from + dotted.text.indexOf(".") + 1, options: table.columns.map((c) => column(c, 2)), validFor: /^\w*$/ } : null;
    }
    const word = context.matchBefore(/\w+/);
    if (!word && !context.explicit) return null;
    const own = new Map([...new Set(used.values())].flatMap((t) => t.columns.map((c) => [c.name, column(c, 3)])));
    return { from: word ? word.from : context.pos, options: [...own.values(), ...always], validFor: /^\w*$/ };
  };
};

// An editor in place of a textarea, which goes on holding the text for its form. words: what is completed, and said.
export const editorOf = (area, words, run) => {
  const dialect = SQLDialect.define({
    keywords: words.keywords.join(" ").toLowerCase(), types: words.types.join(" ").toLowerCase(), builtin: words.functions.join(" "),
    caseInsensitiveIdentifiers: true,
  });
  const view = new EditorView({
    parent: area.parentElement,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        lineNumbers(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), EditorView.lineWrapping, look,
        new LanguageSupport(dialect.language, [dialect.language.data.of({ autocomplete: source(words) })]),
        syntaxHighlighting(classHighlighter), autocompletion({ icons: false }),
        // What is typed over a selection goes in as text: the browser would keep the selection's looks by a style of its own,
        // which the policy refuses.
        EditorView.domEventHandlers({
          beforeinput: (e, view) => {
            if (e.inputType !== "insertText" || !e.data || view.composing || view.state.selection.main.empty) return false;
            view.dispatch(view.state.replaceSelection(e.data), { userEvent: "input.type", scrollIntoView: true });
            return true;
          },
        }),
        // Tab takes a suggestion while there are some; else it leaves the editor, as in any field.
        keymap.of([
          { key: "Ctrl-Enter", mac: "Cmd-Enter", run: () => (run(), true) }, { key: "Tab", run: acceptCompletion },
          { key: "Alt-/", run: startCompletion }, ...completionKeymap, ...historyKeymap, ...defaultKeymap.filter((k) => k.key !== "Mod-Enter"),
        ]),
        EditorView.contentAttributes.of({ "aria-label": words.said.label, "aria-describedby": words.said.help, spellcheck: "false" }),
        EditorView.updateListener.of((u) => { if (u.docChanged) { area.value = u.state.doc.toString(); area.dispatchEvent(new Event("input", { bubbles: true })); } }),
      ],
    }),
  });
  area.hidden = true;
  return {
    view,
    insert: (text) => { view.dispatch(view.state.replaceSelection(text)); view.focus(); },
    set: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
  };
};
