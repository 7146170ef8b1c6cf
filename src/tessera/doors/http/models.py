"""The forms of the API: what a request may hold and what an answer may hold, and not a field more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

PersonId = Annotated[int, Path(ge=1, lt=2**31, description="A person's number")]
EntryNumber = Annotated[int, Path(ge=0, lt=2**53, description="An entry of the ledger")]
RequestNumber = Annotated[int, Path(ge=1, lt=2**53, description="A request")]
Purpose = Annotated[str, Query(min_length=1, max_length=40, description="What for: a purpose of purposes.yaml")]
Role = Annotated[str | None, Query(min_length=1, max_length=40, description="One of the caller's roles; default: her first")]


LONGEST_TEXT = 20_000
"""Characters of any text that is sent; a body has at most Limits.body_bytes."""


def _told_in_utc(at: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for one that UTC's calendar has not (the last hours of 9999, west of it)."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("no moment of the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_told_in_utc)]
"""A moment with its zone."""


class Form(BaseModel):
    """A request or an answer: every other field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Sent(Form):
    """A request. Text that UTF-8 has no bytes for (half of a surrogate pair) is refused too: pydantic looks only where a text
    has a bound."""

    model_config = ConfigDict(str_max_length=LONGEST_TEXT)


class Fault(Form):
    """What is wrong: its kind, and a sentence."""

    kind: str
    message: str


class Failure(Form):
    """What every answer is that is no success."""

    error: Fault


class Question(Sent):
    """A question in SQL."""

    question: str = Field(min_length=1, max_length=LONGEST_TEXT)
    purpose: str = Field(min_length=1, max_length=40)
    role: str | None = Field(default=None, min_length=1, max_length=40)


class Answered(Form):
    """Its answer: a list for each row. entry: of the ledger. veiled: columns that are not in clear, with the reason."""

    columns: list[str]
    rows: list[list[Any]]
    entry: int
    veiled: dict[str, str]


class ColumnSeen(Form):
    """A column that the role sees, and how."""

    name: str
    type: str
    category: str
    verdict: str


class TableSeen(Form):
    """A table of which the role sees something. rows: in the lake; what of them she sees the gate decides."""

    name: str
    about: str
    note: str
    rows: int
    version: int | None
    columns: list[ColumnSeen]


class Looked(Sent):
    """An identifier to look a person up by. In the body, so that it stands in no address and no log."""

    identifier: str = Field(min_length=1, max_length=320)
    purpose: str = Field(min_length=1, max_length=40)
    role: str | None = Field(default=None, min_length=1, max_length=40)


class Found(Form):
    """The persons whom it belongs to and whom the caller sees."""

    persons: list[int]


class TraitSeen(Form):
    """One field of a profile."""

    field: str
    value: Any
    source: str | None
    reason: str | None


class PersonSeen(Form):
    """A person as a role sees her; the same as `tessera person show --json`."""

    person: int
    role: str
    purpose: str
    fields: list[TraitSeen]
    consents: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    counts: list[dict[str, Any]]
    closed: dict[str, str]
    entries: list[int]


class Verified(Form):
    """What a check of the whole ledger found."""

    ok: bool
    entries: int
    signed: int
    root: str
    first_bad: int | None
    reason: str


class ChangeWaiting(Form):
    """A change of access that is not in force: what it would change, how many people of which roles must approve, who did."""

    digest: str
    people: int
    roles: list[str]
    approved: list[str]
    cells: list[dict[str, Any]]
    others: list[dict[str, Any]]


class AccessStanding(Form):
    """The version of the matrix that is in force, and since when; the same as `tessera access changes --json`."""

    version: int
    digest: str
    at: str
    waiting: ChangeWaiting | None


class Approval(Sent):
    """The change that somebody approves, by its digest or the first twelve characters of it or more."""

    change: str = Field(pattern="^[0-9a-f]{12,64}$")


class SignIn(Sent):
    """A local account and its password."""

    account: str = Field(min_length=1, max_length=40)
    password: str = Field(min_length=1, max_length=200)


class SignedIn(Form):
    """Who is signed in, with her roles."""

    actor: str
    roles: list[str]


class Knock(Sent):
    """The mailbox of somebody who asks to be let in to her own data. language: of the letter."""

    address: str = Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    language: str = Field(default="en", pattern="^(en|zh)$")


class Said(Form):
    """A sentence that is the same whoever asked."""

    message: str


class Vouched(Sent):
    """Whom the owner's own site has signed in: an identifier of hers and its kind."""

    kind: str = Field(pattern="^(user_id|email|phone)$")
    identifier: str = Field(min_length=1, max_length=320)


class Token(Form):
    """What lets her in, once."""

    token: str
    expires_in_s: int


class Hers(Sent):
    """The identifiers that she gave in an act of her own, by kind; the site has verified them."""

    user_id: str | None = Field(default=None, min_length=1, max_length=320)
    email: str | None = Field(default=None, min_length=1, max_length=320)
    phone: str | None = Field(default=None, min_length=1, max_length=320)


class Return(Sent):
    """Her own act at the owner's site, with what she chose anew in it. wording: the version of the words that she saw."""

    act: Literal["sign-up", "sign-in"]
    identifiers: Hers
    choices: dict[Annotated[str, Field(max_length=40)], Literal["given", "refused"]] = Field(min_length=1, max_length=40)
    wording: str = Field(default="", max_length=200)
    language: str = Field(default="en", pattern="^(en|zh)$")


class Returned(Form):
    """How many identifiers sources may name again. The same for somebody who was never erased."""

    identifiers: int


class Enter(Sent):
    """The token of a letter or of the owner's site."""

    token: str = Field(min_length=1, max_length=400)


class Choice(Sent):
    """Her answer to one purpose. language: of the words that she saw. until, once: when a yes ends, at a moment or with its
    first use."""

    agree: bool
    until: Moment | None = Field(default=None, strict=False)
    once: bool = False
    language: str = Field(default="en", pattern="^(en|zh)$")
