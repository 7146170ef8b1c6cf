"""What we ask of others at somebody's word: addresses that lead inside (API7), answers that lead on or flood (API10)."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial

from tessera import outward
from tessera.doors.drill import corpus
from tessera.doors.drill.report import Trial
from tessera.doors.drill.target import Target
from tessera.errors import BadUrl

PUBLIC = "93.184.215.14"


def addresses(target: Target, trial: Trial) -> None:
    """Every form of an address inside, as it is and behind a name, is refused for webhooks and for sources."""
    for host in corpus.INSIDE:
        for url in (f"http://{host}/hook", f"https://{host}:8443/hook"):
            trial.that(_refused(url, _by_system), f"a form of an inner address is taken: {host!a}")
    for url in corpus.SCHEMES:
        trial.that(_refused(url, lambda _: [PUBLIC]), f"a URL that is none of the web's is taken: {url!a}")
    for inner in corpus.NAMED:
        for found in ([inner], [PUBLIC, inner]):
            trial.that(_refused("https://a.example.org/", partial(_as_told, found)), f"a name that leads to {inner} is taken")
    for host in ("169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "[64:ff9b::a9fe:a9fe]", "0.0.0.0", "224.0.0.1"):
        try:
            outward.address_of(host, own_network=True)
            trial.that(False, f"a database at {host} is connected to")
        except BadUrl:
            trial.that(True, "")
    trial.that(not _refused("https://hook.example.org/x", lambda _: [PUBLIC]), "an address of the web is refused")


def answers(target: Target, trial: Trial) -> None:
    """A real server on this machine that redirects inside and floods: no redirect is followed, no flood is read."""
    with _trap() as trap:
        for path, says in (("/away", "redirect"), ("/flood", "more than")):
            made = outward.Target(
                scheme="http", host="hook.example.org", port=trap.server_port, address="127.0.0.1", path=path
            )
            try:
                outward.post(made, b"{}", {}, timeout_s=5)
                trial.that(False, f"an answer with {says} is taken")
            except BadUrl as no:
                trial.that(says in str(no), f"an answer with {says} is refused for another reason")
        trial.that("/inside" not in trap.seen, "a redirect was followed")


class _Trap(http.server.ThreadingHTTPServer):
    seen: list[str]


class _Traps(http.server.BaseHTTPRequestHandler):
    server: _Trap

    def do_POST(self) -> None:
        self.server.seen.append(self.path)
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(307 if self.path == "/away" else 200)
        self.send_header("location", "/inside")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"x" * (1 << 20 if self.path == "/flood" else 1))

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def _trap() -> Iterator[_Trap]:
    with _Trap(("127.0.0.1", 0), _Traps) as up:
        up.seen = []
        threading.Thread(target=up.serve_forever, daemon=True).start()
        try:
            yield up
        finally:
            up.shutdown()


def _refused(url: str, resolve: outward.Resolve) -> bool:
    try:
        outward.checked(url, resolve=resolve)
    except BadUrl:
        return True
    return False


def _as_told(found: list[str], name: str) -> list[str]:
    return found


def _by_system(name: str) -> list[str]:
    """What a machine itself resolves; asked of no server."""
    return ["127.0.0.1"] if name.lower().startswith(("localhost", "ip6-")) else [PUBLIC]
