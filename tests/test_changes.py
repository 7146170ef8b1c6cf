"""changes: proposed, reviewed, applied; a file is old or new after any kill, and nobody is written over."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import tessera.changes
import tessera.workspace_files
from given_kills import Killed, abandon
from tessera.account import account
from tessera.app import App
from tessera.config import Approval
from tessera.errors import BadInput, BadWorkspace, NotAllowed, NotFound
from tessera.house import opens
from tessera.scaffold import init
from tessera.workspace_files import current, digest, place, would_be, write
from tessera.yamledit import data, revised

FILE = "segments.yaml"
RULE = "rules:\n  - {name: often, label: {en: Often, zh: 常客}, when: orders >= 3}\n"
ME = f"user:{account()}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A new workspace."""
    made = tmp_path / "shop"
    init(made, user=account())
    return made


@pytest.fixture
def app(root: Path) -> Iterator[App]:
    with App(root) as made:
        yield made


def acts(app: App) -> list[tuple[str, str, str]]:
    return [(e.actor, e.role, e.note) for e in app.ledger.entries() if e.act == "change"]


def wanted(app: App, file: str = FILE) -> str:
    return app.changes.text(file) + RULE


def begin(app: App, number: int, by: str = "user:ben") -> object:
    found = app.changes.get(number)
    return app.changes.begin(number, found.digest, by, "officer", app.config.access)


def test_a_proposal_writes_nothing_and_applying_it_writes_the_file_with_who_and_why(root: Path) -> None:
    with App(root) as app:
        before = app.changes.text(FILE)
        os.chmod(root / FILE, 0o640)
        made = app.changes.propose(FILE, wanted(app), "Thank those who come often", "user:ann", "marketer")
        assert (root / FILE).read_text("utf-8") == before and app.changes.get(made.number).status == "proposed"
        begin(app, made.number)
        assert (root / FILE).read_text("utf-8") == before + RULE
        assert stat.S_IMODE((root / FILE).stat().st_mode) == 0o640
    with App(root) as app:
        done = app.changes.get(made.number)
        assert done.status == "applied" and [e.act for e in done.history] == ["proposed", "applied"]
        assert [r.name for r in app.config.segments.rules] == ["often"]
        short = done.digest[:12]
        assert acts(app) == [
            ("user:ann", "marketer", f"change 1 proposed: {FILE} {short}; Thank those who come often"),
            ("user:ben", "officer", f"change 1 applied: {FILE} {short}, proposed by user:ann; Thank those who come often"),
        ]


def test_mistakes_are_named_by_line_and_nothing_is_kept(app: App) -> None:
    text = wanted(app).replace("orders >= 3", "ordres >= 3") + "odd: 1\n"
    with pytest.raises(BadWorkspace) as bad:
        app.changes.propose(FILE, text, "why", ME)
    lines = text.splitlines()
    wrong = [str(n) for n, line in enumerate(lines, 1) if "ordres" in line or "odd" in line]
    assert [f.split(":")[1] for f in bad.value.faults] == wrong
    assert not app.changes.all() and not acts(app)


def test_a_change_that_breaks_another_file_is_refused_too(app: App) -> None:
    said = data(app.changes.text("purposes.yaml"))
    del said["purposes"]["analytics"]
    with pytest.raises(BadWorkspace, match=r"access\.yaml|analytics"):
        app.changes.propose("purposes.yaml", revised(app.changes.text("purposes.yaml"), said), "no more", ME)


@pytest.mark.parametrize(
    "file",
    ["tessera.yaml", "../segments.yaml", "/etc/passwd", "decisions/../access.yaml", "decisions/.x.yaml", "decisions/a/b.yaml",
     "sources/x.yaml", "sources/crm.odcs.yaml", "var/keys/master.key", "segments.yaml\n", "Segments.yaml"],
)  # fmt: skip
def test_only_these_files_are_changed(app: App, file: str) -> None:
    with pytest.raises(BadInput, match="not changed here"):
        app.changes.propose(file, "x: 1\n", "why", ME)


