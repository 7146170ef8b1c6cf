"""What the ledger has on a chain: heads, consents, commitments of one's own; withdrawn, expired, burned, erased, killed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from given_tiny import Tiny
from laws.shop import twin
from tessera.app import App
from tessera.errors import BadChain, BadInput, BrokenTrail, NotConsented
from tessera.trust import proofs
from tessera.trust.anchor import Anchored
from tessera.trust.anchored import Compared
from tessera.trust.chain_embedded import Embedded
from tessera.trust.commitments import Opening, leaf, opened, read_opening
from tessera.trust.merkle import verify_inclusion


def told(tiny: Tiny, number: int, answer: bool, user: str = "u1", at: str = "2026-02-01T10:00:00Z") -> None:
    mail = f"{user}@example.org"
    row = {"id": f"m{number}", "type": "page", "user": user, "mail": mail, "cookie": f"k-{user}", "at": at, "analytics": answer}
    tiny.events([row])


def agreeing(root: Path) -> Tiny:
    made = Tiny(root)
    file = made.root / "tessera.yaml"
    file.write_text(file.read_text() + "chain: {kind: embedded}\n")
    told(made, 1, True)
    told(made, 2, True, user="u2")
    return made


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A workspace with an embedded chain, in which u1 and u2 agree to analytics."""
    return agreeing(tmp_path / "w")


