"""A backup brings a workspace back as it was, and nobody who was erased since."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from given_kills import abandon
from given_people import NOW, Shop
from laws.shop import contents
from laws.test_erasure_search import HER, Hers, files, hers, identifiers, search, shop
from tessera import backup
from tessera.app import App
from tessera.errors import BadArchive, BadInput
from tessera.restore import restore
from tessera.trust import erasures, shares
from tessera.trust.archive import CHUNK, Reader, Writer
from tessera.trust.secrets import FILE_NAME, Secrets, decoded
from tessera.words import silent

OFFICE = Secrets(bytes(range(50, 82)))
"""A backup key."""


def master(root: Path) -> bytes:
    return decoded((root / "var" / "keys" / FILE_NAME).read_text().strip(), "the test's key")


def tick() -> Any:
    return lambda: NOW + timedelta(hours=3)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A backup, an erasure after it, the end of the machine, and the restore with what was known of erasures."""
    told: dict[str, Any] = {}
    root = told["root"] = tmp_path_factory.mktemp("acme") / "acme"
    root.mkdir()
    given = shop(root).write()
    app = App(root, clock=lambda: NOW)
    app.turn()
    told["mine"] = mine = hers(app, given.people[HER])
    file = told["file"] = root.parent / "acme.backup"
    told["made"] = app.backup(file, [app.secrets, OFFICE])
    told["before"] = search(app, mine)
    told["key"] = master(root)
    told["contents"] = contents(app)
    told["erasure"] = app.erase(mine.persons)
    told["list"] = root.parent / "erasures.json"
    erasures.write(erasures.of(app.config.var, app.secrets, app.clock()), told["list"], app.secrets)
    abandon(app)
    told["restored"] = root.parent / "again"
    keys = [Secrets(told["key"])]
    told["report"] = restore(
        file, told["restored"], told["key"], keys, erasures.read(told["list"], keys[0]), clock=tick(), progress=silent
    )
    # The sources still have her, with her broken rows and the lines of her orders, and send everything again.
    shutil.copytree(root / "in", told["restored"] / "in")
    again = shop(told["restored"])
    again.write()
    told["app"] = app = App(told["restored"], clock=tick())
    told["after"] = search(app, mine)
    told["landed"], _ = app.turn()
    app.turn(full=True)
    told["again"] = search(app, mine)
    yield told
    app.close()


def unerased(story: dict[str, Any], to: Path) -> App:
    """The backup as it was made, with nobody erased again."""
    restore(story["file"], to, story["key"], [OFFICE], None, clock=lambda: NOW, progress=silent)
    return App(to, clock=lambda: NOW)


def test_what_is_restored_is_what_was_backed_up(story: dict[str, Any], tmp_path: Path) -> None:
    with unerased(story, tmp_path / "same") as app:
        assert contents(app) == story["contents"]
        assert search(app, story["mine"]).keys() == story["before"].keys(), "she was in the backup"
        assert [e.act for e in app.ledger.entries(limit=1, newest_first=True)] == ["restore"]
        assert app.ledger.verify().ok


def test_whoever_was_erased_since_is_found_nowhere_after_the_restore(story: dict[str, Any]) -> None:
    assert story["report"].erased == len(story["mine"].persons)
    assert story["after"] == {}


def test_a_bulk_source_does_not_bring_her_back_into_the_restored_workspace(story: dict[str, Any]) -> None:
    assert story["landed"]["crm"].suppressed >= 1 and story["landed"]["lines"].suppressed >= 1
    assert story["again"] == {}
    app = story["app"]
    assert [app.people.find(value) for _, value in identifiers(shop_person())] == [[]] * 5
    assert all(len(app.people.find(p.email)) == 1 for p in Shop(Path("x")).people if p.number != HER)


def shop_person() -> Any:
    return Shop(Path("x")).people[HER]


def test_neither_the_backup_nor_the_list_holds_a_value_or_a_key_in_clear(story: dict[str, Any]) -> None:
    mine: Hers = story["mine"]
    for path in (story["file"], story["list"]):
        data = path.read_bytes()
        assert not [t for t in mine.texts if t.encode() in data]
        assert not [b for b in mine.blinds if b in data or b.hex().encode() in data]
        assert story["key"] not in data and path.stat().st_mode & 0o777 == 0o600
    names = [str(p.relative_to(story["restored"])) for p, _ in files(story["restored"] / "var")]
    assert "var/keys/master.key" in names, "restore wrote it"