def test_a_link_is_not_followed(app: App, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("seed: 7\n")
    (root / FILE).unlink()
    (root / FILE).symlink_to(outside)
    (tmp_path / "elsewhere").mkdir()
    (root / "decisions").symlink_to(tmp_path / "elsewhere")
    for file in (FILE, "decisions/new.yaml"):
        with pytest.raises(BadInput, match="link"):
            place(root, file)
        with pytest.raises(BadInput, match="link"):
            app.changes.propose(file, "seed: 8\n", "why", ME)


@pytest.mark.parametrize(("why", "says"), [("", "Say why"), ("x" * 121, "Say why"), ("ann@shop.example asked", "for ever")])
def test_a_why_is_asked_for_and_names_nobody(app: App, why: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        app.changes.propose(FILE, wanted(app), why, ME)


def test_a_file_that_moved_on_is_merged_by_lines_and_never_written_over(root: Path) -> None:
    with App(root) as app:
        made = app.changes.propose(FILE, wanted(app), "often", ME)
        (root / FILE).write_text("# from git\n" + app.changes.text(FILE))
        assert app.changes.stale(made)
        with pytest.raises(BadInput, match="no longer"):
            begin(app, made.number)
        assert "often" not in app.changes.text(FILE)
        again = app.changes.rebase(made.number, ME)
        assert app.changes.texts(again).text == app.changes.text(FILE) + RULE and not app.changes.stale(again)
        begin(app, made.number)
    assert (root / FILE).read_text().startswith("# from git\n")


def test_the_same_lines_changed_by_both_are_for_a_person_to_settle(app: App, root: Path) -> None:
    text = app.changes.text("access.yaml")
    made = app.changes.propose("access.yaml", text.replace("contact: the owner", "contact: Ann; the owner"), "contact", ME)
    (root / "access.yaml").write_text(text.replace("contact: the owner", "contact: Ben; the owner"))
    assert len(app.changes.merged(made).clashes) == 1
    with pytest.raises(BadInput, match="same lines"):
        app.changes.rebase(made.number, ME)


def test_what_was_edited_since_it_was_looked_at_is_not_applied(app: App) -> None:
    made = app.changes.propose(FILE, wanted(app), "often", ME)
    app.changes.amend(made.number, wanted(app).replace(">= 3", ">= 4"), "often", ME)
    with pytest.raises(BadInput, match="Look again"):
        app.changes.begin(made.number, made.digest, "user:ben", "officer", app.config.access)
    with pytest.raises(NotAllowed, match="another's"):
        app.changes.amend(made.number, wanted(app), "mine", "user:ben")


def test_one_s_own_is_applied_by_another_where_access_asks_for_a_second_person(app: App) -> None:
    from dataclasses import replace

    made = app.changes.propose(FILE, wanted(app), "often", ME)
    two = replace(app.config.access, changes=Approval(people=2, roles=("owner",)))
    with pytest.raises(NotAllowed, match="second person"):
        app.changes.begin(made.number, made.digest, ME, "owner", two)
    app.changes.begin(made.number, made.digest, "user:ben", "owner", two)


def test_what_is_decided_is_decided(app: App) -> None:
    made = app.changes.propose(FILE, wanted(app), "often", ME)
    app.changes.withdraw(made.number, ME)
    with pytest.raises(BadInput, match="withdrawn already"):
        begin(app, made.number)
    with pytest.raises(NotFound):
        app.changes.get(99)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_kill_at_any_act_leaves_the_old_file_or_the_new_and_the_next_opening_says_which(
    root: Path, at: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(root)
    made = app.changes.propose(FILE, wanted(app), "often", "user:ann")
    before = app.changes.texts(made).base
    seen = 0

    def dies(real: object) -> object:
        def hooked(*args: object, **named: object) -> object:
            nonlocal seen
            seen += 1
            if seen == at and not after:
                raise Killed
            done = real(*args, **named)  # type: ignore[operator]
            if seen == at and after:
                raise Killed
            return done

        return hooked

    monkeypatch.setattr(app.state, "put_many", dies(app.state.put_many))
    monkeypatch.setattr(app.ledger, "append", dies(app.ledger.append))
    monkeypatch.setattr(tessera.workspace_files.os, "replace", dies(os.replace))
    monkeypatch.setattr(tessera.workspace_files.os, "fsync", dies(os.fsync))
    try:
        begin(app, made.number)
        app.changes.recover()
    except Killed:
        pass
    monkeypatch.undo()
    found = (root / FILE).read_text("utf-8")
    assert found in (before, before + RULE)
    abandon(app)
    with App(root) as again:
        told = again.changes.get(made.number)
        assert told.status == ("applied" if found != before else "proposed")
        assert sum("1 applied: " in note for _, _, note in acts(again)) == (found != before)
        assert not list(root.glob(".tessera-change-*"))
        if told.status == "proposed":
            begin(again, made.number)


def test_where_the_workspace_does_not_open_the_old_file_comes_back_with_the_reason(root: Path) -> None:
    with App(root) as app:
        before = app.changes.text(FILE)
        made = app.changes.propose(FILE, wanted(app), "often", "user:ann")
        taken = begin(app, made.number)
    taken.undo(BadWorkspace(["segments.yaml: no room"]))  # type: ignore[attr-defined]
    assert (root / FILE).read_text("utf-8") == before and "no room" in taken.told  # type: ignore[attr-defined]
    with App(root) as app:
        assert app.changes.get(made.number).status == "proposed"
        assert acts(app)[-1][2].startswith("change 1 not applied")


def test_a_new_file_comes_and_goes_whole(root: Path) -> None:
    text = "decision: banner\npurpose: personalise\ncandidates:\n  - id: hello\n"
    with App(root) as app:
        made = app.changes.propose("decisions/banner.yaml", text, "greet", ME)
        assert made.base == "" and not (root / "decisions").exists()
        taken = begin(app, made.number)
        assert current(root, "decisions/banner.yaml") == text
    taken.undo(ValueError())  # type: ignore[attr-defined]
    assert current(root, "decisions/banner.yaml") == "" == digest("")


def test_only_settings_are_looked_at_and_nothing_is_left(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    names: list[str] = []

    def look(beside: Path) -> object:
        names.extend(sorted(p.relative_to(beside).as_posix() for p in beside.rglob("*")))
        return opens(beside)

    App(root).close()
    would_be(root, FILE, (root / FILE).read_text("utf-8"), look)  # type: ignore[arg-type]
    assert "access.yaml" in names and not [n for n in names if n.startswith("var")]
    assert not list((tmp_path / "temp").iterdir())


def test_a_folder_that_may_not_be_written_says_so(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    made = app.changes.propose(FILE, wanted(app), "often", ME)

    def refuses(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tessera.changes, "write", refuses)
    with pytest.raises(BadInput, match="Permission denied"):
        begin(app, made.number)
    assert app.changes.get(made.number).status == "proposed"
    monkeypatch.undo()
    write(app.changes.root, FILE, wanted(app))
