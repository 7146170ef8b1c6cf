"""`tessera open`: a link that opens the pages of a running server for whoever works on this machine."""

from __future__ import annotations

from tessera.doors.call import Call, Commands
from tessera.doors.commands.person import person_id


def add(commands: Commands) -> None:
    """Declares it."""
    opened = commands.add(
        "open",
        _open,
        "a link that opens the pages of the running server, signed in as you",
        ["open", "open /customers", "open --url https://cdp.example.org", "open --customer 17"],
        "The link works once, within ten minutes, for the user of this machine in her roles of access.yaml. "
        "The server is\nstarted by `tessera serve`.",
    )
    opened.add_argument(
        "--customer", type=person_id, metavar="ID", default=0,
        help="in a demo: the page of this made-up customer, as she would see it; she is told among her uses",
    )
    opened.add_argument("page", nargs="?", default="/", metavar="PAGE", help="where it leads to (default: the first page)")
    opened.add_argument("--url", metavar="URL", help="the server's address (default: serve.url, or where it listens)")


def _open(call: Call) -> int:
    from urllib.parse import urlencode

    from tessera.doors import opening

    with call.open() as app:
        url = call.args.url or app.config.serve.url or app.state.get(*opening.AT)
        token = opening.mint(app, app.me, customer=call.args.customer)
    where = {"token": token, **({"to": call.args.page} if call.args.page != "/" else {})}
    link = f"{(url or opening.USUAL).rstrip('/')}{opening.PATH}?{urlencode(where)}"

    def draw() -> None:
        call.show.line(link)
        if url is None:
            call.show.note("No server has run here yet. Start it first: tessera serve")

    call.show.answer({"link": link}, draw)
    return 0
