"""`tessera anchor now|list|check|deploy`: the ledger's heads on a chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import many

if TYPE_CHECKING:
    from tessera.trust.anchored import AnchoredHead


def add(commands: Commands) -> None:
    """Declares them."""
    anchor = commands.noun(
        "anchor", "the ledger's heads on a chain: now, list, check, deploy", ["anchor now", "anchor check"]
    )
    anchor.add(
        "now",
        _now,
        "anchor the ledger's head, and send what waits for the chain",
        ["anchor now", "anchor now --json"],
        "Where tessera.yaml names no chain, on the embedded one, which is in use from then on. A turn does it by itself once\n"
        "a day (chain.every_hours). What waits: commitments that people asked for, those that they withdrew, and proofs of\n"
        "burning.",
    )
    anchor.add("list", _list, "list the heads that are anchored, newest first", ["anchor list", "anchor list --json"])
    anchor.add(
        "check",
        _check,
        "compare every head on the chain with the ledger",
        ["anchor check"],
        "Exit code 1 if one is no head of this ledger: it was cut, set back, or rewritten.",
    )
    anchor.add(
        "deploy",
        _deploy,
        "put a new contract on the chain; write its address to chain.contract in tessera.yaml",
        ["anchor deploy"],
        "Costs about a million gas. The account of chain.key becomes its owner, who alone can anchor.",
    )


def _now(call: Call) -> int:
    import msgspec

    with call.open() as app:
        made = app.anchor()
    head = made.head

    def draw() -> None:
        if head is None:
            call.show.line("The ledger is empty; nothing is anchored.")
            return
        said = "Anchored" if made.fresh else "Anchored before"
        call.show.line(f"{said}: {head.size:,} entries, anchor {head.number} on contract {head.contract}.")
        counts = {"consents": made.consents, "granted": made.granted, "revoked": made.revoked, "burned": made.burned}
        call.show.facts({**{k: v for k, v in counts.items() if v}, "gas": made.gas})
        if head.kind == "embedded":
            call.show.note("This chain is our own: it proves nothing to people outside (docs/contract.md).")

    call.show.answer({**msgspec.to_builtins(made), "head": None if head is None else _facts(head)}, draw)
    return 0


def _list(call: Call) -> int:
    with call.open() as app:
        found = [_facts(head) for head in reversed(app.anchors.heads())]

    def draw() -> None:
        columns = ["number", "size", "at", "contract", "block", "gas"]
        call.show.table(columns, [[f[c] for c in columns] for f in found])
        if not found:
            call.show.note("Nothing is anchored yet. Try: tessera anchor now")

    call.show.answer(found, draw)
    return 0


def _check(call: Call) -> int:
    import msgspec

    with call.open() as app:
        found = app.anchors.check()

    def draw() -> None:
        if found.reason:
            call.show.line(f"The ledger is NOT the one that was anchored: {found.reason}.")
        else:
            heads = many(found.heads, "anchored head")
            call.show.line(f"The ledger goes on from {heads}, the newest of {found.size:,} entries.")

    call.show.answer({"ok": not found.reason, **msgspec.to_builtins(found)}, draw)
    return 1 if found.reason else 0


def _deploy(call: Call) -> int:
    with call.open() as app:
        sent = app.anchors.deploy()
        chain = app.anchors.chain()
        found = {"kind": chain.kind, "chain": chain.number, "contract": chain.contract}
    document: dict[str, Any] = {**found, "transaction": sent.transaction, "block": sent.block, "gas": sent.gas}

    def draw() -> None:
        call.show.line(document["contract"])
        if document["kind"] == "ethereum":
            call.show.note(f"Write into tessera.yaml, in chain: contract: \"{document['contract']}\"")
        call.show.note(f"{sent.gas:,} gas")

    call.show.answer(document, draw)
    return 0


def _facts(head: AnchoredHead) -> dict[str, Any]:
    import msgspec

    return {**msgspec.to_builtins(head), "at": datetime.fromtimestamp(head.at, UTC).isoformat()}
