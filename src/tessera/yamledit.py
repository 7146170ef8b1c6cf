"""Edits a YAML file as a careful hand would: what the text says becomes what is wanted, and every other byte stays.

A library that reads a file and writes it again lays it out anew: quotes, widths and indents change, and a review drowns in
lines that say the same. So the text is kept, and only the spans of those values that differ are written over. Each edit is
read again and compared with what was wanted before anybody gets it; where a layout is too odd, the edit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import yaml

from tessera.errors import BadInput, BadWorkspace
from tessera.yamlmarks import Faults, Piece, parsed

WIDTH = 118
"""A list in brackets goes on in the next line from here on."""

NAMED_BY = ("name", "id")
"""Keys by which an item of a list stays itself while the rest of it changes."""

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
Cut = tuple[int, int, str]


def data(text: str, file: str = "this file") -> Any:
    """What a text says: mappings with their keys as written, lists, and plain values; a date stays the text that it is.

    Raises BadWorkspace for what is no YAML that we read.
    """
    faults = Faults()
    root = parsed(text, file, faults) if text.strip() else None
    if faults:
        raise BadWorkspace(faults.lines())
    return _said(root.node) if root is not None else None


def revised(text: str, wanted: Any, file: str = "this file") -> str:
    """The text that says what is wanted, with every byte that need not change as it was.

    Raises BadWorkspace as `data`, BadInput where the layout does not let a single value be replaced.

    >>> revised("k: 4   # a few\\nseed: 7\\n", {"k": 5, "seed": 7})
    'k: 5   # a few\\nseed: 7\\n'
    """
    before = data(text, file)
    if _same(before, wanted):
        return text
    if before is None:
        made = "\n".join(_block(wanted, 0)) + "\n"
    else:
        faults = Faults()
        root = parsed(text, file, faults)
        assert root is not None
        cuts: list[Cut] = []
        _Hand(text, cuts).change(root.node, wanted, flow=False, indent=-2)
        made = text
        for start, end, new in sorted(cuts, key=lambda c: (c[0], c[1]), reverse=True):
            made = made[:start] + new + made[end:]
    try:
        sound = _same(data(made, file), wanted)
    except BadWorkspace:
        sound = False
    if not sound:
        raise BadInput(f"{file} is laid out so that this cannot be changed by a form. Change its text.")
    return made


class _Hand:
    """Notes what to cut out of one text, and what to put there."""

    def __init__(self, text: str, cuts: list[Cut]) -> None:
        self.text, self.cuts = text, cuts
        self.line_end = "\r\n" if "\r\n" in text else "\n"

    def change(self, node: yaml.Node, wanted: Any, *, flow: bool, indent: int) -> None:
        """indent: the column of what holds this value."""
        if _same(_said(node), wanted):
            return
        flow = flow or bool(getattr(node, "flow_style", False))
        if isinstance(node, yaml.MappingNode) and node.value and isinstance(wanted, Mapping) and wanted:
            self._mapping(node, wanted, flow)
        elif isinstance(node, yaml.SequenceNode) and node.value and _is_list(wanted) and wanted:
            self._sequence(node, wanted, flow)
        else:
            self._replace(node, wanted, flow, indent)

    def _replace(self, node: yaml.Node, wanted: Any, flow: bool, indent: int) -> None:
        start, end = node.start_mark.index, self._end(node)
        style = node.style if isinstance(node, yaml.ScalarNode) else None
        if _holds(wanted) and not flow and _long(wanted):
            new = self.line_end + self.line_end.join(_block(wanted, indent + 2))
            while start and self.text[start - 1] == " ":
                start -= 1
        else:
            new = _flow(wanted, style=style, inside=flow)
            if style is None and not flow and self._first_on_line(start):  # a block that began below its key
                above = self.text[:start].rstrip()
                if above and "#" not in above.rpartition("\n")[2]:
                    start, new = len(above), " " + new
            elif start == end and start and self.text[start - 1] not in " \n":  # a key with nothing after it
                new = " " + new
        self.cuts.append((start, end, new))

    def _mapping(self, node: yaml.MappingNode, wanted: Mapping[str, Any], flow: bool) -> None:
        column = node.value[0][0].start_mark.column
        old = {str(k.value): (k, v) for k, v in node.value}
        for name, (_, value) in old.items():
            if name in wanted:
                self.change(value, wanted[name], flow=flow, indent=column)
        gone = [i for i, (k, _) in enumerate(node.value) if str(k.value) not in wanted]
        spans = [(k.start_mark.index, max(self._end(v), k.end_mark.index)) for k, v in node.value]
        new = [(n, w) for n, w in wanted.items() if n not in old]
        if len(gone) == len(old):  # nothing stays
            self._replace(node, wanted, flow, column - 2)
            return
        self._drop(spans, gone, flow, dash=False)
        if new and flow:
            self._append(spans, [f"{_key(n)}: {_flow(w, inside=True)}" for n, w in new])
        elif new:
            lines = [line for n, w in new for line in _entry(n, w, column)]
            self._insert_after(spans[-1][1], lines)

    def _sequence(self, node: yaml.SequenceNode, wanted: Sequence[Any], flow: bool) -> None:
        items, old = node.value, [_said(n) for n in node.value]
        column = node.start_mark.column
        gone: list[int] = []
        added: list[tuple[int, Any]] = []
        matcher = SequenceMatcher(None, [_token(o) for o in old], [_token(w) for w in wanted], autojunk=False)
        for kind, i1, i2, j1, j2 in matcher.get_opcodes():
            if kind in ("equal", "replace"):
                for i, j in zip(range(i1, i2), range(j1, j2), strict=False):
                    self.change(items[i], wanted[j], flow=flow, indent=column)
            paired = min(i2 - i1, j2 - j1)
            gone += range(i1 + paired, i2)
            added += [(i1 + paired, wanted[j]) for j in range(j1 + paired, j2)]
        if len(gone) == len(items):  # nothing stays
            self._replace(node, wanted, flow, column - 2)
            return
        spans = [(n.start_mark.index if flow else self._dash(n), self._end(n)) for n in items]
        self._drop(spans, gone, flow, dash=True)
        if not added:
            return
        if flow:
            self._into(spans, added)
            return
        by: dict[int, list[str]] = {}
        for at, value in added:
            by.setdefault(at, []).extend(_item(value, column))
        for at, lines in by.items():
            if at:
                self._insert_after(spans[at - 1][1], lines)
            else:
                pad = self.line_end + " " * column
                self.cuts.append((spans[0][0], spans[0][0], self.line_end.join(lines).lstrip() + pad))

    def _drop(self, spans: list[tuple[int, int]], gone: list[int], flow: bool, dash: bool) -> None:
        """Takes out entries: whole lines, or in brackets the entry with its comma."""
        left = [i for i in range(len(spans)) if i not in gone]
        for i in gone:
            start, end = spans[i]
            if flow or not self._first_on_line(start):
                before = [j for j in left if j < i]
                if flow and before:
                    self.cuts.append((spans[i - 1][1], end, ""))
                else:
                    self.cuts.append((start, spans[i + 1][0], ""))
            else:
                self.cuts.append((self._line_start(start), self._after_line(end), ""))

    def _append(self, spans: list[tuple[int, int]], texts: list[str]) -> None:
        end = spans[-1][1]
        new, column = "", end - self._line_start(end)
        indent = self._indent_of(spans[0][0])
        for text in texts:
            column += len(text) + 2
            if column > WIDTH:
                new += f",{self.line_end}{' ' * indent}{text}"
                column = indent + len(text)
            else:
                new += f", {text}"
        self.cuts.append((end, end, new))

    def _into(self, spans: list[tuple[int, int]], added: list[tuple[int, Any]]) -> None:
        """Puts items into a list in brackets, each at its place."""
        by: dict[int, list[str]] = {}
        for at, value in added:
            by.setdefault(at, []).append(_flow(value, inside=True))
        for at, texts in by.items():
            if at == 0:
                self.cuts.append((spans[0][0], spans[0][0], "".join(f"{t}, " for t in texts)))
            else:
                self._append(spans[:at], texts)

    def _insert_after(self, end: int, lines: list[str]) -> None:
        at = self._after_line(end)
        text = "".join(line + self.line_end for line in lines)
        if at == len(self.text) and not self.text.endswith("\n"):
            text = self.line_end + text.removesuffix(self.line_end)
        self.cuts.append((at, at, text))

    # where things are

    def _end(self, node: yaml.Node) -> int:
        """Where a value really ends; YAML's own mark of a block lies behind the comments after it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            key, value = last if isinstance(last, tuple) else (last, last)
            return max(self._end(value), key.end_mark.index if isinstance(last, tuple) else 0)
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            return len(self.text[:end].rstrip())
        return end

    def _dash(self, item: yaml.Node) -> int:
        return self.text.rindex("-", 0, item.start_mark.index)

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _after_line(self, at: int) -> int:
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def _first_on_line(self, at: int) -> bool:
        return not self.text[self._line_start(at) : at].strip()

    def _indent_of(self, at: int) -> int:
        line = self.text[self._line_start(at) :]
        return len(line) - len(line.lstrip(" ")) + 2


