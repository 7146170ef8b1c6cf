"""`tessera account add|list|disable|password`: local accounts of staff who sign in at the HTTP door."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.trust.accounts import Account


def add(commands: Commands) -> None:
    """Declares them."""
    account = commands.noun(
        "account",
        "local accounts of staff at the HTTP door: add, list, disable, password",
        ["account add ann", "account list", "account disable ann"],
    )
    more = "The password is asked for, or read from the first line of stdin; it never stands in the command."
    adder = account.add(
        "add",
        _add,
        "a new account, with a password",
        ["account add ann", "account add ann < password.txt"],
        f"Its actor is account:NAME, which access.yaml has to give the roles. {more}",
    )
    account.add("list", _list, "every account, and its roles", ["account list", "account list --json"])
    disable = account.add(
        "disable",
        _disable,
        "end an account: its sessions now, and no sign-in from now on",
        ["account disable ann"],
    )
    password = account.add(
        "password", _password, "another password; its sessions end", ["account password ann"], more
    )
    for parser in (adder, disable, password):
        _name(parser)


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the account, as in account:NAME of access.yaml")


def _add(call: Call) -> int:
    from tessera.trust.accounts import Accounts

    word = _asked()
    with call.open() as app:
        made = Accounts(app.state, app.clock).add(call.args.name, word)
        app.note("account", f"{made.actor} added")
        held = next((a.roles for a in app.config.access.actors if a.name == made.actor), ())
    call.show.answer(_facts(made), lambda: call.show.line(f"The account {made.name} is there."))
    if not held:
        call.show.note(f"It may do nothing yet: give {made.actor} a role in access.yaml (actors).")
    return 0


def _list(call: Call) -> int:
    from tessera.trust.accounts import Accounts

    with call.open() as app:
        held = {a.name: list(a.roles) for a in app.config.access.actors}
        found = [{**_facts(a), "roles": held.get(a.actor, [])} for a in Accounts(app.state, app.clock).listed()]

    def draw() -> None:
        rows = [[f["name"], ", ".join(f["roles"]), f["made"][:10], (f["disabled"] or "")[:10]] for f in found]
        call.show.table(["account", "roles", "made", "disabled"], rows)
        if not found:
            call.show.note("No accounts yet. Try: tessera account add NAME")

    call.show.answer(found, draw)
    return 0


def _disable(call: Call) -> int:
    return _changed(call, "disabled", lambda accounts: accounts.disable(call.args.name))


def _password(call: Call) -> int:
    word = _asked()
    return _changed(call, "has another password", lambda accounts: accounts.password(call.args.name, word))


def _changed(call: Call, how: str, change: Any) -> int:
    from tessera.trust.accounts import Accounts
    from tessera.trust.sessions import Sessions

    with call.open() as app:
        made = change(Accounts(app.state, app.clock))
        ended = Sessions(app.state, app.clock).end_all(made.actor)
        app.note("account", f"{made.actor} {how}; {ended} sessions ended")
    call.show.answer(_facts(made), lambda: call.show.line(f"The account {made.name} {how}; {ended} sessions ended."))
    return 0


def _asked() -> str:
    """A password, typed twice at a terminal, else the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    word = getpass("Password: ")
    if getpass("Again: ") != word:
        raise BadInput("The two are not the same. Nothing was changed.")
    return word


def _facts(account: Account) -> dict[str, Any]:
    """What may be known of it: never its hash."""
    return {f: getattr(account, f) for f in ("name", "actor", "made", "disabled")}
