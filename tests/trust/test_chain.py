"""The contract and the embedded chain: compiled anew, its rules, what a restart and a kill leave, who may do what."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tessera.errors import BadChain
from tessera.trust import chain
from tessera.trust.chain import MOST
from tessera.trust.chain_embedded import BLOCK_GAS, FILE, Embedded
from tessera.trust.chain_words import CONTRACT

START = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = sha256(b"root").digest()


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(folder: Path, clock: Any, key: bytes = b"k" * 32) -> Embedded:
    return Embedded(folder, key, clock)


def test_the_shipped_bytecode_is_what_the_source_compiles_to() -> None:
    path = Path(__file__).parents[2] / "docs" / "make_contract.py"
    spec = importlib.util.spec_from_file_location("make_contract", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert json.loads((CONTRACT / "Tessera.json").read_text()) == json.loads(json.dumps(module.compiled()))


def test_heads_only_grow_and_stay(tmp_path: Path, clock: Clock) -> None:
    one = opened(tmp_path, clock)
    assert one.ask("count") == (0,)
    with pytest.raises(BadChain, match="an empty log"):
        one.send("anchor", 0, ROOT)
    sent = one.send("anchor", 10, ROOT)
    for size in (9, 10, 0):
        with pytest.raises(BadChain, match="the log would not grow"):
            one.send("anchor", size, ROOT)
    clock.now += timedelta(days=1)
    one.send("anchor", 2**64 - 1, bytes(32))
    assert one.ask("head", 0) == (10, ROOT, sent.at) and one.ask("head", 1)[:2] == (2**64 - 1, bytes(32))
    assert one.ask("head", 1)[2] == int(clock.now.timestamp())
    with pytest.raises(BadChain, match="no such head"):
        one.ask("head", 2)
    assert one.ask("includes", 2, ROOT, 0, []) == (False,)
    one.close()


def test_a_grant_holds_until_it_expires_is_revoked_or_burned_and_never_again(tmp_path: Path, clock: Clock) -> None:
    one = opened(tmp_path, clock)
    made = [sha256(b"%d" % n).digest() for n in range(MOST)]
    end = int(clock.now.timestamp()) + 3600
    assert one.send("grant", made, [end] * (MOST - 1) + [0]).gas < 26_000 * MOST
    assert all(one.ask("usable", m) == (True,) for m in made[:3])
    one.send("revoke", [made[0]])
    one.send("burn", made[1], 1)
    assert [one.ask("usable", m)[0] for m in made[:3]] == [False, False, True]
    clock.now += timedelta(seconds=3599)
    assert one.ask("usable", made[2]) == (True,)
    clock.now += timedelta(seconds=1)
    assert one.ask("usable", made[2]) == (False,) and one.ask("usable", made[-1]) == (True,)
    fresh = sha256(b"fresh").digest()
    for act, args in (
        ("grant", ([made[0]], [0])), ("grant", ([made[2]], [0])), ("grant", ([fresh], [end])), ("grant", ([fresh], [])),
        ("burn", (made[1], 1)), ("burn", (fresh, 0)),
    ):  # fmt: skip
        with pytest.raises(BadChain, match="the contract refused: "):
            one.send(act, *args)
    one.send("revoke", [fresh])
    with pytest.raises(BadChain, match="granted or revoked before"):
        one.send("grant", [fresh], [0])
    assert one.ask("usable", sha256(b"nobody's").digest()) == (False,)
    with pytest.raises(BadChain):
        one.send("grant", [*made, fresh], [0] * (MOST + 1))
    one.close()


def test_nobody_but_the_owner_can_write(tmp_path: Path, clock: Clock) -> None:
    one = opened(tmp_path, clock)
    stranger = b"\1" * 20
    for function, args in (
        ("anchor", (1, ROOT)), ("consent", (1, ROOT)), ("grant", ([ROOT], [0])), ("revoke", ([ROOT],)), ("burn", (ROOT, 1)),
    ):  # fmt: skip
        mine, one._account = one._account, stranger
        with pytest.raises(BadChain, match="not the owner"):
            one.ask(function, *args)
        one._account = mine
        one.send(function, *args)
    one.close()


def test_the_chain_is_as_it_was_after_a_restart_and_opens_with_its_key_alone(tmp_path: Path, clock: Clock) -> None:
    one = opened(tmp_path, clock)
    for n in range(1, 6):
        one.send("anchor", n, ROOT)
    contract, said = one.contract, [one.ask("head", n) for n in range(5)]
    one.close()
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    again = opened(tmp_path, clock)
    assert (again.contract, [again.ask("head", n) for n in range(5)]) == (contract, said)
    with pytest.raises(BadChain, match="the log would not grow"):
        again.send("anchor", 5, ROOT)
    assert again.send("anchor", 6, ROOT).block == 7
    again.close()
    with pytest.raises(BadChain, match="another master key"):
        opened(tmp_path, clock, b"o" * 32)


def test_a_block_has_room_after_thousands_of_small_ones(tmp_path: Path, clock: Clock) -> None:
    one = opened(tmp_path, clock)
    assert {one.send("anchor", n, ROOT).gas for n in range(2, 40)} and one._header().gas_limit == BLOCK_GAS
    one.close()


KILLED = """
import sys, signal, os
from datetime import datetime, UTC
from pathlib import Path
from tessera.trust.chain_embedded import Embedded
one = Embedded(Path(sys.argv[1]), b"k" * 32, lambda: datetime(2026, 3, 1, tzinfo=UTC))
print(one.ask("count")[0], flush=True)
for size in range(one.ask("count")[0] + 1, 1000):
    one.send("anchor", size, size.to_bytes(32, "big"))
    print(size, flush=True)
