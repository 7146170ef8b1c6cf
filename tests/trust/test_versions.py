"""The matrix in force: its versions, what a change gives and takes, and who must approve it."""

from __future__ import annotations

from pathlib import Path

import pytest
from given_planted import PURPOSES

from given_people import NOW
from tessera.account import account
from tessera.app import App
from tessera.errors import BadWorkspace, NotAllowed, NotFound
from tessera.scaffold import init
from tessera.trust.access import Reader
from tessera.trust.entries import Entry

HEAD = """\
roles: [owner, analyst, officer]
actors:
  - {name: "user:@USER@", roles: [analyst, owner], attributes: {region: north}}
  - {name: "user:bea", roles: [officer]}
  - {name: "user:cyd", roles: [officer, owner]}
  - {name: "user:dan", roles: [analyst]}
"""
FOUR_EYES = "changes: {people: 2, roles: [owner, officer]}\n"
GRANTS = """\
grants:
  - {roles: [owner], purposes: "*", categories: "*", verdict: clear}
  - {roles: [analyst], purposes: [analytics], categories: [user.behavior, system], verdict: clear}
  - {roles: [analyst], purposes: [analytics], categories: [user.contact], verdict: masked}
"""
RULE = "rows:\n  - {roles: [analyst], tables: [records], column: region, values: [north, south]}\n"
EMAIL = "  - {roles: [analyst], purposes: [analytics], categories: [user.contact.email], verdict: clear}\n"
BASE = HEAD + FOUR_EYES + GRANTS + RULE
WIDER = BASE.replace(GRANTS, GRANTS + EMAIL)


class House:
    """A workspace without data, whose files a test writes anew between openings."""

    def __init__(self, root: Path, access: str = BASE) -> None:
        self.root = root
        init(root)
        self.write(access)
        self.write(PURPOSES, "purposes.yaml")
        self.open().close()

    def write(self, text: str, file: str = "access.yaml") -> None:
        (self.root / file).write_text(text.replace("@USER@", account()), "utf-8")

    def open(self) -> App:
        return App(self.root, clock=lambda: NOW)

    def entries(self) -> list[Entry]:
        with self.open() as app:
            return [e for e in app.ledger.entries() if e.act == "access"]


def email(app: App) -> str:
    """What the analyst sees of an e-mail, by the gate."""
    reader = Reader(actor=app.config.access.actors[0], role="analyst", purpose=app.config.purposes["analytics"])
    return app.gate.seen(app.gate.presented()["profiles"], "email", reader).verdict


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "acme")


def test_the_first_start_is_version_one_and_an_entry(house: House) -> None:
    (entry,) = house.entries()
    assert (entry.act, entry.actor, entry.verdict) == ("access", f"user:{account()}", "allowed")
    assert entry.note.startswith("version 1: ") and entry.keys is None and entry.tables == ()
    with house.open() as app:
        assert (app.standing.version, app.standing.waiting, app.standing.told) == (1, None, "")


def test_what_means_the_same_is_no_new_version(house: House) -> None:
    house.write("# a comment, another order, another contact\ncontact: Bea\n" + GRANTS + HEAD + RULE + FOUR_EYES)
    with house.open() as app:
        assert (app.standing.version, app.config.access.contact) == (1, "Bea")
    assert len(house.entries()) == 1


def test_without_the_key_a_change_acts_at_once_and_is_an_entry(tmp_path: Path) -> None:
    house = House(tmp_path / "acme", HEAD + GRANTS)
    house.write(HEAD + GRANTS + EMAIL)
    with house.open() as app:
        assert (app.standing.version, email(app)) == (2, "clear")
        assert app.standing.told == "Access: version 2 is in force: 1 cell (1 give, 0 take), 0 other changes; at once."
    assert house.entries()[-1].note.startswith("version 1 -> 2: ")
    with house.open() as app:
        assert (app.standing.version, app.standing.told) == (2, "")


def test_a_change_that_gives_waits_and_the_old_matrix_stays_in_force(house: House) -> None:
    house.write(WIDER)
    for _ in range(2):
        with house.open() as app:
            waiting = app.standing.waiting
            assert (app.standing.version, email(app)) == (1, "masked") and waiting is not None
            assert [(c.role, c.category, c.before, c.after, c.gives) for c in waiting.change.cells] == [
                ("analyst", "user.contact.email", "masked", "clear", True)
            ]
            assert "waits for approval (0 of 2)" in app.standing.told
    (entry,) = house.entries()[1:]
    assert entry.verdict == "refused" and entry.note.startswith("version 2 waits for 2 people: ")


