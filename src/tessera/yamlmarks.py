"""YAML read safely: each key and value keeps its line, and every mistake is collected instead of only the first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

LIMIT_BYTES = 1_000_000
LIMIT_NODES = 50_000
"""Values in one file after its aliases are written out; a YAML bomb has billions."""
LIMIT_DEPTH = 30

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_ESCAPED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What double quotes can smuggle in (`"\\0"`) and no path, name or page can hold."""
_PLAIN_TAGS = {_CORE + t for t in ("str", "int", "float", "bool", "null", "timestamp", "value", "map", "seq")}


class Faults:
    """Mistakes in files, each one line `file:line: found ..., expected ...`, in the order of files and lines."""

    def __init__(self) -> None:
        self._by_file: dict[str, set[tuple[int, str]]] = {}

    def add(self, file: str, line: int | None, text: str) -> None:
        """Note a mistake; line None says that the file as a whole is wrong."""
        self._by_file.setdefault(file, set()).add((line or 0, text))

    def __bool__(self) -> bool:
        return bool(self._by_file)

    def lines(self) -> tuple[str, ...]:
        """All of them, as the user reads them."""
        return tuple(
            f"{file}:{line}: {text}" if line else f"{file}: {text}"
            for file, found in self._by_file.items()
            for line, text in sorted(found)
        )


@dataclass(frozen=True)
class Piece:
    """One value of a YAML file, and where it stands."""

    node: yaml.Node
    file: str
    faults: Faults

    @property
    def line(self) -> int:
        """Its line, counted from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def kind(self) -> str:
        """What YAML takes it for: str, int, float, bool, null, timestamp, map or seq."""
        return str(self.node.tag).removeprefix(_CORE)

    @property
    def raw(self) -> str:
        """The characters of a scalar as written; empty for a list or mapping."""
        return self.node.value if isinstance(self.node, yaml.ScalarNode) else ""

    @property
    def plain(self) -> bool:
        """Whether it is a scalar written without quotes."""
        return isinstance(self.node, yaml.ScalarNode) and not self.node.style

    def found(self) -> str:
        """What stands here, in words for a message."""
        if not isinstance(self.node, yaml.ScalarNode):
            return "a list" if isinstance(self.node, yaml.SequenceNode) else "a mapping"
        if self.kind == "null":
            return "nothing"
        return quoted(self.raw) if self.kind == "str" else self.raw[:60]

    def wrong(self, expected: str, known: Collection[str] = (), found: str | None = None) -> None:
        """Note that something else was expected here; `known` are the words from which the nearest is offered."""
        offer = nearest_word(self.raw, known)
        hint = f" Did you mean {offer!r}?" if offer else ""
        self.faults.add(self.file, self.line, f"found {found or self.found()}, expected {_stop(expected)}{hint}")

    def say(self, text: str, line: int | None = None) -> None:
        """Note a mistake in other words."""
        self.faults.add(self.file, line or self.line, text)


def quoted(word: str) -> str:
    """A word as a message shows it, cut if long."""
    return repr(word if len(word) <= 60 else word[:57] + "...")


def one_of(known: Iterable[str]) -> str:
    """Known words as a message lists them."""
    words = list(known)
    return f"one of {', '.join(words[:12])}{', ...' if len(words) > 12 else ''}"


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, whatever its case, dashes and underscores."""
    folded = {_fold(k): k for k in known}
    close = get_close_matches(_fold(word[:100]), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def read(path: Path, file: str, faults: Faults) -> Piece | None:
    """The root value of a YAML file; None after a fault (not readable, not UTF-8, not YAML, a bomb, a key twice).

    file: the name that messages give it, relative to the workspace.
    """
    text = _text(path, file, faults)
    return None if text is None else parsed(text, file, faults)


def parsed(text: str, file: str, faults: Faults) -> Piece | None:
    """The root value of a text of YAML, as `read` has it of a file's."""
    try:
        if too_much := _too_much(text):
            faults.add(file, *too_much)
            return None
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as e:
        faults.add(file, *_syntax(e, text))
        return None
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        faults.add(file, None, "this is not YAML that can be read; check quotes, brackets and how deeply it is nested.")
        return None
    if node is None:
        faults.add(file, None, "the file is empty.")
        return None
    root = Piece(node, file, faults)
    return root if _is_plain(root) else None


def _text(path: Path, file: str, faults: Faults) -> str | None:
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT_BYTES + 1)
    except OSError as e:
        faults.add(file, None, f"cannot be read: {e.strerror or 'not a file'}.")
        return None
    if len(data) > LIMIT_BYTES:
        faults.add(file, None, f"found more than {LIMIT_BYTES:,} bytes, expected a settings file.")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        faults.add(file, line, f"found the byte 0x{data[e.start]:02x}, expected UTF-8 text.")
        return None
    if bad := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        faults.add(file, line, f"found the control character U+{ord(bad.group()):04X}, expected plain text.")
        return None
    return text