"""


def test_after_a_kill_every_block_that_was_told_is_there_and_the_next_goes_on(tmp_path: Path, clock: Clock) -> None:
    told = 0
    for after in (1, 3, 4):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout
            start = int(child.stdout.readline())
            assert start >= told, "a block that was told of is gone"
            for _ in range(after):
                told = int(child.stdout.readline())
            os.kill(child.pid, signal.SIGKILL)
    one = opened(tmp_path, clock)
    (count,) = one.ask("count")
    assert count >= told == one.ask("head", told - 1)[0]
    assert one.ask("head", count - 1)[:2] == (count, count.to_bytes(32))
    one.close()


def test_a_write_that_the_disk_refuses_leaves_the_chain_at_the_block_before(tmp_path: Path, clock: Clock) -> None:
    one = opened(tmp_path, clock)
    one.send("anchor", 1, ROOT)
    pages = one._pages
    pages._db.execute(f"PRAGMA max_page_count = {pages._db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(BadChain, match="does not work"):
        for size in range(2, 200):
            one.send("anchor", size, ROOT)
    (count,) = one.ask("count")
    pages._db.execute("PRAGMA max_page_count = 100000")
    assert one.send("anchor", 1000, ROOT) and one.ask("head", count)[0] == 1000
    one.close()


def test_without_the_extra_the_answer_says_what_to_install(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package, act in (
        ("eth_abi", lambda: chain.embedded(tmp_path, b"k" * 32, clock)),
        ("eth.chains.base", lambda: chain.embedded(tmp_path, b"k" * 32, clock)),
        ("web3", lambda: chain.ethereum("https://node.example")),
    ):
        with monkeypatch.context() as without:
            for module in [m for m in sys.modules if m.startswith("tessera.trust.chain_")]:
                without.delitem(sys.modules, module)
            without.setitem(sys.modules, package, None)
            with pytest.raises(BadChain, match=rf"{package} is missing\)\. .*pip install 'tessera-cdp\[chain\]'"):
                act()


def test_a_bomb_of_nested_json_is_refused_and_not_the_end_of_the_process_when_a_chain_was_used(tmp_path: Path) -> None:
    code = f"""if True:
        import json, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from tessera.trust import chain
        made = chain.embedded(Path({str(tmp_path)!r}), b"k" * 32, lambda: datetime.now(UTC))
        made.send("anchor", 10, b"r" * 32)
        made.close()
        try:
            chain.ethereum("http://127.0.0.1:9")
        except chain.BadChain:
            pass
        try:
            json.loads("[" * 400_000)
        except RecursionError:
            sys.exit(7)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
