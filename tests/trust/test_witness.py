"""A witness co-signs only what goes on from what it signed; what it signed convicts a log that was rewritten."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tessera.errors import BadInput, BrokenTrail, NotFound
from tessera.trust.checkpoint import cosigned_by, log_key, read_request
from tessera.trust.entries import Use
from tessera.trust.ledger import Ledger
from tessera.trust.note import LOG, WITNESS, NamedKey, read_note
from tessera.trust.proofs import check, prove
from tessera.trust.trail import audit
from tessera.trust.witness import Witness

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
READ = Use(actor="ana", role="analyst", act="read", purpose="analytics")

EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe\
+mbIUBkBIfZ+qnA==
"""
"""The example of C2SP's tlog-cosignature."""


def clock() -> datetime:
    return NOON


def opened(folder: Path) -> Ledger:
    folder.mkdir(exist_ok=True)
    return Ledger(folder, KEY, b"s" * 32, clock, seal_every=4)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened(tmp_path / "ledger") as made:
        made.append_many([READ] * 6)
        yield made


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.init(tmp_path / "witness", "audit.example", KEY.public_key())


def test_the_example_of_the_specification_is_read_and_written_the_same() -> None:
    note = read_note(EXAMPLE)
    assert str(note) == EXAMPLE
    assert [s.name for s in note.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(note.signatures[1].signature[:8]) == 1679315147 and len(note.signatures[1].signature) == 72


def test_a_public_key_is_written_on_one_line_and_read_again() -> None:
    for kind in (LOG, WITNESS):
        key = NamedKey.of("audit.example", kind, KEY)
        assert NamedKey.read(f"{key}\n") == key
    for wrong in ("", "a+b", f"x{log_key(KEY.public_key())}", f"{log_key(KEY.public_key())}A"):
        with pytest.raises(BadInput):
            NamedKey.read(wrong)
    for name in ("", "two words", "a+b", "line\n"):
        with pytest.raises(BadInput):
            NamedKey.of(name, WITNESS, KEY)


def test_a_witness_signs_each_head_that_goes_on_from_the_last(ledger: Ledger, witness: Witness) -> None:
    since = 0
    for _ in range(4):
        signed = witness.sign(str(ledger.request(since)), clock)
        said = cosigned_by(signed, witness.public)
        assert said and (said.size, said.at) == (len(ledger), NOON)
        ledger.add_cosigned(str(signed.note))
        since = signed.size
        witness = Witness(witness.folder)
        assert witness.last() == signed
        ledger.append_many([READ] * 3)
    assert [c.size for c in ledger.cosigned.by(witness.public)] == [6, 9, 12, 15]
    assert ledger.verify().ok and audit(ledger.folder, KEY.public_key(), None).ok
    assert (witness.folder / "key").stat().st_mode & 0o777 == 0o600


def test_a_witness_names_a_rollback_and_a_fork_and_signs_neither(
    ledger: Ledger, witness: Witness, tmp_path: Path
) -> None:
    shutil.copytree(ledger.folder, tmp_path / "earlier")
    early = str(ledger.request(0))
    ledger.append_many([READ] * 3)
    witness.sign(str(ledger.request(0)), clock)
    with pytest.raises(BrokenTrail, match="a rollback: 6 entries, where 9 were signed before"):
        witness.sign(early, clock)
    with opened(tmp_path / "earlier") as fork:
        fork.append_many([READ, READ, Use(actor="bob", role="analyst", act="read", purpose="analytics")])
        with pytest.raises(BrokenTrail, match="a fork"):
            witness.sign(str(fork.request(9)), clock)
        fork.append(READ)
        with pytest.raises(BrokenTrail, match="a fork"):
            witness.sign(str(fork.request(9)), clock)
    assert witness.last().size == 9


def test_a_witness_asks_for_the_path_from_its_own_last_head(ledger: Ledger, witness: Witness) -> None:
    witness.sign(str(ledger.request(0)), clock)
    ledger.append(READ)
    with pytest.raises(BadInput, match="head --since 6"):
        witness.sign(str(ledger.request(3)), clock)
    with pytest.raises(BadInput, match="no request"):
        witness.sign(str(ledger.checkpoint().note), clock)
    with pytest.raises(BadInput, match="has 7 entries"):
        ledger.request(8)


def test_a_witness_of_another_ledger_signs_nothing_of_ours(ledger: Ledger, tmp_path: Path) -> None:
    other = Witness.init(tmp_path / "other", "audit.example", Ed25519PrivateKey.generate().public_key())
    with pytest.raises(BrokenTrail, match="another ledger"):
        other.sign(str(ledger.request(0)), clock)
    with pytest.raises(BadInput, match="already"):
        Witness.init(tmp_path / "other", "audit.example", KEY.public_key())
    with pytest.raises(NotFound):
        Witness(tmp_path / "nowhere")


def test_a_witness_whose_files_were_exchanged_signs_nothing(ledger: Ledger, witness: Witness) -> None:
    signed = witness.sign(str(ledger.request(0)), clock)
    (witness.folder / "signed.txt").write_text(str(ledger.checkpoint().note))
    with pytest.raises(BrokenTrail, match="its own signature"):
        witness.sign(str(ledger.request(0)), clock)
    assert signed.size == 6
    (witness.folder / "key").write_text("ab" * 32)
    with pytest.raises(BrokenTrail, match="not that of its key"):
        Witness(witness.folder)


def test_a_log_that_was_rewritten_and_signed_anew_is_convicted_by_what_was_co_signed(
    ledger: Ledger, witness: Witness, tmp_path: Path
) -> None:
    shutil.copytree(ledger.folder, tmp_path / "earlier")
    ledger.append_many([READ] * 2)
    signed = witness.sign(str(ledger.request(0)), clock)
    ledger.add_cosigned(str(signed.note))
    shutil.copytree(ledger.folder / "checkpoints", tmp_path / "earlier" / "checkpoints")
    with opened(tmp_path / "earlier") as rewritten:
        rewritten.append_many([Use(actor="bob", role="analyst", act="read", purpose="analytics")] * 2)
        rewritten.seal_head()
        assert "co-signed at 8 entries" in rewritten.verify().reason
        with pytest.raises(BrokenTrail, match="not the one that was co-signed"):
            rewritten.add_cosigned(str(signed.note))
    assert ledger.verify().ok


def test_signatures_of_several_witnesses_gather_on_one_head(ledger: Ledger, witness: Witness, tmp_path: Path) -> None:
    second = Witness.init(tmp_path / "second", "press.example", KEY.public_key())
    request = str(ledger.request(0))
    for one in (witness, second, witness):
        kept = ledger.add_cosigned(str(one.sign(request if one.last().size == 0 else str(ledger.request(6)), clock).note))
    assert len(kept.note.signatures) == 3
    shown = check(prove(ledger, 0), KEY.public_key()).checkpoint
    assert cosigned_by(shown, witness.public) and cosigned_by(shown, second.public)
    with pytest.raises(BadInput, match="Nobody co-signed"):
        ledger.add_cosigned(str(ledger.checkpoint().note))
    assert read_request(request, KEY.public_key()).old == 0
