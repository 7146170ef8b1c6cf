"""Short names on the customer's own pages: of purposes, of kinds of records, of who used them."""

from __future__ import annotations

from tessera.config import Config, Purpose
from tessera.copy_words import ACTS, ROLES, TABLES
from tessera.doors.pages.pictures.sankey import Hue
from tessera.doors.pages.tongue import N_, Tongue
from tessera.fideslang import covers

PURPOSES: dict[str, str] = {
    "essential.service.operations.support": N_("Help you"),
    "essential.service.payment_processing": N_("Take your payments"),
    "essential.fraud_detection": N_("Stop fraud"),
    "essential.legal_obligation": N_("Keep what a law asks for"),
    "essential.service.security": N_("Keep the service safe"),
    "essential": N_("Deliver and help"),
    "finance": N_("Keep our books"),
    "functional": N_("Make the service work for you"),
    "operations": N_("Run the shop"),
    "analytics": N_("Improve our shop"),
    "personalize": N_("Choose what fits you"),
    "marketing.advertising.third_party": N_("Show you ads elsewhere"),
    "marketing.advertising": N_("Show you ads"),
    "marketing": N_("Write to you about offers"),
    "sales": N_("Advise you"),
    "third_party_sharing": N_("Share with partners"),
    "train_ai_system": N_("Teach our models"),
}
"""A data use of fideslang, with all below it -> what it is to her."""

ORIGINS: dict[str, tuple[str, Hue]] = {
    "web": (N_("Website and app"), "lapis"),
    "orders": (N_("Orders and payments"), "verd"),
    "posts": (N_("Your posts"), "plum"),
    "devices": (N_("Your devices"), "gold"),
    "account": (N_("Your account"), "slate"),
    "ads": (N_("Ads you saw"), "slate"),
    "shown": (N_("What we showed you"), "slate"),
    "choices": (N_("Your choices"), "slate"),
}
"""Kinds of her records (flows.ORIGINS): name, colour; in the order in which they are shown."""

USED: dict[str, Hue] = {
    "essential": "verd", "analytics": "slate", "personalize": "lapis", "marketing": "plum", "third_party_sharing": "gold",
    "functional": "verd",
}  # fmt: skip
"""A data use, with all below it: its colour."""


def short(config: Config, purpose: str, tongue: Tongue) -> str:
    """A purpose in two to four words; where two would be called alike, its own name beside."""
    name = _short(config, purpose)
    alike = name is not None and sum(_short(config, other) == name for other in config.purposes) > 1
    return purpose if name is None else f"{tongue(name)} ({purpose})" if alike else tongue(name)


def _short(config: Config, purpose: str) -> str | None:
    known = config.purposes.get(purpose)
    found = [use for use in PURPOSES if known and covers(use, known.data_use)]
    return PURPOSES[max(found, key=len)] if found else None


def look(purpose: Purpose | None) -> Hue:
    """The colour of a purpose."""
    return next((said for use, said in USED.items() if purpose and covers(use, purpose.data_use)), "slate")


def origin(name: str, tongue: Tongue) -> str:
    """A kind of her records."""
    return tongue(ORIGINS[name][0])


def table(name: str, tongue: Tongue) -> str:
    """What a table is to her."""
    return TABLES[tongue.language].get(name, name)


def by(role: str, config: Config, tongue: Tongue) -> str:
    """Who it was: a role and never a colleague; the machine is the shop itself."""
    return config.name if role in ("machine", "") else ROLES[tongue.language].get(role, role)


def act(name: str, tongue: Tongue) -> str:
    """What was done."""
    return ACTS[tongue.language].get(name, name)
