"""`tessera serve`: the HTTP door of a workspace."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tessera.doors.call import Call, Commands
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.config import Config
    from tessera.doors.http.desk import Desk
    from tessera.doors.http.tls import Tls
    from tessera.doors.noted import Noted

HOST, PORT = "127.0.0.1", 8000


def add(commands: Commands) -> None:
    """Declares it."""
    serve = commands.add(
        "serve",
        _serve,
        "the HTTP door: the pages, the API for staff and programs, and the customer's own door",
        [
            "serve",
            "serve --host 0.0.0.0 --port 443 --tls-cert cert.pem --tls-key key.pem",
            "serve --plain-http --port 8080",
            "serve --background --plain-http --idle-minutes 60",
        ],
        "Stops with Ctrl-C or SIGTERM, after what is under way. Other commands work meanwhile: the server lends them the\n"
        "workspace, answers 503 until they are done, and goes on with what its files say then. TLS is 1.3 only. Without a\n"
        "certificate it makes one for localhost (var/tls/cert.pem). Turns run every five minutes (serve.turn_every). With\n"
        "--background it goes on by itself, tells what happens in var/serve.log, and ends with: tessera stop",
    )
    serve.add_argument("--host", default=HOST, metavar="H", help=f"the address to listen at (default: {HOST})")
    serve.add_argument(
        "--port", type=int, metavar="P",
        help=f"the port; 0 takes a free one (default: {PORT}; with --background the first free one from there)",
    )  # fmt: skip
    serve.add_argument("--tls-cert", metavar="FILE", help="certificate chain (PEM); default: serve.tls in tessera.yaml")
    serve.add_argument("--tls-key", metavar="FILE", help="its private key (PEM)")
    serve.add_argument("--plain-http", action="store_true", help="no TLS, for this machine alone: for a proxy on it")
    serve.add_argument("--log-file", metavar="FILE", help="append the log (JSON lines) to a file (default: stderr)")
    serve.add_argument("--background", action="store_true", help="go on by itself; one that runs already is left as it is")
    serve.add_argument(
        "--idle-minutes", type=_minutes, metavar="N", help="end once nobody has asked for anything for so long (default: never)"
    )
    commands.add(
        "stop",
        _stop,
        "end the server of this workspace, after what is under way",
        ["stop", "-w demo stop"],
        "Whether it was started with --background or not. Where none runs, nothing is done.",
    )


def _serve(call: Call) -> int:
    from datetime import UTC, datetime
    from functools import partial

    from tessera._version import VERSION
    from tessera.app import App
    from tessera.doors.deciding import Deciding
    from tessera.doors.http.beside import Beside
    from tessera.doors.http.desk import Desk
    from tessera.doors.http.pulse import Pulse
    from tessera.doors.http.server import Place, Running, serve
    from tessera.doors.http.watch import Watch
    from tessera.doors.log import Log
    from tessera.doors.metrics import Metrics
    from tessera.doors.noted import Noted
    from tessera.doors.tail import Taps
    from tessera.doors.tracked import Tracked
    from tessera.words import Clock

    args, root = call.args, call.root
    if args.background:
        return _begin(call)
    config = call.settings()
    port = PORT if args.port is None else args.port
    place = Place(host=args.host, port=port, tls=None if args.plain_http else _tls(call, config))
    place.check()
    metrics, log = Metrics(config.var), Log(Path(args.log_file) if args.log_file else None)
    taps, pulse = Taps(), Pulse()
    clock: Clock = lambda: datetime.now(UTC)  # noqa: E731
    tracked = Tracked(clock, told=(metrics.written, taps.written, pulse.written), deciding=Deciding(clock, log))
    pulse.hear(tracked.deciding)
    metrics.deciding(tracked.deciding.counts)
    opening = partial(App, root, wait_s=args.wait, doing="tessera serve")
    idle_s = args.idle_minutes * 60 if args.idle_minutes else None
    with Noted(config.var) as note:
        desk = Desk(root, open_=opening, beside=Beside((tracked, pulse)), log=log)
        try:
            with desk.app() as app:
                if app.standing.told:
                    call.show.note(app.standing.told)
                if not app.config.access.functions:
                    call.show.note("access.yaml has no `functions`, so nobody may do anything through this door yet.")
                watch = Watch(app.config, metrics, log)
                running = Running(metrics=metrics, log=log, watch=watch, taps=taps, pulse=pulse, idle_s=idle_s)
            log.say("info", "serve.started", version=VERSION, turn_every_s=config.serve.turn_every_s)
            serve(desk, place, tracked, running, ready=lambda url: _ready(call, desk, url, place.tls, note))
        finally:
            tracked.close()
            desk.close()
        log.say("info", "serve.stopped")  # before the note goes: whoever waits for that finds it told
    _leave()
    return 0


def _begin(call: Call) -> int:
    """The same words, but for --background, as a process of its own."""
    from tessera.doors import background

    args = call.args
    call.settings()
    words = ["--plain-http"] if args.plain_http else []
    for option, given in (("--tls-cert", args.tls_cert), ("--tls-key", args.tls_key)):
        words += [option, str(Path(given).absolute())] if given else []
    words += ["--idle-minutes", f"{args.idle_minutes:g}"] if args.idle_minutes else []
    started = background.start(call.root, words, host=args.host, port=args.port)
    url = started.note.url

    def draw() -> None:
        call.show.line(f"Serving {url}" if started.new else f"{url} is served already.")
        call.show.note(f"The pages open with a link, good once: tessera -w {call.args.workspace or '.'} open")
        call.show.note(f"It tells what happens in {started.log}. To end it: tessera -w {call.args.workspace or '.'} stop")

    document = {"url": url, "pid": started.note.pid, "started": started.new, "log": str(started.log)}
    call.show.answer(document, draw)
    return 0


def _stop(call: Call) -> int:
    from tessera.doors import noted

    ran = noted.stop(call.root / "var", call.args.wait)

    def draw() -> None:
        call.show.line(f"The server at {ran.url} has ended." if ran else "No server runs here.")

    call.show.answer({"stopped": ran is not None, "url": ran.url if ran else None, "pid": ran.pid if ran else None}, draw)
    return 0


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes")
    return minutes


def _leave() -> None:
    """Ends the process here, with all closed and written: in the interpreter's own end DuckDB would list what it still holds,
    behind a log that is JSON lines."""
    import os
    import sys

    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _tls(call: Call, config: Config) -> Tls:
    """The certificate to speak TLS with: the one of the options, of tessera.yaml, or one for localhost that is made here.

    Raises BadInput where there is none for the address.
    """
    import os
    from datetime import UTC, datetime

    from tessera.doors import certificate
    from tessera.doors.http.tls import Tls
    from tessera.doors.limits import loopback
    from tessera.envtext import resolve

    args, told = call.args, config.serve.tls
    if (args.tls_cert is None) != (args.tls_key is None):
        raise BadInput("--tls-cert and --tls-key belong together. Give both, or neither.")
    if args.tls_cert:
        return Tls(Path(args.tls_cert), Path(args.tls_key))
    if told is not None:
        cert, key = (Path(resolve(file, os.environ, config.root)) for file in (told.cert, told.key))
        return Tls(cert, key)
    if not loopback(args.host):
        raise BadInput(
            f"{args.host} can be reached by others, and there is no certificate for it: the one that is made here is for "
            "localhost. Give --tls-cert and --tls-key, or serve.tls in tessera.yaml."
        )

    def local() -> tuple[Path, Path]:
        return certificate.local(config.var / "tls", datetime.now(UTC))

    config.var.mkdir(mode=0o700, parents=True, exist_ok=True)
    cert, key = local()
    return Tls(cert, key, local)


def _ready(call: Call, desk: Desk, url: str, tls: Tls | None, note: Noted) -> None:
    import sys
    from datetime import UTC, datetime

    from tessera.doors import certificate, opening

    with desk.app() as app:
        app.state.put(*opening.AT, url)
    note.listens(url, datetime.now(UTC).isoformat(timespec="seconds"))
    print_ = certificate.fingerprint(tls.cert) if tls else None
    call.show.answer(
        {"url": url, **({"certificate": str(tls.cert), "sha256": print_} if tls else {})},
        lambda: call.show.line(f"Serving {url}"),
    )
    call.show.note("The pages open with a link, good once: tessera open")
    if tls:
        call.show.note(f"The certificate {tls.cert} has the SHA-256 fingerprint {print_}.")
    sys.stdout.flush()
