"""Law: whatever comes in whatever order, with kills between, a turn ends as a full one and as a fresh workspace."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from given_kills import Killed, abandon, at_act, kill
from given_tiny import Tiny
from laws.picture import Picture, Value, picture
from tessera.app import App
from tessera.data import profiles
from tessera.lake import store

USERS = ("u1", "u2", "u3", "u4")
MAILS = ("a@x.org", "b@x.org", "c@x.org")
PHONES = ("+4411111111", "+4422222222")
COOKIES = ("k1", "k2", "k3")
UNIVERSE: list[Value] = [
    *(("user_id", u) for u in USERS),
    *(("email", m) for m in MAILS),
    *(("phone", p) for p in PHONES),
    *(("anonymous_id", k) for k in COOKIES),
]

maybe = st.one_of
answer = st.sampled_from([None, None, "yes", "no", "withdrawn"])
day = st.integers(1, 20)
event = st.tuples(
    st.just("event"), maybe(st.none(), st.sampled_from(USERS)), maybe(st.none(), st.sampled_from(MAILS)),
    st.sampled_from(COOKIES), answer, answer, day,
)  # fmt: skip
order = st.tuples(
    st.just("order"), st.integers(0, 5), st.integers(1, 9), st.sampled_from(["paid", "cancelled"]),
)  # fmt: skip
crm = st.tuples(
    st.just("crm"), st.sampled_from(USERS), maybe(st.none(), st.sampled_from(MAILS)),
    maybe(st.none(), st.sampled_from(PHONES)), st.sampled_from(["", "true", "false"]),
)  # fmt: skip
gone = st.tuples(st.just("gone"), st.sampled_from(USERS))
erase = st.tuples(st.just("erase"), st.sampled_from(UNIVERSE), st.booleans())
killed = st.tuples(st.just("kill"), st.integers(1, 60), st.booleans())
ops = st.lists(
    st.one_of(event, event, crm, order, st.just(("turn",)), killed, erase, gone), min_size=3, max_size=12
)


class Story:
    """A tiny workspace, what was fed to it, and what a fresh one has to be fed."""

    def __init__(self, root: Path) -> None:
        self.tiny = Tiny(root / "lived")
        self.fresh_root = root / "fresh"
        self.count = 0
        self.customers: dict[str, dict[str, Any]] = {}
        self.waiting: list[tuple[str, list[dict[str, Any]]]] = []
        self.landed: list[tuple[str, list[dict[str, Any]]]] = []
        self.erased: list[Value] = []
        self.suppressed: set[str] = set()
        self.app: App = self.tiny.open()

    def tell(self, op: tuple[Any, ...]) -> None:
        """One thing happens."""
        getattr(self, f"_{op[0]}")(*op[1:])

    # what comes from outside

    def _event(self, user: str | None, mail: str | None, cookie: str, analytics: str, marketing: str, at: int) -> None:
        self.count += 1
        facts = {"user": user, "mail": mail, "cookie": cookie, "analytics": analytics, "marketing": marketing}
        when = f"2026-02-{at:02}T10:00:{self.count:02}Z"
        row = {"id": f"m{self.count}", "type": "page", "at": when, "product": f"p{self.count % 3}", "ip": "10.0.0.1"}
        self._put("events", [row | {k: v for k, v in facts.items() if v}])

    def _order(self, number: int, cents: int, status: str) -> None:
        who = {"user": USERS[number % 4]} if number % 2 else {"mail": MAILS[number % 3]}
        at = f"2026-01-{number + 1:02}T00:00:00Z"
        self._put("orders", [{"id": f"o{number}", "at": at, "status": status, "cents": cents * 100, **who}])

    def _crm(self, user: str, mail: str | None, phone: str | None, marketing: str) -> None:
        self.count += 1
        row = {"id": user, "name": f"Name {self.count}", "email": mail, "phone": phone, "marketing": marketing}
        self.customers[user] = row | {"updated": f"2026-02-{1 + self.count:02}T12:00:00Z"}
        self._put("crm", list(self.customers.values()))

    def _gone(self, user: str) -> None:
        if len(self.customers) > 1 and self.customers.pop(user, None):
            self._put("crm", list(self.customers.values()))

    def _put(self, source: str, made: list[dict[str, Any]]) -> None:
        getattr(self.tiny, source)(made)
        self.waiting.append((source, made))

    # what we do

    def _turn(self) -> None:
        self.app.turn()
        self._all_landed()

    def _kill(self, number: int, after: bool) -> None:
        try:
            with at_act(self.app, number, kill, after=after):
                self.app.turn()
        except Killed:
            abandon(self.app)
            self.app = self.tiny.open()
            self.app.sync()
        self._all_landed()

    def _erase(self, value: Value, sweep: bool) -> None:
        self._turn()
        persons = self.app.people.find(value[1])
        if not persons:
            return
        person = next(p for p in picture(self.app, UNIVERSE)["people"] if value in p)
        self.app.erase(persons, sweep=sweep)
        self.erased.append(value)
        self.suppressed |= {v for _, v in person}

    def _all_landed(self) -> None:
        """All that waited is in the lake: of a snapshot its newest file, and no row of the suppressed."""
        snapshots = [w for w in self.waiting if w[0] == "crm"]
        for source, made in [*snapshots[-1:], *(w for w in self.waiting if w[0] != "crm")]:
            kept = [row for row in made if not self.suppressed & {str(v) for v in row.values()}]
            if kept:
                self.landed.append((source, kept))
        self.waiting = []

    # how it ends

    def ends(self) -> None:
        """As a full turn would, before and after the sweep, and as a fresh workspace that was fed all at once."""
        self._turn()
        self._same_as_full()
        if self.erased:
            self.app.sweep()
            self._turn()
            self._same_as_full()
        lived = picture(self.app, UNIVERSE)
        self.app.close()
        differ(lived, self._fresh())

    def _same_as_full(self) -> None:
        turned = picture(self.app, UNIVERSE)
        self.app.turn(full=True, sync=False)
        differ(turned, picture(self.app, UNIVERSE))

    def _fresh(self) -> Picture:
        tiny = Tiny(self.fresh_root)
        events = [row for source, made in self.landed for row in made if source == "events"]
        if events:
            tiny.events(reversed(events))
        for source, made in self.landed:
            if source == "orders":
                tiny.orders(made)
        with tiny.open() as app:
            for source, made in self.landed:
                if source == "crm":
                    tiny.crm(made)
                    app.sync(["crm"])
            app.turn()
            for value in self.erased:
                app.erase(app.people.find(value[1]))
                app.turn()
            app.sweep()
            app.turn(full=True)
            return picture(app, UNIVERSE)


def differ(mine: Picture, other: Picture) -> None:
    """Asserts part by part, so that a failure shows the part."""
    for part in mine:
        assert mine[part] == other[part], part


def told(story: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        teller = Story(Path(folder))
        try:
            for op in story:
                teller.tell(op)
            teller.ends()
        finally:
            if teller.app.owner._fd is not None:
                teller.app.close()


JOINED = [
    ("event", "u1", None, "k1", "yes", "yes", 3),
    ("event", None, None, "k2", None, None, 4),
    ("turn",),
    ("event", "u1", "a@x.org", "k2", None, "withdrawn", 5),
    ("crm", "u2", "a@x.org", "+4411111111", "true"),
    ("order", 3, 5, "paid"),
]
SHARED = [
    *(("crm", u, "b@x.org", "+4411111111", "true") for u in ("u1", "u2", "u3")),
    ("order", 1, 3, "paid"),
    ("turn",),
    ("erase", ("user_id", "u1"), True),
    ("order", 4, 3, "paid"),
    ("event", "u1", None, "k1", "yes", None, 6),
]


@example(story=JOINED)
@example(story=SHARED)
@example(story=[*JOINED, ("kill", 22, True), ("order", 3, 2, "paid"), ("kill", 14, False), ("kill", 30, True)])
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=ops)
def test_a_turn_after_anything_ends_as_a_full_turn_and_as_a_fresh_workspace_would(story: list[tuple[Any, ...]]) -> None:
    told(story)


@pytest.mark.heavy
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=st.tuples(ops, ops).map(lambda parts: [*parts[0], *parts[1]]))
def test_a_long_story_ends_so_too(story: list[tuple[Any, ...]]) -> None:
    told(story)


@pytest.mark.parametrize("story", [JOINED, pytest.param(SHARED, marks=pytest.mark.heavy)])
def test_a_large_workspace_laid_out_in_buckets_ends_so_too(
    story: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write counts as a large one, so that raw tables lie in buckets and activity is made bucket by bucket."""
    monkeypatch.setattr(store, "BUCKET_FROM_ROWS", 0)
    told(story)