def test_a_second_person_puts_it_in_force_and_nobody_approves_twice(house: House) -> None:
    house.write(WIDER)
    with house.open() as app:
        assert app.standing.waiting is not None
        change = app.standing.waiting.digest
        for stranger in ("user:dan", "user:eve"):
            with pytest.raises(NotAllowed, match="may not approve"):
                app.approve(change, stranger)
        app.approve(change[:12])
        with pytest.raises(NotAllowed, match="stands behind this change already"):
            app.approve(change)
    with house.open() as app:
        assert email(app) == "masked"
        with pytest.raises(NotAllowed, match="Somebody else has to"):
            app.approve(change)
        assert app.approve(change, "user:bea").version == 2
    with house.open() as app:
        assert (email(app), app.standing.version, app.standing.waiting) == ("clear", 2, None)
        with pytest.raises(NotFound):
            app.approve(change, "user:cyd")
    told = [(e.actor, e.role, e.note.partition(":")[0]) for e in house.entries()[2:]]
    assert told == [
        (f"user:{account()}", "owner", f"approves {change[:12]}"),
        ("user:bea", "officer", f"approves {change[:12]}"),
        ("user:bea", "officer", "version 1 -> 2"),
    ]


def test_an_approval_is_for_what_was_read_and_a_file_that_changes_again_starts_anew(house: House) -> None:
    house.write(WIDER)
    with house.open() as app:
        assert app.standing.waiting is not None
        first = app.standing.waiting.digest
        app.approve(first, "user:cyd")
    house.write(BASE.replace(GRANTS, GRANTS + EMAIL.replace("user.contact.email", "user.unique_id")))
    with house.open() as app:
        waiting = app.standing.waiting
        assert waiting is not None and waiting.approved == () and waiting.digest != first
        with pytest.raises(NotFound):
            app.approve(first, "user:bea")
        with pytest.raises(NotFound):
            app.approve(waiting.digest[:8], "user:bea")
        app.approve(waiting.digest, "user:bea")
        assert app.standing.version == 1
    house.write(WIDER)
    with house.open() as app:
        assert app.standing.waiting is not None and app.standing.waiting.approved == ()


def test_a_change_taken_back_waits_no_more(house: House) -> None:
    house.write(WIDER)
    house.open().close()
    house.write(BASE)
    with house.open() as app:
        assert (app.standing.version, app.standing.waiting) == (1, None)
    assert house.entries()[-1].note.endswith("was taken back; version 1 stays")


TAKES = {
    "a verdict is hidden": ("[user.contact], verdict: masked", "[user.contact], verdict: hidden"),
    "a clear verdict is masked": ("system], verdict: clear", "system], verdict: masked"),
    "an actor goes": ('  - {name: "user:dan", roles: [analyst]}\n', ""),
    "a role is taken from an actor": ("[officer, owner]}", "[officer]}"),
    "an attribute goes": (", attributes: {region: north}", ""),
    "a row rule keeps less": ("values: [north, south]", "values: [north]"),
    "more people must approve": ("people: 2", "people: 3"),
}
GIVES = {
    "a verdict is clear": ("[user.contact], verdict: masked", "[user.contact], verdict: clear"),
    "masked becomes generalised": ("[user.contact], verdict: masked", "[user.contact], verdict: generalised"),
    "a category comes, another goes": ("[user.behavior, system]", "[user.behavior, user.account]"),
    "a line is for another purpose": ("[analytics], categories: [user.c", "[operate], categories: [user.c"),
    "an actor comes": ('  - {name: "user:bea"', '  - {name: "user:eve", roles: [analyst]}\n  - {name: "user:bea"'),
    "an actor gets a role": ("roles: [officer]}", "roles: [officer, analyst]}"),
    "an attribute changes": ("{region: north}", "{region: south}"),
    "a row rule goes": (RULE, ""),
    "a row rule keeps more": ("values: [north, south]", "values: [north, south, west]"),
    "a row rule is about another column": ("column: region", "column: city"),
    "another role may approve": ("people: 2, roles: [owner, officer]", "people: 2, roles: [owner, officer, analyst]"),
    "nobody needs to approve any more": (FOUR_EYES, ""),
}


