"""The settings of a source that is sent to the tracking door: custom properties of the server in its contract."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, cast
from urllib.parse import urlsplit

from tessera import odcs
from tessera.config import Door, Field
from tessera.yamlmarks import Piece, one_of
from tessera.yamlread import Section, choice, custom_section, flag, items, many, section, text, whole

LONGEST_HOURS = 168
"""A week: for as long as that, message ids may be remembered."""

LARGEST_EVENT = 4_000_000
"""What RudderStack's SDKs let through."""

_DOMAIN = text(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", "a domain that you own, such as shop.example")


def settings(server: Section, plans: Collection[str] | None, url: str) -> Door:
    """What the server's custom properties say. plans: the names of the tracking plans that there are; None: unchecked. url:
    under which others reach our door."""
    ours = custom_section(server, odcs.OUR_DOOR)
    return Door(
        enabled=ours.get("enabled", flag, Door.enabled),
        plan=ours.get("trackingPlan", lambda piece: _plan(piece, plans), Door.plan),
        additional=cast(Literal["block", "note"], ours.get("additionalProperties", choice(("block", "note")), Door.additional)),
        consent=cast(
            Literal["drop", "anonymous", "keep"], ours.get("consent", choice(("drop", "anonymous", "keep")), Door.consent)
        ),
        purposes=ours.get("consentPurposes", many(text()), Door.purposes),
        dedupe_hours=ours.get("dedupeHours", whole(0, LONGEST_HOURS), Door.dedupe_hours),
        event_bytes=ours.get("eventBytes", whole(1024, LARGEST_EVENT), Door.event_bytes),
        address=cast(Literal["generalise", "drop"], ours.get("address", choice(("generalise", "drop")), Door.address)),
        cookie_domain=ours.get("cookieDomain", lambda piece: _domain(piece, url), Door.cookie_domain),
    )


def check(top: Section, door: Door, fields: Sequence[Field]) -> None:
    """Whether the door can learn what it is asked to act on: some property answers each purpose that is named."""
    if door.consent == "keep" and not door.purposes:
        return
    answered = sorted({f.consent for f in fields if f.consent})
    servers = [section(piece, odcs.SERVER) for piece in items(top.parts["servers"])]
    ours = custom_section(servers[0], odcs.OUR_DOOR) if servers and servers[0] else None
    if ours is None:
        return
    if not answered:
        ours.at("consent").wrong(
            "a property with the custom property `consent`, by which the door learns the answer", found="none in this contract"
        )
        return
    for piece in items(ours.parts["consentPurposes"]) if "consentPurposes" in ours else ():
        choice(answered, f"a purpose that a property of this contract answers: {one_of(answered)}")(piece)


def _domain(piece: Piece, url: str) -> str | None:
    """A domain that our own address lies in: for no other does a browser take a cookie from us."""
    domain, host = _DOMAIN(piece), urlsplit(url).hostname or ""
    if domain is None or host == domain or host.endswith("." + domain):
        return domain
    where = f"the host of `serve: url` in tessera.yaml, {host}" if host else "`serve: url` in tessera.yaml, which is not set"
    piece.wrong(f"a domain that has in it {where}")
    return None


def _plan(piece: Piece, plans: Collection[str] | None) -> str | None:
    if plans is None:
        return text()(piece)
    known = f"the id of a plan in tracking-plans/: {one_of(plans)}" if plans else "a plan in tracking-plans/; there is none yet"
    return choice(plans, known)(piece)