def test_profiles_are_patched_where_few_people_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story, asked = Story(tmp_path), []
    for i, cookie in enumerate(COOKIES):
        story.tell(("event", USERS[i], None, cookie, None, None, 3))
    story.tell(("turn",))
    real = profiles.profiles
    monkeypatch.setattr(profiles, "profiles", lambda c, r, only=None: asked.append(only) or real(c, r, only))
    story.tell(("event", USERS[0], None, COOKIES[0], None, None, 5))
    story.ends()
    assert "dirty" in asked


def test_who_is_erased_while_a_step_goes_from_bucket_to_bucket_takes_nobody_with_her(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUCKET_FROM_ROWS", 0)
    story = Story(tmp_path)
    for op in [*JOINED, ("event", "u4", None, "k3", None, None, 8), ("turn",)]:
        story.tell(op)
    persons = story.app.people.find("u4")
    stage, staged = story.app.lake.stage, []

    def erasing(con: Any, table: str, select: str, **how: Any) -> Any:
        if table == "activity" and not staged:
            staged.append(story.app.erase(persons))
        return stage(con, table, select, **how)

    monkeypatch.setattr(story.app.lake, "stage", erasing)
    story.app.turn(full=True)
    assert staged
    monkeypatch.undo()
    story.erased.append(("user_id", "u4"))
    story.ends()


@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.heavy), True])
def test_a_kill_at_any_act_of_a_turn_adds_no_activity_twice(after: bool, tmp_path: Path) -> None:
    """Append-only pieces are where a repeated step would show."""
    story = Story(tmp_path)
    for op in JOINED:
        story.tell(op)
    commits = 0
    with at_act(story.app, 0, kill) as acts:
        story.app.sync()
        first = len(acts) + 1
    for number in (first, first + 1, first + 2):
        try:
            with at_act(story.app, number - first + 1, kill, after=after):
                story.app.turn(sync=False)
        except Killed:
            commits += 1
            abandon(story.app)
            story.app = story.tiny.open()
    assert commits == 3
    story._all_landed()
    story.ends()
