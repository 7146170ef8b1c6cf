"""What happened to her data, newest first, as lines that she can read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tessera.doors.pages import her_sayings
from tessera.doors.pages.her_visit import HerRoom
from tessera.doors.pages.pictures.sankey import Hue
from tessera.doors.pages.tongue import N_
from tessera.trust.access import SUBJECT
from tessera.trust.entries import Entry

LINES, ENTRIES = 12, 120
"""Lines that are shown, and entries that are read for them at most."""

ALIKE = timedelta(minutes=10)
"""Equal entries less apart than this are one line."""

_MADE = re.compile(r" -> (\w+) version ")

SAID: dict[str, tuple[str, Hue, str]] = {
    "step": (N_("We computed figures about you"), "slate", "refresh-cw"),
    "find": (N_("Somebody looked you up"), "gold", "search"),
    "why": (N_("Somebody looked at how your records belong together"), "gold", "git-branch"),
    "decide": (N_("We chose what to show you"), "lapis", "sparkles"),
    "live": (N_("We kept your picture up to the moment"), "slate", "activity"),
    "tail": (N_("Somebody watched events come in, yours perhaps among them"), "gold", "eye"),
    "stream": (N_("What you did was handed to another engine of ours"), "slate", "zap"),
    "results": (N_("We counted what came of what was shown"), "slate", "chart-column"),
    "receipt": (N_("A receipt of your choices was made"), "verd", "receipt"),
    "request": (N_("We worked on a request of yours"), "verd", "inbox"),
    "erase": (N_("Data of yours was erased"), "gold", "flame"),
    "burn": (N_("Data of yours that had run out was destroyed"), "gold", "flame"),
    "lapse": (N_("Data that no law makes us keep any more was destroyed"), "gold", "flame"),
    "welcome": (N_("You came back, and we took you in again"), "verd", "user-check"),
    "breach": (N_("We looked into a breach"), "terra", "triangle-alert"),
    "anchor": (N_("We anchored the ledger that holds your uses"), "slate", "link"),
    "commit": (N_("A sealed proof of a choice of yours was published"), "verd", "shield-check"),
    "opening": (N_("The proof of a choice of yours was opened for you"), "verd", "shield-check"),
}
"""Act -> sentence, colour, icon."""

WIDE_READ = (N_("A question about many customers, you perhaps among them"), "lapis", "users")
READ = (N_("Somebody opened your data"), "lapis", "eye")
CAME_IN = (N_("You signed in"), "verd", "key-round")
LET_IN = (N_("The owner of this machine opened your page, as a trial"), "terra", "eye")
CHOSE = (N_("You changed a choice"), "verd", "sliders-horizontal")
NOTED = (N_("A choice of yours was noted"), "verd", "sliders-horizontal")
LEFT_OUT: dict[bool, tuple[str, Hue, str]] = {
    True: (N_("A question about many customers left you out"), "terra", "ban"),
    False: (N_("Somebody asked for your data and was shown nothing"), "terra", "ban"),
}
LEFT_OUT_STEP = (N_("A computation left you out"), "terra", "ban")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line. newest: the number of its newest entry. many: how many entries it stands for. to: where its proof is."""

    newest: int
    at: str
    title: str
    hue: str
    icon: str
    purpose: str
    by: str
    kept_back: bool
    many: int
    what: tuple[str, ...]
    to: str


def feed(room: HerRoom, most: int = LINES) -> list[Line]:
    """The newest lines."""
    told = room.lately.told[-ENTRIES:]
    return lines(room, room.app.ledger.some(told, newest_first=True), room.lately.kept_back)[:most]


def lines(room: HerRoom, entries: Iterable[Entry], kept_back: frozenset[int]) -> list[Line]:
    """Entries, newest first, as lines: what was done alike within some minutes is one."""
    found: list[list[Entry]] = []
    open_: dict[tuple[Any, ...], list[Entry]] = {}
    for e in entries:
        like = (e.act, e.role, e.purpose, e.verdict, e.seq in kept_back, e.keys is not None and e.keys.bound == "exact")
        group = open_.get(like)
        if group is None or datetime.fromisoformat(group[-1].at) - datetime.fromisoformat(e.at) > ALIKE:
            group = open_[like] = []
            found.append(group)
        group.append(e)
    return [_line(room, same, kept_back) for same in found]


def _line(room: HerRoom, same: list[Entry], kept_back: frozenset[int]) -> Line:
    newest, tongue = same[0], room.tongue
    out = newest.seq in kept_back
    title, hue, icon = said(newest, out)
    made = [found[1] for e in same if e.act == "step" and (found := _MADE.search(e.note))]
    what = tuple(dict.fromkeys(her_sayings.table(t, tongue) for t in made)) if not out else ()
    return Line(
        newest=newest.seq, at=newest.at, title=tongue(title), hue=hue, icon=icon,
        purpose=her_sayings.short(room.app.config, newest.purpose, tongue),
        by=her_sayings.by(newest.role, room.app.config, tongue), kept_back=out, many=len(same), what=what,
        to="" if out and not (newest.keys and newest.keys.bound == "exact") else f"/me/uses/{newest.seq}",
    )  # fmt: skip


def said(entry: Entry, kept_back: bool) -> tuple[str, str, str]:
    """Sentence, colour and icon of an entry."""
    wide = entry.keys is not None and entry.keys.bound != "exact"
    if kept_back:
        return LEFT_OUT_STEP if entry.act == "step" else LEFT_OUT[wide]
    if entry.act == "read":
        return WIDE_READ if wide else READ
    if entry.act == "sign-in":
        return CAME_IN if entry.role == SUBJECT else LET_IN
    if entry.act == "consent":
        return CHOSE if entry.role == SUBJECT else NOTED
    return SAID.get(entry.act, (N_("We used data about you"), "slate", "shapes"))
