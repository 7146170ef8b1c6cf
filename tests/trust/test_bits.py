"""Bits of the consent mask: an answer to one purpose never opens another, whatever becomes of purposes.yaml."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from given_planted import ERASED, PEOPLE, PURPOSES, planted

from given_people import NOW
from tessera.app import App
from tessera.config import Config, Purpose
from tessera.errors import BadWorkspace
from tessera.lake.state import State
from tessera.trust.bits import LAST, numbered

OTHERS = {
    "two change places": ["operate", "marketing", "analytics"],
    "one stands before them": ["sharing", "operate", "marketing", "analytics"],
}


@pytest.mark.parametrize("others", OTHERS)
def test_before_the_next_turn_a_yes_opens_the_purpose_that_it_was_given_to(tmp_path: Path, others: str) -> None:
    planted(tmp_path / "acme").app.close()
    said = yaml.safe_load(PURPOSES)["purposes"]
    said["sharing"] = said["marketing"] | {"data_use": "third_party_sharing"}
    text = yaml.safe_dump({"purposes": {p: said[p] for p in OTHERS[others]}}, sort_keys=False, allow_unicode=True)
    (tmp_path / "acme" / "purposes.yaml").write_text(text, "utf-8")
    with App(tmp_path / "acme", clock=lambda: NOW) as app:
        for purpose in OTHERS[others]:
            found = app.sql("SELECT person_id FROM profiles", purpose=purpose, role="owner").rows()
            agreed = {p for p, (_, to) in PEOPLE.items() if p != ERASED and (purpose == "operate" or purpose in to)}
            assert {p for (p,) in found} == agreed, purpose


def purposes(*names: str) -> dict[str, Purpose]:
    return {n: Purpose(name=n, data_use="", basis="consent", sentence={}, bit=i) for i, n in enumerate(names)}


def test_a_bit_that_somebody_had_is_never_given_again(tmp_path: Path) -> None:
    state, plain = State(tmp_path / "state.db"), Config(root=tmp_path, name="t", purposes=purposes("a", "b", "c"))
    assert numbered(plain, state) is plain
    later = numbered(replace(plain, purposes=purposes("c", "d", "a")), state)
    assert {p.name: p.bit for p in later.purposes.values()} == {"c": 2, "d": 3, "a": 0}
    assert numbered(plain, state) is plain


def test_more_purposes_than_bits_are_a_mistake(tmp_path: Path) -> None:
    state, plain = State(tmp_path / "state.db"), Config(root=tmp_path, name="t")
    numbered(replace(plain, purposes=purposes(*(f"p{i}" for i in range(LAST + 1)))), state)
    with pytest.raises(BadWorkspace, match="as many as it can ever have"):
        numbered(replace(plain, purposes=purposes("one_more")), state)
    assert len(state.get("access", "bits")) == LAST + 1
