"""A customer's copy as a page: one file, no script, light and dark, from a telephone's width to a desk's.

The page is made piece by piece, as the rows come. Of a long table it shows the first rows and names the file of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import islice
from typing import Any

from tessera.config import Config
from tessera.copy_words import (
    ACTS,
    BASES,
    IDENTIFIERS,
    ROLES,
    STATES,
    TABLES,
    WORDS,
    column,
    columns,
    sentence,
)
from tessera.insight.segments.names import label
from tessera.lake.table import Table
from tessera.trust.entries import Entry
from tessera.trust.rights_copy import Hers

SHOWN = 50
"""Rows of a table that the page shows."""

LONGEST = 400
"""Characters of a cell that the page shows."""

STYLE = """:root{color-scheme:light dark;--bg:#f6f4ef;--surface:#fff;--line:#e2ddd2;--ink:#1d2433;--ink2:#4d566a;--ink3:#5f6678;
--good:#0c7261;--goodbg:#dff1ec;--no:#b3431f;--nobg:#fbe9e2;--slate:#5b6478;--slatebg:#eceef2;--link:#23508f}
@media(prefers-color-scheme:dark){:root{--bg:#12151c;--surface:#1a1f29;--line:#2a313e;--ink:#edf0f5;--ink2:#b7bfcd;
--ink3:#929cae;--good:#63cdb6;--goodbg:#143a34;--no:#f2906c;--nobg:#472418;--slate:#a7b0c0;--slatebg:#262c38;
--link:#8db4ee}}*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 Inter,
"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif}:lang(zh){line-height:1.7}main{max-width:1080px;
margin:0 auto;padding:28px 16px 64px}h1{font-size:30px;line-height:1.2;margin:0 0 10px;letter-spacing:-.02em}
:lang(zh) h1{letter-spacing:0}h2{font-size:17px;margin:0 0 10px}header p{color:var(--ink2);font-size:16px;max-width:46rem;
margin:0 0 6px}a{color:var(--link)}small,.m{color:var(--ink3);font-size:13px}section{background:var(--surface);
border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:16px 0}ul{list-style:none;margin:0;padding:0}
li{padding:9px 0;border-top:1px solid var(--line)}li:first-child{border:0}.tag{display:inline-block;font-size:12.5px;
font-weight:600;padding:1px 8px;border-radius:5px;background:var(--slatebg);color:var(--slate)}
.good{background:var(--goodbg);color:var(--good)}.no{background:var(--nobg);color:var(--no)}summary{cursor:pointer;
padding:8px 0;font-weight:600}summary small{font-weight:400}details{border-top:1px solid var(--line)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--ink3);font-weight:600;white-space:nowrap}td,th{padding:6px 12px 6px 0;
border-top:1px solid var(--line);vertical-align:top}td{overflow-wrap:anywhere;max-width:28rem}dl{display:grid;
grid-template-columns:minmax(8rem,auto) 1fr;gap:4px 16px;margin:0}dt{color:var(--ink3)}dd{margin:0;overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}@media(max-width:600px){dl{display:block}dd{margin:0 0 8px}
h1{font-size:24px}}@media print{body{background:#fff}details{display:block}}"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"

Rows = Callable[[Table], Iterator[dict[str, Any]]]


def page(
    config: Config, facts: Mapping[str, Any], held: Sequence[Hers], rows: Rows, uses: Iterable[Entry],
    consents: Mapping[str, Any] | None, language: str, other: str,
) -> Iterator[str]:
    """The page in pieces. facts: copies.facts_of. other: the file of the same page in the other language."""
    words, left = WORDS[language], iter(uses)
    newest = list(islice(left, SHOWN))
    many = len(newest) + sum(1 for _ in left)
    yield from _head(config, facts, held, many, language, other)
    yield from _choices(facts, consents, language)
    for part in ("given", "derived", "inferred", "bookkeeping"):
        tables = [h for h in held if _facts(facts, h)["origin"] == part]
        if tables:
            yield f"<section><h2>{words[part]}</h2>"
            if part == "inferred":
                yield f'<p class="m">{words["inferred_note"]}</p>'
            for one in tables:
                yield from _table(one, rows, _purposes(facts, language), language, opened=part != "bookkeeping")
            yield "</section>\n"
    yield from _uses(newest, many, _purposes(facts, language), language)
    yield from _duties(config, facts, language)
    yield from _keeping(config, facts, held, language)
    yield f"<section><h2>{words['rights']}</h2><p>{words['rights_text']}</p></section>\n"
    yield f"<section><h2>{words['check']}</h2><p>{words['check_text']}</p></section>\n</main>\n</html>\n"


def _head(
    config: Config, facts: Mapping[str, Any], held: Sequence[Hers], uses: int, language: str, other: str
) -> Iterator[str]:
    words = WORDS[language]
    sources = {s for t in facts["tables"] for s in t["sources"]}
    told = words["source"] if len(sources) == 1 else words["sources"].format(n=len(sources))
    many = f"{sum(h.rows for h in held):,}"
    hero = words["hero"].format(rows=many, tables=len(held), sources=told, uses=f"{uses:,}")
    by = words["by"].format(name=config.name, person=facts["person"] or "–", day=facts["made_at"][:10])
    mine, theirs = ("zh-CN", "en") if language == "zh" else ("en", "zh-CN")
    yield f"""<!doctype html>
<html lang="{mine}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{words["title"]}</title><style>{STYLE}</style>
<main><header><h1>{words["title"]}</h1><p>{escape(hero if held else words["nothing"])}</p>
<small>{escape(by)} · <a href="{escape(other)}" lang="{theirs}">{words["other"]}</a></small></header>
"""


def _choices(facts: Mapping[str, Any], consents: Mapping[str, Any] | None, language: str) -> Iterator[str]:
    words = WORDS[language]
    said = {r["processing"]["purpose"]: r for r in (consents or {}).get("records", ())}
    yield f"<section><h2>{words['choices']}</h2><ul>"
    for purpose in facts["purposes"]:
        record = said.get(purpose["name"])
        tag, kind = _answer(purpose, record, language)
        since = record["since"][:10] if record and record["since"] else ""
        when = " " + words["since"].format(day=since) if since else ""
        says = sentence(purpose["sentence"], language, purpose["name"])
        yield f'<li>{escape(says)}<br><span class="tag {kind}">{escape(tag)}</span> <small>{when}</small></li>'
    yield "</ul></section>\n"


def _answer(purpose: Mapping[str, Any], record: Mapping[str, Any] | None, language: str) -> tuple[str, str]:
    words = WORDS[language]
    if purpose["restricted"]:
        return words["restricted"], "no"
    if purpose["objected"]:
        return words["objected"], "no"
    if purpose["lawful_basis"] != "consent":
        return words["needs_none"].format(basis=BASES[language][purpose["lawful_basis"]]), ""
    state = record["state"] if record else None
    tags = {"given": ("yes", "good"), "refused": ("no", "no"), "withdrawn": ("withdrawn", "no"), "expired": ("expired", "no")}
    word, kind = tags.get(state or "", ("none", "no"))
    return words[word], kind


def _purposes(facts: Mapping[str, Any], language: str) -> dict[str, str]:
    """Each purpose's name with its sentence."""
    return {p["name"]: sentence(p["sentence"], language, p["name"]) for p in facts["purposes"]}


def _table(one: Hers, rows: Rows, purposes: Mapping[str, str], language: str, opened: bool) -> Iterator[str]:
    words, name = WORDS[language], one.table.name
    title = TABLES[language].get(name, name)
    many = words["row"] if one.rows == 1 else words["rows"].format(n=f"{one.rows:,}")
    yield f'<details{" open" if opened and one.rows <= 3 else ""}><summary>{escape(title)} <small>{many}</small></summary>'
    found = list(islice(rows(one.table), SHOWN))
    # Our own numbers of her are in the files; they say nothing to a reader.
    told = [c for c in one.columns if not c.endswith(("key_id", "_key", "person_id")) and not c.startswith("key_")]
    full = [c for c in told if any(r[c] is not None for r in found)]
    heads = [escape(column(c, language, name)) for c in full]
    cells = [[_cell(c, _plain(name, c, row[c], purposes, language)) for c in full] for row in found]
    if one.rows == 1:
        pairs = "".join(f"<dt>{head}</dt><dd>{cell}</dd>" for head, cell in zip(heads, cells[0], strict=True))
        yield f"<dl>{pairs}</dl>"
    elif full:
        yield f'<div class="scroll" role="region" aria-label="{escape(title)}" tabindex="0"><table>'
        yield f"<thead><tr>{''.join(f'<th scope=col>{head}</th>' for head in heads)}</tr></thead><tbody>"
        for row in cells:
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        yield "</tbody></table></div>"
    files = f'<a href="data/{name}.csv">data/{name}.csv</a>'
    rest = one.rows - len(found)
    left = words["more"].format(n=f"{rest:,}", file=files) if rest else f"{words['files']}: {files}"
    yield f'<p class="m">{left}</p></details>'


def _uses(newest: Sequence[Entry], many: int, purposes: Mapping[str, str], language: str) -> Iterator[str]:
    words = WORDS[language]
    yield f"<section><h2>{words['uses']}</h2>"
    yield f'<p class="m">{words["uses_note"].format(n=len(newest), all=f"{many:,}")}</p>'
    heads = "".join(f"<th scope=col>{words[w]}</th>" for w in ("when", "who", "what", "why", "which", "entry"))
    yield f'<div class="scroll" role="region" aria-label="{words["uses"]}" tabindex="0"><table>'
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for e in newest:
        tables = ", ".join(TABLES[language].get(t, t) for t, _ in e.tables)
        act = ACTS[language].get(e.act, e.act) + (f" ({words['refused']})" if e.verdict == "refused" else "")
        bound = words[e.keys.bound] if e.keys else ""
        who = ROLES[language]["customer"] if e.actor == "customer" else f"{e.actor} {ROLES[language].get(e.role, e.role)}"
        why = purposes.get(e.purpose, e.purpose)
        cells = (e.at[:16].replace("T", " "), who.strip(), act, why, tables, f"{e.seq} ({bound})")
        yield f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in cells)}</tr>"
    yield "</tbody></table></div></section>\n"


def _duties(config: Config, facts: Mapping[str, Any], language: str) -> Iterator[str]:
    words = WORDS[language]
    yield f"<section><h2>{words['duties']}</h2>"
    if not facts["duties"]:
        yield f"<p>{words['no_duties']}</p>"
    for duty in facts["duties"]:
        named = (
            f"{TABLES[language].get(t, t)} ({columns(kept, language, t)})" for t, kept in duty["tables"].items()
        )
        says = sentence(config.purposes[duty["purpose"]].sentence, language, duty["purpose"])
        text = words["duty"].format(columns=", ".join(named), rows=duty["rows"], until=duty["until"], sentence=says)
        yield f"<p>{escape(text)}</p>"
    yield "</section>\n"


def _keeping(config: Config, facts: Mapping[str, Any], held: Sequence[Hers], language: str) -> Iterator[str]:
    words = WORDS[language]
    heads = "".join(f"<th scope=col>{words[w]}</th>" for w in ("table", "keep", "from"))
    yield f'<section><h2>{words["kept_for"]}</h2>'
    yield f'<div class="scroll" role="region" aria-label="{words["kept_for"]}" tabindex="0">'
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for one in held:
        told = _facts(facts, one)
        kept = words["forever"] if told["keep_days"] is None else words["days"].format(n=told["keep_days"])
        sources = ", ".join(f"{s} ({n:,})" for s, n in told["sources"].items())
        cells = (TABLES[language].get(one.table.name, one.table.name), kept, sources or config.name)
        yield f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in cells)}</tr>"
    yield f"</tbody></table></div><h2>{words['recipients']}</h2>"
    receiving = {r: sentence(p["sentence"], language, p["name"]) for p in facts["purposes"] for r in p["recipients"]}
    if receiving:
        yield f"<ul>{''.join(f'<li>{escape(r)} <small>{escape(p)}</small></li>' for r, p in receiving.items())}</ul>"
    else:
        yield f"<p>{escape(words['nobody'].format(name=config.name))}</p>"
    yield "</section>\n"


def _facts(facts: Mapping[str, Any], one: Hers) -> Mapping[str, Any]:
    return next(t for t in facts["tables"] if t["name"] == one.table.name)


def _plain(table: str, name: str, value: Any, purposes: Mapping[str, str], language: str) -> Any:
    """A value of ours in her words; what came from a source or from her stays as it came."""
    if value is None:
        return None
    if name in ("purpose", "duty"):
        return purposes.get(value, value)
    if name == "state":
        return STATES[language].get(value, value)
    if name == "segment":
        return label(value, language)
    if table == "links" and name.startswith("kind_"):
        return IDENTIFIERS[language][value - 1]
    if (table, name) == ("held", "of_table"):
        return TABLES[language].get(value, value)
    return value


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_cents"):
        return f"{'-' if value < 0 else ''}{abs(value) // 100:,}.{abs(value) % 100:02}"
    if isinstance(value, bool):
        return "✓" if value else "–"
    text = value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)
    return escape(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
