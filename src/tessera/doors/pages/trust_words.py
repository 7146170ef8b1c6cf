"""What the ledger and the desk call things, as the trust pages say it: acts, kinds of requests, states, verdicts."""

from __future__ import annotations

from tessera.doors.pages.tongue import N_

ACTS: dict[str, str] = {
    "read": N_("Read"), "step": N_("Computed"), "find": N_("Looked somebody up"),
    "why": N_("Looked at how records were joined"), "receipt": N_("Made a receipt"), "request": N_("Worked on a request"),
    "erase": N_("Erased"), "landing": N_("Took rows in"), "breach": N_("Looked into a breach"), "sign-in": N_("Signed in"),
    "consent": N_("Noted a choice"), "access": N_("Changed who may see what"), "anchor": N_("Anchored the ledger"),
    "burn": N_("Destroyed what had run out"), "lapse": N_("Destroyed what no law makes us keep"),
    "sweep": N_("Cleared old versions away"), "welcome": N_("Took somebody in again"),
    "customer_token": N_("Let a customer in"), "commit": N_("Published a sealed proof"),
    "opening": N_("Opened a sealed proof"), "mend": N_("Mended the ledger"), "backup": N_("Made a backup"),
    "restore": N_("Brought a backup back"), "rotate": N_("Changed the vault's keys"),
    "upgrade": N_("Brought to a newer format"), "tail": N_("Watched events come in"), "live": N_("Kept live state"),
    "decide": N_("Chose what to show"), "results": N_("Counted what came of it"), "stream": N_("Handed on to another engine"),
    "replay": N_("Read broken rows again"), "sql": N_("Asked in SQL"), "tables": N_("Listed tables"),
    "show": N_("Opened a person"), "consents": N_("Looked at choices"), "ledger": N_("Read the ledger"),
    "explain": N_("Asked about access"), "approve": N_("Approved a change"), "requests": N_("Worked at the desk"),
    "operate": N_("Looked after the machine"), "change": N_("Proposed a change"),
}  # fmt: skip
"""Acts of the ledger in words; one that is not here goes by its own name."""

KINDS: dict[str, str] = {
    "access": N_("A copy of her data"), "portability": N_("Her data to take along"), "correction": N_("A correction"),
    "restriction": N_("A restriction"), "objection": N_("An objection"), "erasure": N_("Erasure"),
}  # fmt: skip

STATUSES: dict[str, str] = {
    "received": N_("Received"), "verifying": N_("Identity asked for"), "in progress": N_("In progress"), "done": N_("Done"),
    "refused": N_("Declined"),
}  # fmt: skip

HOW: dict[str, str] = {
    "signed link": N_("A link to her mailbox"), "owner's token": N_("Her account with the shop"), "account": N_("Her account"),
    "document": N_("A document"), "in person": N_("In person"), "call back": N_("A call back"),
    "court order": N_("A court order"),
}  # fmt: skip
"""How identity is made sure."""

FIELDS: dict[str, str] = {
    "name": N_("Name"), "email": N_("E-mail"), "phone": N_("Phone"), "address": N_("Address"), "born": N_("Birthday"),
    "city": N_("City"), "region": N_("Region"), "country": N_("Country"), "language": N_("Language"), "tier": N_("Tier"),
}  # fmt: skip
"""Fields that a correction may change."""

CHANNELS: dict[str, str] = {
    "staff": N_("Told to staff"), "e-mail": N_("E-mail"), "letter": N_("Letter"), "phone": N_("Phone"),
    "shop": N_("In the shop"), "own door": N_("Her own page"), "authority": N_("An authority"),
}  # fmt: skip
"""How a request came."""

DONE: dict[str, str] = {
    "received": N_("Received"), "identity asked for by": N_("Identity asked for"),
    "identity verified by": N_("Identity verified"), "begun": N_("Work began"), "texts read": N_("What she wrote was read"),
    "done again": N_("Done once more"), "done": N_("Done"), "extended to": N_("Given more time"), "refused": N_("Declined"),
    "lifted": N_("Ended"), "her records were joined or split": N_("Her records were joined or split: verify again"),
}  # fmt: skip
"""Steps of a request's history, by how the desk's words for them begin."""

FATES: dict[str, str] = {"deleted": N_("deleted"), "kept without her": N_("kept without her")}

BASES: dict[str, str] = {
    "consent": N_("Consent"), "contract": N_("Contract"), "legal_obligation": N_("Legal obligation"),
    "legitimate_interest": N_("Legitimate interest"), "vital_interest": N_("Vital interest"),
    "public_interest": N_("Public interest"),
}  # fmt: skip

VERDICTS: dict[str, str] = {
    "clear": N_("clear"), "generalised": N_("generalised"), "masked": N_("masked"), "hidden": N_("hidden"),
}  # fmt: skip

FUNCTIONS: dict[str, str] = {
    "sql": N_("Ask in SQL"), "tables": N_("List tables"), "find": N_("Look people up"), "show": N_("Open a person"),
    "consents": N_("See choices"), "ledger": N_("Read the ledger"), "explain": N_("Ask about access"),
    "approve": N_("Approve changes"), "customer_token": N_("Let customers in"), "metrics": N_("Read metrics"),
    "decide": N_("Ask for decisions"), "requests": N_("Work on requests"), "operate": N_("Look after the machine"),
    "change": N_("Propose changes"),
}  # fmt: skip
"""Functions of access.yaml in words."""