def test_neither_keys_nor_data_of_sources_are_in_a_backup(story: dict[str, Any], tmp_path: Path) -> None:
    with Reader(story["file"], [OFFICE]) as reader:
        names = list(backup.each(reader, silent))
    assert not [n for n in names if n.startswith(("var/keys", "var/lock", "var/spill", "in/"))]
    assert {"tessera.yaml", "purposes.yaml", "access.yaml", "var/vault.db", "var/state.db"} <= set(names)
    assert names.index("var/ledger/heads.jsonl") < names.index("var/ledger/log.jsonl")


def test_the_next_turn_is_the_same_on_the_restored_and_on_the_original(story: dict[str, Any], tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    unerased(story, one).close()
    shutil.copytree(one, other)
    found = []
    with App(other, clock=lambda: NOW) as app:
        file = tmp_path / "second.backup"
        app.backup(file, [app.secrets])
    restored = tmp_path / "restored"
    restore(file, restored, story["key"], [Secrets(story["key"])], None, clock=lambda: NOW, progress=silent)
    for root in (one, restored):
        given = Shop(root)
        for row in given.rows["crm"]:
            row["tier"], row["updated"] = "silver", "2026-10-10T00:00:00+00:00"
        given.write()
        with App(root, clock=tick()) as app:
            app.turn()
            found.append(contents(app))
    assert found[0] == found[1]


def test_a_backup_between_two_batches_of_a_sync_is_whole_and_the_rest_lands_after_it(
    story: dict[str, Any], tmp_path: Path
) -> None:
    given = shop(tmp_path / "live")
    (tmp_path / "live").mkdir()
    given.write()
    file, turned = tmp_path / "between.backup", tmp_path / "turned"
    with App(given.root, clock=lambda: NOW) as app:
        app.sync(["crm", "orders"])
        app.backup(file, [app.secrets])
        app.turn()
        expected = contents(app)
    key = master(given.root)
    restore(file, turned, key, [Secrets(key)], None, clock=lambda: NOW, progress=silent)
    shutil.copytree(given.root / "in", turned / "in")
    with App(turned, clock=lambda: NOW) as app:
        app.turn()
        assert contents(app) == expected


@pytest.mark.parametrize("where", [0.0002, 0.3, 0.9999])
def test_a_flipped_byte_is_told_and_leaves_nothing(story: dict[str, Any], tmp_path: Path, where: float) -> None:
    data = bytearray(story["file"].read_bytes())
    data[int(len(data) * where)] ^= 1
    broken = tmp_path / "broken.backup"
    broken.write_bytes(data)
    with pytest.raises((BadArchive, BadInput), match=r"changed|fails its check|opens with"):
        restore(broken, tmp_path / "r", story["key"], [OFFICE], None, progress=silent)
    assert [p.name for p in tmp_path.iterdir()] == ["broken.backup"]


@pytest.mark.parametrize("cut", [0, 10, 300, 20_000, -1, -17])
def test_a_cut_file_is_told_and_leaves_nothing(story: dict[str, Any], tmp_path: Path, cut: int) -> None:
    broken = tmp_path / "broken.backup"
    broken.write_bytes(story["file"].read_bytes()[:cut])
    with pytest.raises(BadArchive, match=r"cut off|no backup"):
        backup.check(broken, [OFFICE], silent)
    with pytest.raises(BadArchive, match=r"cut off|no backup"):
        restore(broken, tmp_path / "r", story["key"], [OFFICE], None, progress=silent)
    assert [p.name for p in tmp_path.iterdir()] == ["broken.backup"]


def test_wrong_keys_are_told_with_the_right_ones(story: dict[str, Any], tmp_path: Path) -> None:
    wrong = Secrets(bytes(32))
    with pytest.raises(BadArchive, match=rf"opens with key .*{OFFICE.fingerprint()}; the keys at hand: {wrong.fingerprint()}"):
        backup.check(story["file"], [wrong], silent)
    with pytest.raises(BadInput, match="needs master key"):
        restore(story["file"], tmp_path / "r", bytes(32), [OFFICE], None, progress=silent)
    assert not list(tmp_path.iterdir())


def test_a_full_folder_and_a_file_that_is_there_are_left_alone(story: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        restore(story["file"], tmp_path, story["key"], [OFFICE], None, progress=silent)
    with pytest.raises(BadInput, match="never overwritten"):
        story["app"].backup(tmp_path / "thesis.doc", [OFFICE])
    with pytest.raises(BadInput, match=r"lies in var/"):
        story["app"].backup(story["restored"] / "var" / "b.backup", [OFFICE])
    assert (tmp_path / "thesis.doc").read_text() == "mine"


def test_what_a_kill_left_of_a_restore_is_told_and_left_alone(story: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / ".r.part").mkdir()
    with pytest.raises(BadInput, match="left of a restore that was cut off"):
        restore(story["file"], tmp_path / "r", story["key"], [OFFICE], None, progress=silent)
    assert [p.name for p in tmp_path.iterdir()] == [".r.part"]


def test_a_lost_master_key_is_rebuilt_from_shares_and_the_restore_needs_nothing_else(
    story: dict[str, Any], tmp_path: Path
) -> None:
    made = shares.write(shares.split(Secrets(story["key"]), 2, 3), tmp_path / "safe")
    key = shares.load([made[2], made[0]])
    dead = story["root"]
    known = erasures.read(dead, Secrets(key))
    assert not (set(known.values) ^ set(erasures.read(story["list"], Secrets(key)).values)), "the dead machine's own files"
    report = restore(story["file"], tmp_path / "r", key, [Secrets(key)], known, clock=tick(), progress=silent)
    assert report.erased == len(story["mine"].persons)
    with App(tmp_path / "r", clock=tick()) as app:
        assert search(app, story["mine"]) == {}


def test_an_erasure_list_that_was_changed_or_is_of_another_workspace_is_refused(
    story: dict[str, Any], tmp_path: Path
) -> None:
    secrets, text = Secrets(story["key"]), story["list"].read_text()
    value = erasures.read(story["list"], secrets).values[0]
    (tmp_path / "less.json").write_text(text.replace(value, "00" * 16))
    with pytest.raises(BadInput, match="was changed since"):
        erasures.read(tmp_path / "less.json", secrets)
    for path in (story["list"], story["root"]):
        with pytest.raises(BadInput, match="belongs to master key"):
            erasures.read(path, Secrets(bytes(32)))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(BadInput, match="is no erasure list"):
        erasures.read(tmp_path / "other.json", secrets)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"has no vault\.db"):
        erasures.read(tmp_path / "empty", secrets)


def test_whoever_shares_an_old_person_with_the_erased_stays(tmp_path: Path) -> None:
    """In the backup one person, split since, and only one half erased: the other half is not."""
    given = Shop(tmp_path / "live", people=4)
    given.root.mkdir()
    given.write()
    with App(given.root, clock=lambda: NOW) as app:
        app.turn()
        app.backup(tmp_path / "b", [OFFICE])
        half = app.vault.resolve("device_id", [given.people[2].device_id], mint=False)
        app.vault.erase(half)
        known = erasures.of(app.config.var, app.secrets)
    key, to = master(given.root), tmp_path / "r"
    restore(tmp_path / "b", to, key, [OFFICE], known, clock=tick(), progress=silent)
    shutil.copytree(given.root / "in", to / "in")
    with App(to, clock=tick()) as app:
        app.turn()
        assert len(app.people.find(given.people[2].email)) == 1 and app.people.find(given.people[2].device_id) == []


def test_numbers_given_after_the_backup_are_not_given_again(story: dict[str, Any]) -> None:
    known = erasures.read(story["list"], Secrets(story["key"]))
    app = story["app"]
    assert app.vault.max_key() >= known.last_key
    assert all(app.state.get("counter", c) >= n for c, n in known.counters.items())


def test_an_archive_is_read_in_pieces_of_a_few_megabytes(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(40 << 20)
    with (tmp_path / "a").open("wb") as out, big.open("rb") as source:
        writer = Writer(out, "now", "none", [OFFICE])
        while data := source.read(300_000):
            writer.write(data)
            assert len(writer._waiting) <= CHUNK
        writer.close()
    with Reader(tmp_path / "a", [OFFICE]) as reader:
        assert sum(len(d) for d in iter(lambda: reader.read(70_000), b"")) == 40 << 20
