"""letters.py: a letter is for one, goes with its link, and with whom it was written to."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tessera.letters import KEPT_S, Letters
from tessera.trust.secrets import Secrets
from tessera.words import Erased


def test_a_letter_says_to_nobody_whose_it_is_and_goes_with_its_link(tmp_path: Path) -> None:
    letters = Letters(tmp_path / "outbox", Secrets(bytes(32)))
    letters.clear()
    letters.put(7, b"To: a@example.org")
    (path,) = letters.folder.glob("*.eml")
    assert path.stat().st_mode & 0o777 == 0o600 and letters.folder.stat().st_mode & 0o777 == 0o700
    assert "a@" not in path.name and path.name.partition("-")[0] != "7"
    old = time.time() - KEPT_S - 1
    os.utime(path, (old, old))
    letters.put(8, b"To: b@example.org")
    assert path not in list(letters.folder.glob("*.eml")) and len(list(letters.folder.glob("*.eml"))) == 1


def test_an_erasure_takes_her_letters_and_nobody_elses(tmp_path: Path) -> None:
    letters = Letters(tmp_path / "outbox", Secrets(bytes(32)))
    for key in (7, 7, 8):
        letters.put(key, b"To: %d@example.org" % key)
    proof = letters.forget(Erased(keys=frozenset({7, 9}), persons=frozenset({1})))
    assert proof.removed == 2 and [p.read_bytes() for p in letters.folder.glob("*.eml")] == [b"To: 8@example.org"]
    assert letters.forget(Erased(keys=frozenset({7}), persons=frozenset({1}))).removed == 0
