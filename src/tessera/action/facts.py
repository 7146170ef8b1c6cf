"""The facts that rules of decisions may ask for: fields of her profile, what the event says, what the caller adds."""

from __future__ import annotations

from difflib import get_close_matches

from tessera.config import Purpose
from tessera.data.live_folds import LIVE
from tessera.data.profiles import FOLDS
from tessera.data.raw import BROWSING, EVENTS, PURCHASE
from tessera.data.rules import NOW, columns, compiled
from tessera.decision_file import RECOMMENDING
from tessera.errors import BadInput
from tessera.fideslang import covers

SAID = ("event", "product_id", "amount_cents", "currency", "channel", "campaign", "device", "country", "type")
"""Columns of an event that rules may ask for, as `event.NAME`."""

EVENT, HERE = "event.", "here."
"""Before a column of the event that is decided on, and before what the caller says of the place (`context` of `/v1/decide`)."""

SEGMENT = "segment"

MOVES = {f.field: f.category for f in LIVE}
"""Fields that events move at once."""

STAYS = {f.field: f for f in FOLDS if f.field not in MOVES and not f.sealed and not f.field.endswith("_key")}
"""Fields of a profile that only a turn makes anew: of what files and databases say of her."""

CATEGORIES = {
    **MOVES, **{name: f.category for name, f in STAYS.items()}, SEGMENT: PURCHASE, NOW: "system.operations",
    **{EVENT + name: EVENTS.column(name).category for name in SAID},
}  # fmt: skip
"""Every fact, and the data category that it is of."""


def of_turn(texts: list[str]) -> frozenset[str]:
    """The facts of a turn that some rules ask for."""
    return frozenset().union(*map(columns, texts)) & {*STAYS, SEGMENT}


def rule_refused(text: str, purpose: Purpose | None) -> str | None:
    """Why a rule may not be used for a purpose (None: unknown), or None. text: RECOMMENDING stands for recommending, which goes
    by what she has looked at."""
    if text == RECOMMENDING:
        return barred(BROWSING, purpose)
    try:
        compiled(text)
        asked = columns(text)
    except BadInput as no:
        return str(no)
    for column in sorted(asked):
        if column.startswith(HERE):
            continue
        if column not in CATEGORIES:
            close = get_close_matches(column, sorted(CATEGORIES), n=1, cutoff=0.6)
            known = ", ".join(sorted({*MOVES, *STAYS, SEGMENT}))
            return f"{column!r} is no fact that is known of her. " + (
                f"Did you mean {close[0]!r}?" if close else f"Known: {known}; event.NAME, here.NAME."
            )
        if (why := barred(CATEGORIES[column], purpose)) is not None:
            return f"{column!r} may not be asked for here. {why}"
    return None


def barred(category: str, purpose: Purpose | None) -> str | None:
    """Why a purpose may not use a category, or None."""
    if purpose is None or not category.startswith("user") or not purpose.categories:
        return None
    if any(covers(c, category) for c in purpose.categories):
        return None
    return f"The purpose {purpose.name} may not use {category} (purposes.yaml)."
