"""`tessera serve`: the HTTP door of a workspace."""

from __future__ import annotations

from pathlib import Path

from tessera.doors.call import Call, Commands

HOST, PORT = "127.0.0.1", 8000


def add(commands: Commands) -> None:
    """Declares it."""
    serve = commands.add(
        "serve",
        _serve,
        "the HTTP door: the API for staff and programs, and the customer's own door",
        ["serve", "serve --host 0.0.0.0 --port 443 --tls-cert cert.pem --tls-key key.pem"],
        "Stops with Ctrl-C or SIGTERM, after what is under way. Other commands work meanwhile: the server lends them the\n"
        "workspace, answers 503 until they are done, and goes on with what its files say then. TLS is 1.3 only.",
    )
    serve.add_argument("--host", default=HOST, metavar="H", help=f"the address to listen at (default: {HOST})")
    serve.add_argument("--port", type=int, default=PORT, metavar="P", help=f"the port; 0 takes a free one (default: {PORT})")
    serve.add_argument("--tls-cert", metavar="FILE", help="certificate chain (PEM)")
    serve.add_argument("--tls-key", metavar="FILE", help="its private key (PEM)")
    serve.add_argument(
        "--plain-http", action="store_true", help="listen without TLS where others can reach it, behind a proxy of yours"
    )


def _serve(call: Call) -> int:
    from datetime import UTC, datetime
    from functools import partial

    from tessera.app import App
    from tessera.doors.http.desk import Desk
    from tessera.doors.http.server import Place, serve
    from tessera.doors.tracked import Tracked

    args = call.args
    cert, key = (Path(f) if f else None for f in (args.tls_cert, args.tls_key))
    place = Place(host=args.host, port=args.port, cert=cert, key=key, plain=args.plain_http)
    place.check()
    root = call.root
    tracked = Tracked(lambda: datetime.now(UTC))
    desk = Desk(root, open_=partial(App, root, wait_s=args.wait, doing="tessera serve"), beside=tracked)
    try:
        with desk.app() as app:
            if app.standing.told:
                call.show.note(app.standing.told)
            if not app.config.access.functions:
                call.show.note("access.yaml has no `functions`, so nobody may do anything through this door yet.")
        serve(desk, place, tracked, ready=lambda url: _ready(call, url))
    finally:
        tracked.close()
        desk.close()
    return 0


def _ready(call: Call, url: str) -> None:
    import sys

    call.show.answer({"url": url}, lambda: call.show.line(f"Serving {url}"))
    sys.stdout.flush()
