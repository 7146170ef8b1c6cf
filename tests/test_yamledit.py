"""yamledit: the text says what is wanted, and no other byte of it changes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera.errors import BadInput, BadWorkspace
from tessera.scaffold import init
from tessera.yamledit import data, revised

FILE = """\
# Who groups.
seed: 7      # a number of luck
rules:
  # those who come often
  - name: frequent
    label: {en: "Frequent", zh: 常客}   # in both

    when: orders >= 3
  - {name: rare, label: {en: Rare, zh: '少'}, when: orders = 1}
purpose: analytics
#k: 4
"""

words = st.one_of(
    st.sampled_from(["a", "orders >= 3", "x: y", "- z", "it's", "#no", "true", "1", "", " led", "欢迎", "2026-11-20", "on"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs")), max_size=12),
)
scalars = st.one_of(words, st.integers(-999, 999), st.booleans(), st.none(), st.sampled_from([0.1, 2.5]))
keys = st.text("abcdefgh_", min_size=1, max_size=5)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=4), max_leaves=12)


@given(st.dictionaries(keys, values, min_size=1, max_size=4), st.dictionaries(keys, values, min_size=1, max_size=4),
       st.sampled_from([None, True, False]), st.sampled_from([30, 200]))  # fmt: skip
def test_whatever_is_wanted_is_said_or_the_edit_is_refused(old: Any, new: Any, flow: bool | None, width: int) -> None:
    text = yaml.safe_dump(old, default_flow_style=flow, allow_unicode=True, sort_keys=False, width=width)
    try:
        said = data(text)
    except BadWorkspace:  # a word that our reader refuses
        assume(False)
    with suppress(BadInput):
        assert data(revised(text, {**said, **new})) == {**said, **new}


PATHS = [("seed",), ("purpose",), ("rules", 0, "when"), ("rules", 0, "label", "en"), ("rules", 1, "name")]


@given(st.sampled_from(PATHS), scalars)
def test_one_value_changes_and_every_other_byte_stays(path: tuple[str | int, ...], value: Any) -> None:
    said = data(FILE)
    at: Any = said
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    made = revised(FILE, said)
    head = next((n for n, (a, b) in enumerate(zip(FILE, made, strict=False)) if a != b), min(len(FILE), len(made)))
    tail = next((n for n, (a, b) in enumerate(zip(FILE[::-1], made[::-1], strict=False)) if a != b), 0)
    changed = FILE[head : len(FILE) - tail]
    assert "\n" not in changed and "#" not in changed, "more than one value was written over"
    assert data(made) == said


def test_a_line_comes_and_a_line_goes_with_the_comments_around_them_as_they_were() -> None:
    said = data(FILE)
    said["rules"].append({"name": "new", "label": {"en": "New", "zh": "新"}, "when": "orders = 0"})
    more = revised(FILE, said)
    assert more == FILE.replace(
        "purpose:", "  - name: new\n    label: {en: New, zh: 新}\n    when: orders = 0\npurpose:"
    )
    del said["rules"][0], said["rules"][1]
    assert revised(more, said) == FILE.replace(
        '  - name: frequent\n    label: {en: "Frequent", zh: 常客}   # in both\n\n    when: orders >= 3\n', ""
    )


def test_quotes_brackets_and_line_ends_are_kept_as_the_file_has_them() -> None:
    text = 'a: "x"\r\nb: [one, two]\r\nc: {d: 1}\r\n'
    assert revised(text, {"a": "y", "b": ["one", "three", "two"], "c": {"d": 1, "e": True}, "f": "no"}) == (
        'a: "y"\r\nb: [one, three, two]\r\nc: {d: 1, e: true}\r\nf: "no"\r\n'
    )


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x\n", "a: &x 1\nb: *x\n"])
def test_a_value_that_stands_for_two_is_not_changed_for_one(text: str) -> None:
    with pytest.raises(BadInput, match="laid out"):
        revised(text, {**data(text), "a": 2})


def test_what_init_writes_can_be_edited_value_by_value(tmp_path: Path) -> None:
    init(tmp_path, user="ann")
    for file in ("access.yaml", "purposes.yaml", "segments.yaml"):
        text = (tmp_path / file).read_text("utf-8")
        said = data(text)
        assert revised(text, said) == text
        said["brand_new"] = [1]
        made = revised(text, said)
        assert set(text.splitlines()) <= set(made.splitlines()) and data(made) == said
