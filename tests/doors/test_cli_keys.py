"""`tessera key`, `backup` and `restore` as their owner works with them, on a small shop."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_shop import given

from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
SERVICE = ("--role", "service", "--purpose", "operate")

Run = Callable[..., tuple[int, str, str]]
Json = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = given(tmp_path_factory.mktemp("shop") / "acme")
    assert main(["-w", str(root), "turn", "--json"]) == 0
    return root


@pytest.fixture
def root(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "acme"))


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words) if "-w" in words else ["-w", str(root), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return ran


@pytest.fixture
def document(run: Run) -> Json:
    def ran(schema: str, *words: str) -> Any:
        ended, out, err = run(*words, "--json")
        assert (ended, err) == (0, "")
        found = json.loads(out)
        jsonschema.validate(found, json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8")))
        return found

    return ran


def test_a_key_is_shared_lost_and_rebuilt_from_what_was_taken_away(root: Path, run: Run, document: Json) -> None:
    before = document("key-status", "key", "status")
    assert before["shares"] is None and before["epochs"] == [{"epoch": 1, "records": 5}]
    assert "lost for good" in run("key", "status")[2]
    made = document("key-shares", "key", "shares", "--k", "2", "--n", "3")
    status = document("key-status", "key", "status")
    assert status["shares"]["threshold"] == 2 and status["lying"] == made["files"]
    assert {stat.S_IMODE(os.stat(f).st_mode) for f in made["files"]} == {0o600}
    safe = [Path(shutil.move(f, root.parent)) for f in made["files"]]
    assert document("key-status", "key", "status")["lying"] == []
    key = root / "var" / "keys" / "master.key"
    lost = key.read_bytes()
    code, _, err = run("key", "recover", *map(str, safe[:2]))
    assert code == 2 and "is there already" in err
    key.unlink()
    code, _, err = run("tables")
    assert code == 1 and "master key" in err
    code, _, err = run("key", "recover", str(safe[0]))
    assert code == 2 and "2 shares are needed, and here is only 1 of 3" in err
    typed = safe[2].read_text()
    safe[2].write_text(typed.replace(typed[-4:-1], "000"))
    code, _, err = run("key", "recover", str(safe[0]), str(safe[2]))
    assert code == 2 and "line 5 is mistyped" in err and str(safe[2]) in err
    safe[2].write_text(typed)
    assert document("key-recover", "key", "recover", str(safe[2]), str(safe[0]))["fingerprint"] == before["fingerprint"]
    assert key.read_bytes() == lost
    assert "Ann Ash" in run("sql", "SELECT name FROM profiles", *SERVICE)[1]


def test_a_wrong_key_that_is_there_is_put_aside_and_shares_of_another_are_refused(root: Path, run: Run) -> None:
    run("key", "shares", "--k", "2", "--n", "2")
    mine = sorted(str(p) for p in (root / "var" / "keys" / "shares").iterdir())
    other = root.parent / "other"
    assert main(["init", str(other), "-q"]) == 0
    theirs = sorted(str(p) for p in (other / "var" / "keys" / "shares").iterdir())
    code, _, err = run("key", "recover", theirs[0], theirs[1], "--force")
    assert code == 2 and "the vault here belongs to" in err
    code, _, err = run("key", "recover", mine[0], theirs[1])
    assert code == 2 and "is of another set" in err
    key = root / "var" / "keys" / "master.key"
    right = key.read_bytes()
    key.write_bytes(base64.b64encode(bytes(32)))
    assert run("key", "recover", *mine, "--force")[0] == 0
    assert key.read_bytes() == right and len(list(key.parent.glob("master.key.*"))) == 1


def test_init_makes_shares_unless_asked_not_to_or_the_key_comes_from_outside(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    assert main(["init", str(tmp_path / "a"), "--k", "2", "--n", "5"]) == 0
    err = capsys.readouterr().err
    assert "Any 2 recovery shares" in err and err.count("share-") == 5
    assert main(["init", str(tmp_path / "b"), "--no-shares"]) == 0
    assert not (tmp_path / "b" / "var" / "keys").exists()
    assert main(["init", str(tmp_path / "c"), "--k", "4"]) == 2
    assert not (tmp_path / "c").exists()
    monkeypatch.setenv("TESSERA_MASTER_KEY", base64.b64encode(bytes(range(32))).decode())
    capsys.readouterr()
    assert main(["init", str(tmp_path / "d"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shares"] == []
    assert main(["-w", str(tmp_path / "d"), "key", "status"]) == 0
    assert "TESSERA_MASTER_KEY" in capsys.readouterr().out


def test_a_rotation_is_told_and_entered(run: Run, document: Json) -> None:
    assert document("key-rotate", "key", "rotate") == {"epoch": 2, "records": 5}
    assert document("key-status", "key", "status")["epochs"] == [{"epoch": 2, "records": 5}]
    code, out, err = run("key", "rotate")
    assert code == 0 and "epoch 3" in out and "re-encrypting the vault" in err
    newest = json.loads(run("ledger", "list", "--limit", "1", "--json")[1])[0]
    assert newest["act"] == "rotate" and newest["note"].startswith("vault epoch 3: 5 records")
    assert "Ann Ash" in run("sql", "SELECT name FROM profiles", *SERVICE)[1]


def test_a_backup_is_written_checked_and_restored_without_whom_was_erased_since(
    root: Path, run: Run, document: Json, tmp_path: Path
) -> None:
    file, slip, again = (str(tmp_path / n) for n in ("acme.backup", "acme.erasures", "again"))
    made = document("backup", "backup", file)
    assert made["did"] == "written" and document("backup", "backup", file, "--check")["members"] == made["members"]
    assert document("backup", "backup", "--erasures", slip)["members"] == 0
    ann = run("person", "find", "ann@example.org")[1].strip()
    code, _, err = run("person", "erase", ann, "--yes")
    assert code == 0 and "warning" not in err and len(json.loads(Path(slip).read_text())["list"]["values"]) == 3
    key = shutil.copy(root / "var" / "keys" / "master.key", tmp_path / "copy.key")
    shutil.rmtree(root)
    assert run("restore", file, again)[0] == 2
    code, _, err = run("restore", file, again, "--without-erasures")
    assert code == 1 and "needs the master key" in err
    done = document("restore", "restore", file, again, "--erasures", slip, "--master-key", str(key))
    assert done["erased"] == 1 and done["workspace"] == again
    assert run("-w", again, "person", "find", "ann@example.org")[0] == 3
    assert run("-w", again, "person", "find", "ben@example.org")[0] == 0
    assert run("-w", again, "ledger", "verify")[0] == 0
    late = str(tmp_path / "late")
    code, _, err = run("restore", file, late, "--without-erasures", "--master-key", str(key))
    assert code == 0 and "warning: no erasure was replayed" in err
    assert run("-w", late, "person", "find", "ann@example.org")[0] == 0


def test_an_erasure_whose_list_cannot_be_written_is_done_all_the_same_and_says_so(
    run: Run, document: Json, tmp_path: Path
) -> None:
    (tmp_path / "nas").mkdir()
    document("backup", "backup", "--erasures", str(tmp_path / "nas" / "acme.erasures"))
    shutil.rmtree(tmp_path / "nas")
    ann = run("person", "find", "ann@example.org")[1].strip()
    code, out, err = run("person", "erase", ann, "--yes")
    assert code == 0 and "is erased" in out and "the erasure list is older than this erasure" in err


def test_a_restore_takes_key_and_erasures_from_the_old_workspace_or_from_shares(
    root: Path, run: Run, document: Json, tmp_path: Path
) -> None:
    file = str(tmp_path / "acme.backup")
    run("backup", file)
    shares = document("key-shares", "key", "shares")["files"]
    ann = run("person", "find", "ann@example.org")[1].strip()
    assert run("person", "erase", ann, "--yes")[0] == 0
    for name, more in (("one", ()), ("two", ("--shares", *shares[1:]))):
        done = document("restore", "restore", file, str(tmp_path / name), "--erasures", str(root), *more)
        assert done["erased"] == 1


def test_a_backup_with_a_key_of_its_own_and_one_that_ends_with_it(
    root: Path, run: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    key = tmp_path / "backup.key"
    code, _, err = run("backup", str(tmp_path / "a"), "--key", str(key))
    assert code == 2 and "openssl rand" in err
    key.write_text(base64.b64encode(bytes(range(32))).decode())
    assert run("backup", str(tmp_path / "a"), "--key", str(key))[0] == 0
    assert run("backup", str(tmp_path / "b"), "--key", str(key), "--only-key")[0] == 0
    assert run("backup", str(tmp_path / "a"), "--check")[0] == 0
    code, _, err = run("backup", str(tmp_path / "b"), "--check")
    assert code == 1 and "opens with key" in err
    monkeypatch.setenv("TESSERA_BACKUP_KEY", key.read_text())
    assert run("backup", str(tmp_path / "b"), "--check")[0] == 0
    assert run("backup", str(tmp_path / "b"))[0] == 2, "never overwritten"
    assert run("backup", "--check")[0] == 2 and run("backup", str(tmp_path / "c"), "--only-key")[0] == 0
    assert key.read_bytes() not in (tmp_path / "a").read_bytes()
