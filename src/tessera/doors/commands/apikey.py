"""`tessera apikey new|list|revoke`: keys by which programs come through the HTTP door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.errors import NotFound

if TYPE_CHECKING:
    from tessera.trust.apikeys import ApiKey

DAYS = 90


def add(commands: Commands) -> None:
    """Declares them."""
    apikey = commands.noun(
        "apikey",
        "keys of programs that come through the HTTP door: new, list, revoke",
        ["apikey new reports --role analyst --purpose analytics", "apikey list", "apikey revoke reports"],
    )
    new = apikey.add(
        "new",
        _new,
        "a new key, shown once",
        [
            "apikey new reports --role analyst --purpose analytics --days 90",
            "apikey new website --role owner --purpose operate",
        ],
        "Its actor is key:NAME, which access.yaml has to give the roles; the key narrows them, and never adds one. Only its\n"
        "hash is kept. Make a second one of the same name to change over without a gap.",
    )
    new.add_argument("name", metavar="NAME", help="the program, as in key:NAME of access.yaml")
    new.add_argument("--role", action="append", required=True, metavar="R", help="a role it may act in; again for more")
    new.add_argument("--purpose", action="append", required=True, metavar="P", help="what it may read for; again for more")
    new.add_argument("--days", type=int, default=DAYS, metavar="N", help=f"how long it is good (default: {DAYS})")
    apikey.add("list", _list, "every key: whose, for what, until when; no secrets", ["apikey list", "apikey list --json"])
    revoke = apikey.add(
        "revoke",
        _revoke,
        "end a key, or all keys of a name, from the next request on",
        ["apikey revoke reports", "apikey revoke 3f2a9c01b7de"],
    )
    revoke.add_argument("named", metavar="NAME|ID", help="see: tessera apikey list")


def _new(call: Call) -> int:
    from tessera.trust.apikeys import ApiKeys

    args = call.args
    with call.open() as app:
        access, purposes = app.config.access, app.config.purposes
        for kind, words, known in (("Role", args.role, access.roles), ("Purpose", args.purpose, purposes)):
            for word in words:
                if word not in known:
                    raise NotFound(kind, word, known)
        text, key = ApiKeys(app.state, app.clock).new(
            args.name, tuple(dict.fromkeys(args.role)), tuple(dict.fromkeys(args.purpose)), args.days
        )
        app.note("apikey", f"{key.actor} {key.id} made: {', '.join(key.roles)} for {', '.join(key.purposes)}"[:200])
        held = next((a.roles for a in access.actors if a.name == key.actor), ())
    call.show.answer({**_facts(key), "key": text}, lambda: call.show.line(text))
    call.show.note(f"Good until {key.ends[:10]}. It is shown this once; keep it where programs' secrets are kept.")
    if lacking := [r for r in key.roles if r not in held]:
        call.show.note(f"It opens nothing yet as {', '.join(lacking)}: give {key.actor} these roles in access.yaml (actors).")
    return 0


def _list(call: Call) -> int:
    from tessera.trust.apikeys import ApiKeys

    with call.open() as app:
        found = [{**_facts(k), "good": k.good(app.clock())} for k in ApiKeys(app.state, app.clock).listed()]

    def draw() -> None:
        columns = ["id", "name", "roles", "purposes", "made", "ends", "revoked", "good"]
        rows = [
            [f["id"], f["name"], ", ".join(f["roles"]), ", ".join(f["purposes"]), f["made"][:10], f["ends"][:10],
             (f["revoked"] or "")[:10], f["good"]]
            for f in found
        ]  # fmt: skip
        call.show.table(columns, rows)
        if not found:
            call.show.note("No keys yet. Try: tessera apikey new NAME --role R --purpose P")

    call.show.answer(found, draw)
    return 0


def _revoke(call: Call) -> int:
    from tessera.trust.apikeys import ApiKeys

    with call.open() as app:
        ended = ApiKeys(app.state, app.clock).revoke(call.args.named)
        for key in ended:
            app.note("apikey", f"{key.actor} {key.id} revoked")
    found = [_facts(k) for k in ended]

    def draw() -> None:
        for key in ended:
            call.show.line(f"{key.id} of {key.name} is revoked.")
        if not ended:
            call.show.line("It was revoked before.")

    call.show.answer(found, draw)
    return 0


def _facts(key: ApiKey) -> dict[str, Any]:
    """What may be known of it: never its hash."""
    return {f: getattr(key, f) for f in ("id", "name", "roles", "purposes", "made", "ends", "revoked")}
