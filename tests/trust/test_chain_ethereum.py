"""The same contract on a node of another make, as a real server: what we say to it, and what it says of the same calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from given_node import KEY, free_port, node
from given_tiny import Tiny
from tessera.doors.cli import main
from tessera.errors import BadChain
from tessera.trust.anchor import Anchored
from tessera.trust.chain_embedded import Embedded
from tessera.trust.chain_ethereum import Ethereum
from tessera.trust.chain_words import CONTRACT
from tessera.trust.merkle import Tree, leaf_hash
from tessera.trust.trail import pem_of

POOR = "0x" + "12" * 32


@pytest.mark.parametrize(
    "url",
    ["http://node.example:8545", "ftp://127.0.0.1", "node.example", "http://10.0.0.1", "https://", "file:///etc/passwd", ""],
)
def test_a_node_is_spoken_to_over_tls_or_on_this_machine(url: str) -> None:
    with pytest.raises(BadChain, match=r"https://"):
        Ethereum(url)


def test_a_node_that_is_not_reached_is_named_by_its_host_alone() -> None:
    with pytest.raises(BadChain) as told:
        Ethereum(f"http://localhost:{free_port()}/v3/token-that-is-secret")
    assert "localhost is not reached" in str(told.value) and "token" not in str(told.value)


@pytest.mark.heavy
def test_both_chains_take_the_same_calls_for_the_same_gas_and_give_the_same_answers(tmp_path: Path) -> None:
    leaves = [leaf_hash(b"entry %d" % n) for n in range(1000)]
    tree = Tree(leaves)
    with node(tmp_path / "node") as url:
        theirs = Ethereum(url, key=KEY)
        deployed = theirs.deploy()
        ours = Embedded(tmp_path / "ours", b"k" * 32, lambda: datetime.now(UTC) + timedelta(seconds=5))
        assert abs(deployed.gas - ours.deploy().gas) < 500, "calldata costs by its zeros; the address is another"
        end = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
        one, two = sha256(b"1").digest(), sha256(b"2").digest()
        calls = (
            ("anchor", 600, tree.root(600)), ("anchor", 1000, tree.root()), ("grant", [one, two], [end, 0]), ("revoke", [two]),
            ("burn", one, 1), ("consent", 1000, tree.root()),
        )  # fmt: skip
        for function, *args in calls:
            assert theirs.send(function, *args).gas == ours.send(function, *args).gas, function
        asked = [
            ("count",), ("usable", one), ("usable", two), ("held", one), ("held", two), ("consent_count",),
            *(("includes", 1, leaves[n], n, tree.inclusion(n)) for n in range(0, 1000, 97)),
            *(("includes", 0, leaves[n], n, tree.inclusion(n)) for n in range(0, 1000, 97)),
            *(("includes", 0, leaves[n], n, tree.inclusion(n, 600)) for n in range(0, 600, 97)),
        ]  # fmt: skip
        for function, *args in asked:
            assert theirs.ask(function, *args) == ours.ask(function, *args), function
        for function, *args in (("anchor", 999, one), ("grant", [one], [end]), ("burn", one, 1), ("head", 7)):
            refusals = []
            for chain in (theirs, ours):
                with pytest.raises(BadChain) as no:
                    chain.ask(function, *args) if function == "head" else chain.send(function, *args)
                refusals.append(str(no.value))
            assert refusals[0] == refusals[1] and "the contract refused: " in refusals[0]
        stranger = Ethereum(url, theirs.contract, POOR)
        with pytest.raises(BadChain, match="not the owner"):
            stranger.send("anchor", 2000, one)
        with pytest.raises(BadChain, match="without a signing key"):
            Ethereum(url, theirs.contract).send("anchor", 2000, one)
        with pytest.raises(BadChain, match="lies no contract"):
            Ethereum(url, "0x" + "2" * 40)
        with pytest.raises(BadChain, match=r"Fund it|refuses|refused"):
            Ethereum(url, key=POOR).deploy()
        assert theirs.ask("count") == (2,)
        ours.close()


@pytest.mark.heavy
def test_a_workspace_anchors_on_a_node_and_a_stranger_checks_a_proof_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = Tiny(tmp_path / "w")
    tiny.day = datetime.now(UTC)
    at = "2026-02-01T10:00:00Z"
    tiny.events([{"id": "m1", "type": "page", "user": "u1", "mail": "u1@example.org", "at": at, "analytics": True}])
    file = tiny.root / "tessera.yaml"
    before = file.read_text()
    settings = "chain: {kind: ethereum, url: '${CHAIN_URL}', key: '${CHAIN_KEY}'%s}\n"
    file.write_text(before + settings % "")
    tiny._config = None
    with tiny.open() as app:
        _, done = app.turn()
        assert "CHAIN_KEY is not set" in str(done.anchored)
    with node(tmp_path / "node") as url:
        monkeypatch.setenv("CHAIN_URL", url)
        monkeypatch.setenv("CHAIN_KEY", KEY)
        with tiny.open() as app:
            with pytest.raises(BadChain, match="tessera anchor deploy"):
                app.anchor()
            app.anchors.deploy()
            contract = app.anchors.chain().contract
        file.write_text(before + settings % f", contract: '{contract}'")
        tiny._config = None
        with tiny.open() as app:
            _, done = app.turn()
            assert isinstance(done.anchored, Anchored) and done.anchored.fresh and done.anchored.consents == 1
            (her,) = app.people.find("u1@example.org")
            mine = app.people.commit(her, "analytics")
            app.anchor()
            assert app.anchors.chain().ask("usable", bytes.fromhex(mine.commitment)) == (True,)
            proof = app.people.proof(1)
            assert proof.anchor and proof.anchor.kind == "ethereum"
            (tmp_path / "proof.json").write_bytes(msgspec.json.encode(proof))
            (tmp_path / "hers.json").write_bytes(msgspec.json.encode(mine))
            (tmp_path / "ledger.pem").write_bytes(pem_of(app.ledger.public_key))
        monkeypatch.delenv("CHAIN_URL")
        monkeypatch.delenv("CHAIN_KEY")
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        asked = ("--chain", url, "--contract", contract, "--json")
        assert main(["ledger", "verify", "--proof", "proof.json", "--public-key", "ledger.pem", *asked]) == 0
        assert json.loads(capsys.readouterr().out)["anchor"]["at"]
        copy = ["ledger", "verify", "--copy", str(tiny.root / "var" / "ledger"), "--public-key", "ledger.pem", *asked]
        assert main(copy) == 0
        assert json.loads(capsys.readouterr().out)["anchors"]["heads"] >= 2
        assert main(["consent", "usable", "hers.json", *asked]) == 0
        forged = json.loads((tmp_path / "proof.json").read_text())
        forged["anchor"]["number"] += 1
        (tmp_path / "forged.json").write_text(json.dumps(forged))
        assert main(["ledger", "verify", "--proof", "forged.json", "--public-key", "ledger.pem", *asked]) == 1
    # The node is gone: the turn goes on and says so; with a node again, on the same chain, it catches up.
    capsys.readouterr()
    tiny.day += timedelta(days=1)
    monkeypatch.setenv("CHAIN_URL", url)
    monkeypatch.setenv("CHAIN_KEY", KEY)
    with tiny.open() as app:
        _, done = app.turn()
        assert "is not reached" in str(done.anchored)
    with node(tmp_path / "node") as url:
        monkeypatch.setenv("CHAIN_URL", url)
        with tiny.open() as app:
            _, done = app.turn()
            assert isinstance(done.anchored, Anchored) and done.anchored.fresh and app.anchors.check().reason == ""


def test_what_is_sent_to_a_chain_names_nobody() -> None:
    """Every argument of every function that writes is a hash, a count or a time."""
    abi = json.loads((CONTRACT / "Tessera.json").read_text())["abi"]
    functions = [f for f in abi if f["type"] == "function" and f["stateMutability"] == "nonpayable"]
    writing = {f["name"]: [a["type"] for a in f["inputs"]] for f in functions}
    assert set(writing) == {"anchor", "consent", "grant", "revoke", "burn"}
    assert {t.removesuffix("[]") for types in writing.values() for t in types} == {"bytes32", "uint64"}
