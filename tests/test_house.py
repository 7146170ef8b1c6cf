"""The house: imports go down only, and nobody reads people's data but the gate and a closed list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tessera
from tessera.trust.gate import WITHOUT_A_VIEW

SOURCE = Path(tessera.__file__).parent
FLOORS = {
    "lake": 2, "trust": 3, "data": 4, "insight": 5, "action": 6, "loop": 7, "app": 8, "house": 8, "owner": 8, "ancestry": 8,
    "liveroom": 8, "decided": 8, "handed": 8, "changes": 8, "workspace_files": 8, "change_effects": 8,
    "portrait": 8, "people": 8, "desk": 8, "copies": 8, "copy_page": 8, "copy_words": 8, "letters": 8,
    "request_receipt": 8, "evidence": 8, "foreseen": 8, "new_source": 8,
    "receipt": 8, "flows": 8, "doctor": 8, "backup": 8, "restore": 8, "keyring": 8, "breach": 8, "processing": 8, "upgrade": 8,
    "doors": 9, "demo": 9, "__main__": 9,
}  # fmt: skip
"""All that is not named here lies on the ground floor."""

AWAITED: set[str] = set()
"""Entries of WITHOUT_A_VIEW whose module is still to be built; one that is there must leave this list."""

GATE = {"trust.gate", "trust.answers", "trust.opened", "trust.vault"}
"""They make the views, and show what they let through; the vault opens its own records for them."""

OPENERS = {"relation", "relation_of", "unseal"}
"""Calls that open a table or a sealed record, whoever they are called on."""


def modules() -> dict[str, Path]:
    """Every module's name below tessera, and its file; "" is tessera itself."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def floor(module: str) -> int:
    return FLOORS.get(module.partition(".")[0], 1)


def imports(module: str, text: str, package: bool) -> Iterator[tuple[str, int]]:
    """What a module imports from the house, at its top or inside functions, with the line."""
    here = ["tessera", *module.split(".")] if module else ["tessera"]
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = here[: len(here) - node.level + package] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            names = [f"{base}.{a.name}" for a in node.names]
        for name in names:
            if name.partition(".")[0] == "tessera" and name != "tessera":
                yield name.removeprefix("tessera."), node.lineno


def openings(text: str) -> Iterator[str]:
    """The ways in which a module opens people's data itself: calls, and file readers within SQL."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            on = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if node.func.attr in OPENERS or (node.func.attr == "files" and on.strip("_") == "lake"):
                yield node.func.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "read_parquet(" in node.value:
            yield "read_parquet"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if any(n.partition(".")[0] == "deltalake" for n in named):
                yield "deltalake"


@pytest.mark.parametrize("module", [m for m in MODULES if m], ids=str)
def test_imports_go_down_only(module: str) -> None:
    path = MODULES[module]
    found = imports(module, path.read_text("utf-8"), path.name == "__init__.py")
    up = [f"line {line}: {name}" for name, line in found if floor(name) > floor(module)]
    assert not up, f"{module} (floor {floor(module)}) imports from above: {up}"


def test_tessera_itself_imports_what_lies_above_only_when_asked() -> None:
    tree = ast.parse(MODULES[""].read_text("utf-8"))
    top = ast.unparse(ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], []))
    assert [name for name, _ in imports("", top, True) if floor(name) > 1] == []


def test_nothing_else_reads_people_s_data() -> None:
    allowed = GATE | set(WITHOUT_A_VIEW)
    outside = {
        module: sorted(set(openings(path.read_text("utf-8"))))
        for module, path in MODULES.items()
        if module.partition(".")[0] != "lake" and not _within(module, allowed)
    }
    # A source's own Parquet files lie outside the lake; reading them is what a source is for. So do the files of `try`.
    readers = {m: ways for m, ways in outside.items() if ways}
    for module in [m for m in readers if m.startswith(("data.sources.", "demo.", "doors.commands.trying."))]:
        assert readers.pop(module) == ["read_parquet"], module
    assert readers == {}


@pytest.mark.parametrize("module", sorted(WITHOUT_A_VIEW))
def test_each_exception_is_there_and_is_used(module: str) -> None:
    parts = [path for name, path in MODULES.items() if _within(name, {module})]
    if module in AWAITED:
        assert not parts, f"{module} is there now: take it off AWAITED"
        return
    assert any(True for path in parts for _ in openings(path.read_text("utf-8"))), f"{module} needs no exception"


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("a.lake.relation('x')", ["relation"]),
        ("self._lake.files('x')", ["files"]),
        ("store.relation_of(t, [])", ["relation_of"]),
        ("vault.unseal([1])", ["unseal"]),
        ("f'SELECT * FROM read_parquet({p})'", ["read_parquet"]),
        ("from deltalake import DeltaTable", ["deltalake"]),
        ("chunk.relation + request.files", []),
    ],
)
def test_each_way_to_open_a_table_is_seen(text: str, ways: list[str]) -> None:
    assert list(openings(text)) == ways


def test_an_import_inside_a_function_counts() -> None:
    text = "def f():\n    from ..loop import STEPS\n    import tessera.app\n"
    assert list(imports("lake.store", text, False)) == [("loop.STEPS", 2), ("app", 3)]


def _within(module: str, names: set[str]) -> bool:
    """Whether a module is one of these, or a part of one: in its folder, or named after it."""
    return any(module == n or module.startswith((n + ".", n + "_")) for n in names)
