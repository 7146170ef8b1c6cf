"""`tessera consent commit|opening|usable`: a customer's consent on the contract, and its opening for her to keep."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.chains import chain_options, named_chain
from tessera.doors.files import text_of, written
from tessera.errors import BadChain, BadInput

if TYPE_CHECKING:
    from tessera.trust.commitments import Opening


def add(consent: Commands) -> None:
    """Declares them."""
    commit = consent.add(
        "commit",
        _commit,
        "a customer's own commitment on the contract, with an end if she sets one",
        ["consent commit 17 --of marketing -o hers.json", "consent commit 17 --of marketing --until 2027-01-01 --now"],
        "What goes on the chain is a salted hash. The file opens it: give it to her, and keep no copy. A withdrawal ends it\n"
        "with the next anchor, an end that she set ends it by the block's time.",
    )
    opening = consent.add(
        "opening",
        _opening,
        "where a customer's consent lies under the newest anchored root, for her to keep",
        ["consent opening 17 --of marketing -o hers.json"],
        "Costs nothing on the chain: one root stands for all consents that hold.",
    )
    for parser in (commit, opening):
        parser.add_argument("person", metavar="ID", type=int, help="her number (see: tessera person find)")
        parser.add_argument("--of", metavar="PURPOSE", required=True, help="the purpose that she agrees to")
        parser.add_argument("-o", dest="output", metavar="FILE", help="write it there")
    commit.add_argument("--until", metavar="TIME", type=moment, help="when it ends: 2027-01-01, or with time and zone")
    commit.add_argument("--now", action="store_true", help="anchor at once; else it goes with the next anchor")
    usable = consent.add(
        "usable",
        _usable,
        "whether the contract says of an opened commitment that it holds now",
        ["consent usable hers.json", "consent usable hers.json --chain https://node.example --contract 0x..."],
        "Exit code 1 if it does not hold. With --chain and --contract it needs no workspace.",
    )
    usable.add_argument("file", metavar="FILE", help="as consent commit or consent opening wrote it")
    chain_options(usable)


def _commit(call: Call) -> int:
    args = call.args
    with call.open() as app:
        made = app.people.commit(args.person, args.of, args.until)
        if args.until:
            app.end_consent(args.person, args.of, args.until)
        said = "It goes on the contract with the next anchor."
        if args.now:
            try:
                app.anchor()
                said = "It is on the contract."
            except BadChain as no:
                said = f"{no} It goes with the next anchor."
    _handed(call, made)
    call.show.note(said)
    return 0


def _opening(call: Call) -> int:
    with call.open() as app:
        made = app.people.opening(call.args.person, call.args.of)
    _handed(call, made)
    return 0


def _handed(call: Call, made: Opening) -> None:
    import msgspec

    if call.args.output is None:
        call.show.document(msgspec.to_builtins(made))
    else:
        written(call, Path(call.args.output), msgspec.json.format(msgspec.json.encode(made)).decode() + "\n")


def _usable(call: Call) -> int:
    from tessera.trust.commitments import holds, opened, read_opening

    args = call.args
    opening = read_opening(text_of(Path(args.file)))
    opened(opening)
    args.chain = args.chain or "own"
    with named_chain(call) as chain:
        assert chain is not None
        usable, reason = holds(opening, chain)
        contract = chain.contract
    end = datetime.fromtimestamp(opening.expiry, UTC).isoformat() if opening.expiry else None
    document: dict[str, Any] = {
        "usable": usable, "reason": reason, "commitment": opening.commitment, "purpose": opening.terms.purpose,
        "version": opening.terms.version, "until": end, "contract": contract,
    }  # fmt: skip

    def draw() -> None:
        told = f"to {opening.terms.purpose!r} (version {opening.terms.version})"
        end_said = f", until {end}" if end else ""
        call.show.line(f"Her consent {told} holds{end_said}." if usable else f"Her consent {told} does NOT hold: {reason}.")

    call.show.answer(document, draw)
    return 0 if usable else 1


def moment(text: str) -> datetime:
    """A moment as it is typed; UTC if no zone is given. Raises BadInput."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no time; expected one such as 2027-01-01 or 2027-01-01T12:00:00+01:00.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
