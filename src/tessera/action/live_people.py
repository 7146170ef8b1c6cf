"""Who is who and what each has done, event by event: the turn's identity and folds, kept up to the moment.

An event's identifiers join keys as `data.identity` joins them: the subject with each of the others, but nothing by an
identifier that is hot. All that is known hangs on keys; a person is the group that her keys make just now, so a merge or a
split moves no fact. It goes on from a `LiveBase`; after each turn it begins anew from the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tessera.action.live_base import CODES, LiveBase
from tessera.data.live_folds import Partials, empty, merge

USER, MAIL = CODES["user_id"], CODES["email"]


class LivePeople:
    """Groups of keys, and the partials of each key. Not safe to share between threads."""

    def __init__(self, base: LiveBase, caps: Mapping[str, int]) -> None:
        """caps: by kind of identifier, how many user ids it may stand with (see `data.identity.hot`)."""
        self.base = base
        self._caps = {CODES[kind]: most for kind, most in caps.items()}
        self._group: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}
        self._fresh: dict[int, Partials] = {}
        self._kind: dict[int, int] = {}
        self._stronger: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._weaker: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._next_group = -2

    def keys(self, key: int) -> Sequence[int]:
        """All keys of whoever has this one."""
        group = self._group.get(key)
        if group is not None:
            return self._members[group]
        if key < self.base.top and (person := self.base.person[key]) >= 0:
            return self.base.keys_of(person)
        return (key,)

    def persons(self, keys: Iterable[int]) -> set[int]:
        """Who these keys were at the last turn."""
        return {self.base.person[key] for key in keys if key < self.base.top} - {-1}

    def partials(self, key: int) -> Partials:
        """What events have said of whoever has this key, up to now."""
        made = empty()
        for each in self.keys(key):
            for some in (self.base.partials(each), self._fresh.get(each)):
                if some is not None:
                    merge(made, some)
        return made

    def fresh(self, key: int) -> Partials:
        """The partials of one key since the last turn, to be folded into."""
        found = self._fresh.get(key)
        if found is None:
            found = self._fresh[key] = empty()
        return found

    def joined(self, subject: tuple[int, int], others: Iterable[tuple[int, int]]) -> None:
        """Notes identifiers that came together. subject, others: (key, kind), the subject being the strongest."""
        for key, kind in others:
            self._link(*subject, key, kind)

    def forget(self, keys: Iterable[int]) -> int:
        """Drops what is known of keys since the last turn; says of how many there was something."""
        many = 0
        for key in keys:
            many += (self._fresh.pop(key, None) is not None) | (self._group.pop(key, None) is not None)
        return many

    # parts

    def _link(self, a: int, kind_a: int, b: int, kind_b: int) -> None:
        if b in self._weaker[a] or self.base.linked(a, b):
            return
        self._kind[a], self._kind[b] = kind_a, kind_b
        was = self._hot(b, kind_b)
        self._weaker[a][b], self._stronger[b][a] = kind_b, kind_a
        area = {*self.keys(a), *self.keys(b)}
        if self._hot(b, kind_b) != was:
            # What it joined it joins no more, or now it does: all that it came with may be somebody else.
            for other, _ in self._around(b):
                area.update(self.keys(other))
        self._regroup(area)

    def _hot(self, key: int, kind: int) -> bool:
        """As `data.identity.hot`: linked to more user ids (or, without any, e-mails) than its kind's cap."""
        most = self._caps.get(kind)
        if most is None:
            return False
        kinds = [k for _, k in self._above(key)]
        users = kinds.count(USER)
        return (users or kinds.count(MAIL)) > most

    def _above(self, key: int) -> list[tuple[int, int]]:
        """Its links to subjects, each once."""
        return list({**dict(self.base.stronger(key)), **self._stronger.get(key, {})}.items())

    def _below(self, key: int) -> list[tuple[int, int]]:
        """Its links as the subject, each once."""
        return list({**dict(self.base.weaker(key)), **self._weaker.get(key, {})}.items())

    def _around(self, key: int) -> list[tuple[int, int]]:
        return self._above(key) + self._below(key)

    def _regroup(self, area: set[int]) -> None:
        """Finds anew which keys of an area are one person."""
        kinds = {key: kind for of in area for key, kind in self._around(of)} | self._kind
        barred = {key for key in area if self._hot(key, kinds.get(key, 0))}
        home = {key: key for key in area}

        def top(key: int) -> int:
            while home[key] != key:
                home[key] = key = home[home[key]]
            return key

        for key in area - barred:
            for other, _ in self._below(key):
                if other in home and other not in barred:
                    home[top(key)] = top(other)
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for key in area:
            groups[top(key)].append(key)
        for old in {self._group[key] for key in area if key in self._group}:
            self._members.pop(old, None)
        for members in groups.values():
            self._next_group -= 1
            self._members[self._next_group] = members
            self._group.update((key, self._next_group) for key in members)
