"""What `decisions/*.yaml` says, as frozen nouns that also go as JSON to another engine: a point at which is decided."""

from __future__ import annotations

from typing import Any

import msgspec

FALLBACK = "fallback"
"""The candidate that is shown where no other may be; no file may name one so."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What could be shown. when: the rule, empty for always. show: what the caller is given, as written. product: the product
    that it offers, or empty. recommend: it stands for up to `most` products that the recommender names. weight: what an outcome
    of it is worth beside the others."""

    id: str
    when: str = ""
    show: Any = None
    product: str = ""
    recommend: bool = False
    most: int = 10
    weight: float = 1.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as a success: an event of hers within so many seconds; same_product: of the product that was offered."""

    event: str
    within_s: int
    same_product: bool = False


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """How often one candidate may be shown to one person within so many seconds."""

    times: int
    within_s: int


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """A file with a header, below the workspace, that is read anew when it changes. product, left: its columns."""

    file: str
    product: str
    left: str


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A place or moment at which is decided what a person is shown.

    purpose: for which her data is used. on: names of events after which is decided and the answer pushed. control: the share of
    people (0 to 1) who always get the fallback, so that what the others got can be compared. explore: the share of decisions
    that fall to any candidate alike. context: expressions whose values part one situation from another for what is learned.
    fallback: what is shown where nothing else may be. webhook: the name (`${NAME}`) of a URL that pushed decisions go to.
    """

    name: str
    purpose: str
    candidates: tuple[Candidate, ...]
    on: tuple[str, ...] = ()
    control: float = 0.1
    explore: float = 0.05
    context: tuple[str, ...] = ()
    fallback: Any = None
    outcome: Outcome | None = None
    cap: Cap | None = None
    stock: Stock | None = None
    webhook: str = ""

    @property
    def memory_s(self) -> int:
        """For how many seconds what a person was shown here has to be known."""
        return max(self.cap.within_s if self.cap else 0, self.outcome.within_s if self.outcome else 0)