@pytest.mark.parametrize("what", TAKES)
def test_a_change_that_only_takes_acts_at_once(house: House, what: str) -> None:
    before, after = TAKES[what]
    assert before in BASE
    house.write(BASE.replace(before, after))
    with house.open() as app:
        assert (app.standing.version, app.standing.waiting) == (2, None)
    note = house.entries()[-1].note
    assert note.endswith("; at once") and "(0 give" in note


@pytest.mark.parametrize("what", GIVES)
def test_a_change_that_gives_anything_waits(house: House, what: str) -> None:
    before, after = GIVES[what]
    assert before in BASE
    house.write(BASE.replace(before, after))
    with house.open() as app:
        assert app.standing.version == 1 and app.standing.waiting is not None and app.standing.waiting.change.gives


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        ("basis: consent", "basis: legitimate_interest", True),
        ("categories: [user.behavior, user.contact, user.name", "categories: [user.behavior, user.contact", False),
        ("categories: [user.behavior, user.contact, user.name", "categories: [user", True),
        ("analytics.reporting", "third_party_sharing", True),
        ("We study how people shop.", "We count.", False),
    ],
)
def test_a_change_of_the_purposes_is_a_change_of_the_matrix(
    house: House, before: str, after: str, waits: bool
) -> None:
    assert before in PURPOSES
    house.write(PURPOSES.replace(before, after), "purposes.yaml")
    with house.open() as app:
        assert (app.standing.waiting is not None) is waits
        if waits:
            assert app.config.purposes["analytics"].needs_consent
            assert app.config.purposes["analytics"].data_use == "analytics.reporting"


def test_a_broken_file_stops_the_start_and_touches_no_version(house: House) -> None:
    house.write(WIDER)
    house.open().close()
    house.write(BASE.replace("verdict: masked", "verdict: maskd"))
    with pytest.raises(BadWorkspace, match="Did you mean 'masked'"):
        house.open()
    house.write(WIDER)
    with house.open() as app:
        assert app.standing.version == 1 and app.standing.waiting is not None
    assert len(house.entries()) == 2


def test_a_kill_between_the_last_approval_and_the_version_is_finished_at_the_next_opening(house: House) -> None:
    house.write(WIDER)
    with house.open() as app:
        assert app.standing.waiting is not None
        change = app.standing.waiting.digest
        app.state.put("access", "waiting", {"digest": change, "approved": ["user:cyd", "user:bea"]})
    with house.open() as app:
        assert (app.standing.version, email(app)) == (2, "clear")


def test_a_kill_between_the_entry_and_the_version_says_it_again(house: House) -> None:
    with house.open() as app:
        kept = app.state.get("access", "in_force")
    house.write(BASE.replace("verdict: masked", "verdict: hidden"))
    with house.open() as app:
        app.state.put("access", "in_force", kept)
    with house.open() as app:
        assert app.standing.version == 2
    assert [e.note.partition(":")[0] for e in house.entries()] == ["version 1", "version 1 -> 2", "version 1 -> 2"]


def test_a_matrix_that_cannot_be_read_lets_nobody_in(house: House) -> None:
    with house.open() as app:
        app.state.put("access", "in_force", {"version": 1})
    with pytest.raises(BadWorkspace, match="cannot be read"):
        house.open()


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ("{people: 1, roles: [owner]}", "access.yaml:7: found 1, expected a whole number from 2 to 9"),
        ("{people: 2, roles: [ownr]}", "Did you mean 'owner'?"),
        ("{peple: 2, roles: [owner]}", "Did you mean 'people'?"),
        ("{people: 2}", "access.yaml:7: the key 'roles' is missing"),
        ("{people: 3, roles: [officer]}", "found 3, expected at most as many as could approve; 2 actors have"),
        ("two", "access.yaml:7: found 'two', expected a mapping"),
    ],
)
def test_a_mistake_in_the_key_is_named_by_file_and_line(tmp_path: Path, changes: str, answer: str) -> None:
    with pytest.raises(BadWorkspace) as caught:
        House(tmp_path / "acme", HEAD + f"changes: {changes}\n" + GRANTS)
    assert any(answer in fault for fault in caught.value.faults), caught.value.faults


def test_who_runs_the_process_is_read_from_its_user_id(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "bea")
    monkeypatch.setenv("USER", "bea")
    with house.open() as app:
        assert app.reader("analyst", "analytics").actor.name == f"user:{account()}" != "user:bea"
        with pytest.raises(NotAllowed):
            app.reader("officer", "operate")
