"""`tessera open`: a link that opens the pages of a running server for whoever works on this machine."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

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
    opened.add_argument(
        "page", nargs="?", type=_page, default="/", metavar="PAGE", help="where it leads to (default: the first page)"
    )
    opened.add_argument(
        "--url", type=_url, metavar="URL", help="the server's address (default: serve.url, or where it listens)"
    )


def _open(call: Call) -> int:
    from tessera.doors import noted, opening

    with call.open() as app:
        note = noted.find(app.config.var)
        url = call.args.url or app.config.serve.url or (note.url if note else app.state.get(*opening.AT))
        token = opening.mint(app, app.me, customer=call.args.customer)
    link = opening.link(url or opening.USUAL, token, call.args.page)

    def draw() -> None:
        call.show.line(link)
        if note is None and not call.args.url:
            call.show.note("No server runs here now. Start it: tessera serve")

    call.show.answer({"link": link, "running": note is not None}, draw)
    return 0


def _page(text: str) -> str:
    """A page of ours: a path, and what stands behind it."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no page of ours; it begins with one /, such as /customers")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"{text!r} is no address of a server, such as https://cdp.example.org")
    return text
