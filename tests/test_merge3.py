"""merge3: what two made of one text; git's own merge as the second opinion."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.merge3 import merged

texts = st.lists(st.sampled_from("abcde"), max_size=8).map(lambda some: "".join(f"{s}\n" for s in some))


@given(texts, texts)
def test_who_changed_nothing_takes_what_the_other_made(base: str, other: str) -> None:
    assert merged(base, base, other).text == merged(base, other, base).text == merged(base, other, other).text == other


@given(texts, texts, texts)
def test_it_matters_not_who_is_named_first(base: str, ours: str, theirs: str) -> None:
    one, two = merged(base, ours, theirs), merged(base, theirs, ours)
    assert one.text == two.text
    assert [(c.base, c.ours, c.theirs) for c in one.clashes] == [(c.base, c.theirs, c.ours) for c in two.clashes]


@given(st.integers(2, 9), st.integers(0, 8), st.integers(0, 8))
def test_changes_with_a_line_between_them_both_come(n: int, i: int, j: int) -> None:
    lines = [f"{k}\n" for k in range(n)]
    i, j = i % n, j % n
    ours, theirs = lines.copy(), lines.copy()
    ours[i], theirs[j] = "ours\n", "theirs\n"
    done = merged("".join(lines), "".join(ours), "".join(theirs))
    if abs(i - j) > 1:
        both = ours.copy()
        both[j] = "theirs\n"
        assert done.text == "".join(both) and not done.clashes
    else:
        assert done.clashes and not done.text


edits = st.dictionaries(st.integers(0, 7), st.sampled_from(["", "new\n", "x\ny\n"]), max_size=4)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
@settings(max_examples=60, deadline=None)
@given(edits, edits)
def test_git_merges_what_we_merge_to_the_same_text(
    tmp_path_factory: pytest.TempPathFactory, mine: dict[int, str], hers: dict[int, str]
) -> None:
    base = [f"line {n}\n" for n in range(8)]
    ours, theirs = ("".join(e.get(n, line) for n, line in enumerate(base)) for e in (mine, hers))
    done, folder = merged("".join(base), ours, theirs), tmp_path_factory.mktemp("git")
    for name, text in (("base", "".join(base)), ("ours", ours), ("theirs", theirs)):
        Path(folder / name).write_text(text)
    told = subprocess.run(["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=folder, capture_output=True, text=True)
    assert told.returncode > 0 if done.clashes else told.stdout == done.text