def _said(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(k.value): _said(v) for k, v in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_said(n) for n in node.value]
    piece = Piece(node, "", Faults())
    if piece.kind in ("null", "bool", "int", "float"):
        return yaml.safe_load(piece.raw) if piece.plain else piece.raw
    return piece.raw


def _same(a: Any, b: Any) -> bool:
    """Equal, and of the same kinds: 1 is no true, and no 1.0."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if _is_list(a) and _is_list(b):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _holds(value: Any) -> bool:
    return bool(value) and (isinstance(value, Mapping) or _is_list(value))


def _token(value: Any) -> str:
    """What tells one item of a list from another."""
    if isinstance(value, Mapping):
        for key in NAMED_BY:
            if isinstance(value.get(key), str):
                return f"{key}={value[key]}"
    return repr(value)


# how values are written


def _plain(text: str, inside: bool) -> bool:
    """Whether a text may stand without quotes and is read as itself."""
    if not text or text != text.strip() or not text.isprintable() or _ODD.search(text):
        return False
    try:
        if inside:
            return bool(data(f"[{text}]") == [text] and data(f"{{k: {text}}}") == {"k": text})
        return bool(data(f"k: {text}") == {"k": text} and data(f"- {text}") == [text])
    except BadWorkspace:
        return False


def _quoted(text: str) -> str:
    import json

    return _ODD.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(text, ensure_ascii=False))


def _scalar(value: Any, inside: bool, style: str | None = None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if style == '"' or not _plain(str(value), inside):
        if style == "'" and str(value).isprintable() and value:
            return "'" + str(value).replace("'", "''") + "'"
        return _quoted(str(value))
    return f"'{value}'" if style == "'" and "'" not in str(value) else str(value)


def _key(name: str) -> str:
    return name if _KEY.fullmatch(name) else _quoted(name)


def _flow(value: Any, *, inside: bool, style: str | None = None) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v, inside=True)}" for k, v in value.items()) + "}"
    if _is_list(value):
        return "[" + ", ".join(_flow(v, inside=True) for v in value) + "]"
    return _scalar(value, inside, style)


def _long(value: Any) -> bool:
    """Whether a collection reads better in lines than in brackets."""
    held = value.values() if isinstance(value, Mapping) else value
    width = len(_flow(value, inside=True))
    if isinstance(value, Mapping):
        return width > (80 if any(map(_holds, held)) else 100)
    return any(map(_holds, held))


def _block(value: Any, indent: int) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for k, v in value.items() for line in _entry(k, v, indent)]
    if _is_list(value) and value:
        return [line for v in value for line in _item(v, indent)]
    return [" " * indent + _flow(value, inside=False)]


def _entry(name: str, value: Any, indent: int) -> list[str]:
    head = f"{' ' * indent}{_key(name)}:"
    if _holds(value) and _long(value):
        return [head, *_block(value, indent + 2)]
    return [f"{head} {_flow(value, inside=False)}"]


def _item(value: Any, indent: int) -> list[str]:
    pad = " " * indent
    if isinstance(value, Mapping) and value:
        lines = _block(value, indent + 2)
        return [f"{pad}- {lines[0].lstrip()}", *lines[1:]]
    return [f"{pad}- {_flow(value, inside=False)}"]