@pytest.fixture(scope="module")
def first_turn(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    made = agreeing(tmp_path_factory.mktemp("anchor") / "w")
    with made.open() as app:
        app.turn()
    return made


@pytest.fixture
def turned(first_turn: Tiny, tmp_path: Path) -> Tiny:
    """The same after its first turn, which anchored it."""
    return twin(first_turn, tmp_path / "w")


def person(app: App, user: str = "u1") -> int:
    (found,) = app.people.find(f"{user}@example.org")
    return found


def holds(app: App, opening: Opening) -> bool:
    """What the contract says of an opening now."""
    made = opened(read_opening(msgspec.json.encode(opening).decode()))
    if opening.under is None:
        return bool(app.anchors.chain().ask("usable", made)[0])
    path = [bytes.fromhex(h) for h in opening.under.path]
    return bool(app.anchors.chain().ask("consented", made, opening.expiry, opening.under.index, path)[0])


def test_a_turn_anchors_the_ledger_once_a_day(tiny: Tiny) -> None:
    with tiny.open() as app:
        _, first = app.turn()
        assert isinstance(first.anchored, Anchored) and first.anchored.fresh and first.anchored.consents == 2
        head = first.anchored.head
        assert head and (head.number, head.size, head.root) == (0, len(app.ledger), app.ledger.head().root)
        assert head.gas < 100_000 and head.transaction.startswith("0x")
        _, again = app.turn()
        assert again.anchored is None
        tiny.day += timedelta(hours=24)
        assert app.anchors.due() and not app.anchors.overdue()
        tiny.day += timedelta(hours=24)
        assert app.anchors.overdue()
        _, later = app.turn()
        assert isinstance(later.anchored, Anchored) and later.anchored.head and later.anchored.head.number == 1
        assert later.anchored.consents is None, "the same consents need no new root"
        assert app.anchors.check() == Compared(heads=2, size=later.anchored.head.size, reason="")


def test_a_chain_that_fails_fails_no_turn_and_is_tried_again(tiny: Tiny) -> None:
    with tiny.open() as app:
        (app.config.var / "chain").write_text("in the way")
        _, done = app.turn()
        assert isinstance(done.anchored, BadChain) and done.ran
        (app.config.var / "chain").unlink()
        _, done = app.turn()
        assert isinstance(done.anchored, Anchored) and done.anchored.fresh


def test_where_no_chain_is_named_the_embedded_one_is_in_use_from_the_first_anchor_on(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    told(tiny, 1, True)
    with tiny.open() as app:
        _, done = app.turn()
        assert done.anchored is None and not (app.config.var / "chain").exists()
        with pytest.raises(BadChain, match="tessera anchor now"):
            app.anchors.check()
        app.anchors.burned(b"r" * 32, 1)
        assert app.people.proof(0).anchor is None
        made = app.anchor()
        assert made.fresh and made.burned == 0, "what burned before is not told: nobody had asked for a chain"
    tiny.day += timedelta(days=2)
    with tiny.open() as app:
        _, done = app.turn()
        assert isinstance(done.anchored, Anchored) and done.anchored.fresh and len(app.anchors.heads()) == 2


def test_a_proof_says_in_which_anchor_it_is_and_the_contract_agrees(turned: Tiny) -> None:
    with turned.open() as app:
        proof = app.people.proof(2)
        proved = proofs.check(proof, app.ledger.public_key)
        assert proof.anchor and (proof.anchor.number, proof.anchor.path, proof.anchor.size) == (0, (), proved.checkpoint.size)
        chain = app.anchors.chain()
        assert proofs.check_on(chain, proof, proved.checkpoint).at == app.anchors.heads()[0].at
        other = msgspec.structs.replace(proof, anchor=msgspec.structs.replace(proof.anchor, number=1))
        with pytest.raises(BrokenTrail, match="none of number 1"):
            proofs.check_on(chain, other, proved.checkpoint)
        other = msgspec.structs.replace(proof, anchor=msgspec.structs.replace(proof.anchor, contract="0x" + "1" * 40))
        with pytest.raises(BrokenTrail, match="another contract"):
            proofs.check_on(chain, other, proved.checkpoint)
        app.people.find("u1@example.org")
        fresh = app.people.proof(len(app.ledger) - 1)
        assert fresh.anchor is None
        with pytest.raises(BrokenTrail, match="names no anchor"):
            proofs.check_on(chain, fresh, proved.checkpoint)


def test_an_entry_that_a_witness_saw_later_is_shown_under_both_heads(turned: Tiny) -> None:
    with turned.open() as app:
        app.people.find("u1@example.org")
        under = app.ledger.checkpoint()
        anchor = app.people.proof(2).anchor
        assert anchor
        found = app.ledger.proof(2, under.size)
        path = tuple(h.hex() for h in app.ledger.proof(2, anchor.size).path)
        both = msgspec.structs.replace(
            app.people.proof(2), checkpoint=str(under.note), path=tuple(h.hex() for h in found.path),
            anchor=msgspec.structs.replace(anchor, path=path),
        )
        proved = proofs.check(both, app.ledger.public_key)
        assert proofs.check_on(app.anchors.chain(), both, proved.checkpoint).number == 0
        cut = msgspec.structs.replace(both, anchor=msgspec.structs.replace(anchor, path=path[1:]))
        with pytest.raises(BrokenTrail, match="not under the anchored head"):
            proofs.check(cut, app.ledger.public_key)


def test_a_commitment_of_her_own_holds_from_the_next_anchor_until_she_withdraws(turned: Tiny) -> None:
    with turned.open() as app:
        mine = app.people.commit(person(app), "analytics")
        assert not holds(app, mine)
        assert (made := app.anchor()).granted == 1 and made.fresh
        assert holds(app, mine) and mine.terms.sentence["zh"]
        told(turned, 3, False, at="2026-02-02T10:00:00Z")
        app.sync(["events"])
        assert app.anchor().revoked == 1, "a no acts with the next anchor, before any turn"
        assert not holds(app, mine)
        with pytest.raises(NotConsented):
            app.people.commit(person(app), "analytics")
        told(turned, 4, True, at="2026-02-03T10:00:00Z")
        app.turn()
        again = app.people.commit(person(app), "analytics")
        assert again.commitment != mine.commitment
        app.anchor()
        assert holds(app, again) and not holds(app, mine)


def test_an_expiry_is_kept_by_the_block_s_time_without_us(turned: Tiny) -> None:
    with turned.open() as app:
        end = turned.day + timedelta(days=3)
        mine = app.people.commit(person(app), "analytics", end)
        app.anchor()
        assert mine.expiry == int(end.timestamp()) and holds(app, mine)
        turned.day = end - timedelta(minutes=1)
        assert holds(app, mine)
        turned.day = end
        assert not holds(app, mine)
        with pytest.raises(BadInput, match="is over"):
            app.people.commit(person(app), "analytics", end)


def test_what_was_burned_is_on_the_contract_and_a_burned_commitment_is_used_up(turned: Tiny) -> None:
    with turned.open() as app:
        mine = app.people.commit(person(app), "analytics")
        app.anchor()
        root = sha256(b"what was burned").digest()
        app.anchors.burned(root, 12)
        app.anchors.burned(bytes.fromhex(mine.commitment), 1)
        assert app.anchors.chain().ask("burned", root) == (0, 0)
        made = app.anchor()
        assert made.burned == 2 and app.anchors.chain().ask("burned", root)[0] == 12
        assert not holds(app, mine)
        app.anchors.burned(root, 12)
        assert app.anchor().burned == 0, "burned before"
        for bad in ((b"short", 1), (root, 0)):
            with pytest.raises(BadInput):
                app.anchors.burned(*bad)


def test_every_consent_lies_under_the_anchored_root_and_none_after_a_withdrawal(turned: Tiny) -> None:
    with turned.open() as app:
        hers = app.people.opening(person(app), "analytics")
        assert hers.under and hers.under.size == 2 and holds(app, hers)
        _, root, _ = app.anchors.chain().ask("consents", hers.under.number)
        path = [bytes.fromhex(h) for h in hers.under.path]
        assert verify_inclusion(leaf(opened(hers), 0), hers.under.index, 2, path, root)
        told(turned, 3, False, at="2026-02-02T10:00:00Z")
        app.turn()
        assert holds(app, hers), "the contract knows it with the next anchor"
        app.anchor()
        assert not holds(app, hers)
        with pytest.raises(NotConsented):
            app.people.opening(person(app), "analytics")
        assert holds(app, app.people.opening(person(app, "u2"), "analytics"))


def test_a_changed_opening_opens_nothing(turned: Tiny) -> None:
    with turned.open() as app:
        mine = app.people.commit(person(app), "analytics")
    text = msgspec.json.encode(mine).decode()
    for field in ("salt", "token", "commitment"):
        changed = json.loads(text)
        changed[field] = changed[field][:-1] + ("0" if changed[field][-1] != "0" else "1")
        with pytest.raises(BadInput, match="does not open"):
            opened(read_opening(json.dumps(changed)))
    for changed in (json.loads(text) | {"expiry": 5}, json.loads(text.replace('"version":"', '"version":"x'))):
        with pytest.raises(BadInput, match="does not open"):
            opened(read_opening(json.dumps(changed)))
    with pytest.raises(BadInput, match="no opening"):
        read_opening(text[:-9])


def test_after_an_erasure_the_commitment_stays_and_nothing_leads_from_it_to_her(turned: Tiny) -> None:
    with turned.open() as app:
        her = person(app)
        mine, before = app.people.commit(her, "analytics"), app.people.opening(her, "analytics")
        app.anchor()
        (key,) = {f["key"] for f in app.state.items("commitments").values()}
        ((_, salt),) = app.vault.salts([key])
        made = bytes.fromhex(mine.commitment)
        app.erase([her], sweep=True)
        assert app.anchor().revoked == 1
        chain = app.anchors.chain()
        assert chain.ask("held", made) == (3, 0) and not holds(app, mine) and not holds(app, before)
        assert list(app.vault.salts([key])) == [] and app.state.items("commitments") == {} == app.state.items("chain")
    here = sorted(p for p in (turned.root / "var").rglob("*") if p.is_file())
    held = {p.name: p.read_bytes() for p in here if "chain" not in p.parts}
    # The salt, what is made of it, and the commitment itself are in no file of ours beside the chain.
    for secret in (salt, bytes.fromhex(mine.salt), bytes.fromhex(mine.token), made, before.salt.encode(), made.hex().encode()):
        assert [name for name, data in held.items() if secret in data] == []
    tree = (turned.root / "var" / "chain" / "consents.bin").read_bytes()
    assert leaf(made, 0) not in tree and leaf(bytes.fromhex(before.commitment), 0) not in tree


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_kill_between_the_chain_and_our_note_of_it_sends_nothing_twice(
    tiny: Tiny, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    with tiny.open() as app:
        app.turn()
        mine = app.people.commit(person(app), "analytics")
        app.anchors.burned(b"r" * 32, 3)
        real = Embedded.send

        def send(self: Embedded, function: str, *args: object) -> object:
            sent = real(self, function, *args) if cut == "after" else None
            if function in killed:
                raise Killed
            return sent or real(self, function, *args)

        monkeypatch.setattr(Embedded, "send", send)
        for killed in (["grant"], ["burn"], ["anchor"], []):
            if killed:
                with pytest.raises(Killed):
                    app.anchor()
                continue
            made = app.anchor()
        assert holds(app, mine) and app.anchors.chain().ask("burned", b"r" * 32)[0] == 3
        assert app.anchors.check().reason == "" and app.state.items("chain") == {}
        assert made.head and [h.number for h in app.anchors.heads()] == list(range(made.head.number + 1))


def test_a_commitment_is_taken_while_the_chain_is_away(turned: Tiny) -> None:
    file = turned.root / "var" / "chain" / "chain.db"
    file.rename(file.with_suffix(".aside"))
    file.mkdir()
    with turned.open() as app:
        mine = app.people.commit(person(app), "analytics")
        with pytest.raises(BadChain, match="does not work"):
            app.anchor()
        file.rmdir()
        file.with_suffix(".aside").rename(file)
        assert app.anchor().granted == 1 and holds(app, mine)


def test_a_house_without_a_chain_imports_nothing_of_one() -> None:
    code = "import tessera.app, tessera.doors.cli, sys; sys.exit(bool({'eth', 'web3', 'eth_abi', 'vyper'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_chain_that_was_set_back_is_told_and_a_new_contract_goes_on(turned: Tiny) -> None:
    with turned.open() as app:
        app.anchor()
    (turned.root / "var" / "chain" / "chain.db").unlink()
    with turned.open() as app:
        said = "the chain has 0 anchors where 2 were made"
        assert said in app.anchors.check().reason
        with pytest.raises(BadChain, match=said):
            app.anchor()
        app.anchors.deploy()
        made = app.anchor()
        assert made.fresh and made.consents == 2 and made.head and made.head.number == 0
        assert app.anchors.check().reason == "" and [h.number for h in app.anchors.heads()] == [0]


def test_a_commitment_whose_end_has_come_is_let_go_without_a_transaction(turned: Tiny) -> None:
    with turned.open() as app:
        app.people.commit(person(app), "analytics", turned.day + timedelta(days=1))
        app.anchor()
        turned.day += timedelta(days=2)
        told(turned, 3, False, at="2026-02-02T10:00:00Z")
        app.sync(["events"])
        assert app.anchor().revoked == 0 and app.state.items("commitments") == {}


def test_a_ledger_that_was_set_back_is_told_by_its_anchors(tiny: Tiny, tmp_path: Path) -> None:
    import shutil

    with tiny.open() as app:
        app.turn()
    shutil.copytree(tiny.root / "var" / "ledger", tmp_path / "old")
    with tiny.open() as app:
        app.people.find("u1@example.org")
        tiny.day += timedelta(days=1)
        app.anchor()
        assert app.anchors.check().reason == ""
    shutil.rmtree(tiny.root / "var" / "ledger")
    shutil.copytree(tmp_path / "old", tiny.root / "var" / "ledger")
    with tiny.open() as app:
        assert app.ledger.verify().ok, "alone it holds"
        assert "was cut, or set back" in app.anchors.check().reason
        with pytest.raises(BadChain, match="another log"):
            app.anchor()