def _too_much(text: str) -> tuple[int, str] | None:
    """Where a file is too deep or too long, told before it is composed: depth would exhaust the stack of libyaml."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > LIMIT_DEPTH:
            return line, f"found more than {LIMIT_DEPTH} levels, expected a flatter file."
        if count > LIMIT_NODES:
            return line, f"found more than {LIMIT_NODES:,} values, expected a settings file."
    return None


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Line and text of a fault in the YAML itself; what is never closed is named where it opens."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    row = [*text.split("\n"), ""][line - 1]
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return line, "found a tab, expected spaces: YAML indents with spaces only."
    problem = f"not valid YAML: {error.problem or error.context}"
    opened = error.context_mark
    if opened and re.search("flow|quoted", error.context or "") and opened.line + 1 < line:
        return opened.line + 1, f"{problem} on line {line}. Is the bracket or quote that opens here closed?"
    return line, f"{problem}. Look for a missing colon, quote or indent here or just above."


def _is_plain(root: Piece) -> bool:
    """Whether the tree can be walked: no cycle, no bomb, only plain values. A key twice is noted too."""
    sizes: dict[int, int] = {}
    parents: set[int] = set()
    sound = True

    def refuse(node: yaml.Node, text: str, walkable: bool = False) -> int:
        nonlocal sound
        sound = sound and walkable
        root.say(text, int(node.start_mark.line) + 1)
        return 1

    def size(node: yaml.Node) -> int:
        if id(node) in parents:
            return refuse(node, "found an alias inside its own anchor, expected a value that ends.")
        if id(node) in sizes:
            return sizes[id(node)]
        if node.tag not in _PLAIN_TAGS and node.tag != _CORE + "merge":
            return refuse(node, f"found the tag {quoted(str(node.tag))}, expected a plain value.")
        total = 1
        parents.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if _ESCAPED.search(node.value):
                refuse(node, "found an escaped control character, expected plain text.")
        elif isinstance(node, yaml.SequenceNode):
            total += sum(size(child) for child in node.value)
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                line = int(key.start_mark.line) + 1
                if not isinstance(key, yaml.ScalarNode):
                    refuse(key, "found a list or mapping as a key, expected a word.")
                elif key.tag == _CORE + "merge":
                    refuse(key, "found '<<', expected the keys themselves: merged mappings are not read.")
                elif key.value in first:
                    again = f"found {quoted(key.value)} again (see line {first[key.value]}), expected it once."
                    refuse(key, again, walkable=True)
                else:
                    first[key.value] = line
                total += size(key) + size(value)
        parents.discard(id(node))
        sizes[id(node)] = total
        return total

    if size(root.node) > LIMIT_NODES:
        refuse(root.node, f"found more than {LIMIT_NODES:,} values once its aliases are written out; write fewer.")
    return sound


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _stop(text: str) -> str:
    return text if text.endswith("...") else text + "."
