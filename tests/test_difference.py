"""difference: both texts can be read out of it, line by line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera.difference import counted, lines, pairs, patch

some = st.lists(st.sampled_from(["a", "b: 1", "b: 2", "", "c # d"]), max_size=10)
texts = some.map(lambda lines_: "".join(f"{s}\n" for s in lines_))


def said(spans: tuple[tuple[str, bool], ...]) -> str:
    return "".join(text for text, _ in spans)


@given(texts, texts)
def test_before_and_after_can_be_read_out_of_it(before: str, after: str) -> None:
    assume(before != after)
    found = lines(before, after, context=100)
    assert [said(x.spans) for x in found if x.kind in ("same", "gone")] == before.splitlines()
    assert [said(x.spans) for x in found if x.kind in ("same", "new")] == after.splitlines()
    assert [x.old for x in found if x.old is not None] == list(range(1, len(before.splitlines()) + 1))
    beside = pairs(before, after, context=100)
    assert [said(left.spans) for left, _ in beside if left] == before.splitlines()
    assert [said(right.spans) for _, right in beside if right] == after.splitlines()


def test_unchanged_parts_are_counted_and_changed_words_are_marked() -> None:
    before = "".join(f"line {n}\n" for n in range(20))
    found = lines(before, before.replace("line 10", "line ten"))
    assert [x.skipped for x in found if x.kind == "skipped"] == [7, 6]
    assert [x.spans for x in found if x.kind == "new"] == [(("line ", False), ("ten", True))]
    assert counted(before, before.replace("line 10", "line ten")) == (1, 1)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_git_apply_takes_the_patch(tmp_path: Path) -> None:
    before, after = "a\nb\nc\n", "a\nB\nc\nd"
    (tmp_path / "x.yaml").write_text(before)
    subprocess.run(["git", "apply", "-"], input=patch(before, after, "x.yaml"), cwd=tmp_path, text=True, check=True)
    assert (tmp_path / "x.yaml").read_text() == after
