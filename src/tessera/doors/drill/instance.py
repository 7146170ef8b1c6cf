"""The drill's own instance: `tessera serve` as a process, with TLS, over a throw-away workspace; nothing of it is left."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tessera.doors.certificate import self_signed
from tessera.doors.drill import shop
from tessera.doors.drill.target import Target
from tessera.errors import BadInput

START_S = 60.0


@contextmanager
def own() -> Iterator[Target]:
    """A target of our own, for the time of a `with`. Raises BadInput if the server does not start."""
    with tempfile.TemporaryDirectory(prefix="tessera-drill-") as text:
        folder = Path(text)
        made = shop.make(folder / "shop")
        cert, key = self_signed(folder, days=1)
        out, err = folder / "out", folder / "err"
        words = ["-w", str(made.root), "serve", "--port", "0", "--tls-cert", str(cert), "--tls-key", str(key), "--json"]
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen([sys.executable, "-m", "tessera", *words], stdout=to_out, stderr=to_err)
        try:
            port = _port(process, out)
            yield Target(url=f"https://localhost:{port}", shop=made, cert=cert, said=[out, err])
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[bytes], out: Path) -> int:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return int(json.loads(out.read_text("utf-8"))["url"].rpartition(":")[2])
        except (ValueError, KeyError):
            time.sleep(0.05)
    raise BadInput("The drill's own server did not start. Try: tessera doctor")
