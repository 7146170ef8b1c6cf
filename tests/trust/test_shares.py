"""Recovery shares: typed again they rebuild the key, and each slip is told."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.errors import BadInput, BadShare
from tessera.trust import shares
from tessera.trust.secrets import Secrets
from tessera.trust.shares import Share

KEY = bytes(range(7, 39))
MADE = shares.split(Secrets(KEY), 2, 3)


def told(*some: Share) -> list[tuple[str, Share]]:
    return [(f"share {s.number}", s) for s in some]


@given(st.binary(min_size=32, max_size=32), st.integers(2, 6), st.randoms())
def test_enough_shares_as_text_rebuild_the_key_in_any_order(key: bytes, threshold: int, dice: random.Random) -> None:
    made = shares.split(Secrets(key), threshold, threshold + 2)
    dice.shuffle(made)
    typed = [(str(s.number), shares.read(shares.text_of(s), "x")) for s in made[:threshold]]
    assert shares.combine(typed) == key


def test_a_share_says_whose_it_is_and_nothing_of_the_key_in_clear() -> None:
    text = shares.text_of(MADE[1])
    assert "number 2 of 3" in text and Secrets(KEY).fingerprint() in text and "Any 2 shares" in text
    assert KEY.hex() not in text and max(len(line) for line in text.splitlines()) < 100
    assert shares.read(text, "x") == MADE[1]


def test_letters_that_look_alike_case_and_other_text_around_do_not_matter() -> None:
    lines = [line for line in shares.text_of(MADE[0]).splitlines() if re.match(r"[1-5]  ", line)]
    typed = "from the safe:\n" + "\n".join(
        line[:1] + ". " + line[3:].lower().replace("0", "o").replace("1", "l").replace(" ", "-") for line in lines
    )
    assert shares.read(typed, "x") == MADE[0]


def test_every_mistyped_letter_is_told_with_its_line() -> None:
    text = shares.text_of(MADE[2])
    start = re.search(r"^1  ", text, re.MULTILINE)
    assert start
    for at in range(start.start(), len(text)):
        line_start = text.rfind("\n", 0, at) + 1
        if text[at] in " \n" or at == line_start:
            continue
        wrong = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        with pytest.raises(BadShare, match=f"safe: line {text[line_start]} is mistyped"):
            shares.read(wrong, "safe")


def test_a_missing_line_exchanged_lines_and_lines_of_two_shares_are_told() -> None:
    lines, others = (shares.text_of(s).splitlines() for s in MADE[:2])
    with pytest.raises(BadShare, match=r"x is no whole recovery share: line 5 is missing"):
        shares.read("\n".join(lines[:-1]), "x")
    with pytest.raises(BadShare, match="line 1, 2, 3, 4 and 5 is missing"):
        shares.read("my shopping list", "x")
    swapped = [*lines[:-2], "4" + lines[-1][1:], "5" + lines[-2][1:]]
    with pytest.raises(BadShare, match="line 4 is mistyped"):
        shares.read("\n".join(swapped), "x")
    with pytest.raises(BadShare, match="not of one share"):
        shares.read("\n".join([*lines[:-1], others[-1]]), "x")


def test_too_few_doubled_and_mixed_shares_are_told() -> None:
    one, two, three = MADE
    with pytest.raises(BadShare, match="2 shares are needed, and here is only 3 of 3"):
        shares.combine(told(three))
    with pytest.raises(BadShare, match="are both share 1"):
        shares.combine(told(one, one))
    with pytest.raises(BadShare, match=r"share 2 is of another set .* than share 1"):
        shares.combine(told(one, shares.split(Secrets(KEY), 2, 3)[1]))
    with pytest.raises(BadShare, match="is of another set"):
        shares.combine(told(one, shares.split(Secrets(bytes(32)), 2, 3)[1]))
    with pytest.raises(BadShare, match="No share"):
        shares.combine([])
    assert shares.combine(told(one, two, three)) == KEY


def test_shares_that_were_forged_do_not_pass_as_the_key() -> None:
    one, two = MADE[0], MADE[1]
    forged = Share(
        number=2, threshold=2, count=3, made=two.made, fingerprint=two.fingerprint, point=bytes(32)
    )
    with pytest.raises(BadShare, match="one of them was changed"):
        shares.combine(told(one, forged))


@pytest.mark.parametrize(("threshold", "count"), [(1, 3), (4, 3), (2, 21)])
def test_a_way_to_share_that_helps_nobody_is_refused(threshold: int, count: int) -> None:
    with pytest.raises(BadInput, match=f"{threshold} of {count} shares"):
        shares.split(Secrets(KEY), threshold, count)


def test_share_files_are_their_owners_alone_and_can_be_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "keys" / shares.FOLDER
    files = shares.write(MADE, folder)
    assert shares.lying(tmp_path / "keys") == files and len(files) == 3
    assert {f.stat().st_mode & 0o777 for f in files} == {0o600} and folder.stat().st_mode & 0o777 == 0o700
    assert shares.load([files[2], files[0]]) == KEY
    with pytest.raises(BadShare, match="none cannot be read"):
        shares.load([tmp_path / "none"])
