"""How fast the tracking door is: durable events a second through a real `tessera serve`, against a bare uvicorn echo.

Run: PYTHONPATH=src python bench/live.py [--runs 3] [--seconds 8] [--people 100000]. One JSON line for each figure. The load
comes from a process of its own (bench/load.py) on the same machine: bodies of so many people, a tenth of them with a cookie that
was never seen. The echo answers the same bodies on the same server settings, and does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEEDS = itertools.count(1)
"""Each load has message ids of its own: what the door has seen before it need not keep."""

SOURCE = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:bench:web
name: web
version: 1.0.0
status: active
servers:
  - {server: local, type: api, location: /v1}
customProperties:
  - {property: record, value: event}
  - {property: sync, value: append}
schema:
  - name: web
    properties:
      - {name: messageId, required: true, unique: true, customProperties: [{property: mapsTo, value: message_id}, {property: category, value: user.unique_id.pseudonymous}]}
      - {name: type, required: true, customProperties: [{property: mapsTo, value: type}, {property: category, value: user.behavior}]}
      - {name: event, customProperties: [{property: mapsTo, value: event}, {property: category, value: user.behavior}]}
      - {name: userId, customProperties: [{property: identifier, value: user_id}]}
      - {name: anonymousId, customProperties: [{property: identifier, value: anonymous_id}]}
      - {name: timestamp, logicalType: timestamp, required: true, customProperties: [{property: mapsTo, value: occurred_at}, {property: category, value: user.behavior}]}
"""


def workspace(root: Path) -> str:
    """A new workspace with one source at the door; its write key."""
    from tessera.app import App
    from tessera.doors.tracked import write_key
    from tessera.scaffold import init

    init(root, user=os.environ.get("USER", "bench"))
    (root / "sources" / "web.odcs.yaml").write_text(SOURCE)
    with App(root) as app:
        return write_key(app.secrets, "web")


@contextmanager
def process(*words: str) -> Iterator[tuple[int, int]]:
    """A server as a process of its own: its port, its id. It prints its address as JSON."""
    made = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        text = ""
        while not text.endswith("}\n"):
            line = made.stdout.readline().decode() if made.stdout else ""
            if not line:
                raise SystemExit("the server did not start")
            text += line
        yield int(json.loads(text)["url"].rpartition(":")[2]), made.pid
    finally:
        made.send_signal(signal.SIGTERM)
        made.wait(60)


def echo() -> None:
    """The yardstick: a server that answers a body with itself, as `serve` is set up otherwise."""
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}), flush=True)
    config = uvicorn.Config(app, http="httptools", loop="uvloop", ws="none", lifespan="off", access_log=False, log_config=None)
    uvicorn.Server(config).run(sockets=[listening])


def load(
    port: int, key: str, seconds: float, people: int, *, rate: float = 0, batch: int = 1, connections: int = 64,
    new: float = 0.1,
) -> dict[str, float]:
    """What bench/load.py measured."""
    words = [HERE / "load.py", port, key, seconds, "--people", people, "--rate", rate, "--batch", batch]
    words += ["--connections", connections, "--seed", next(SEEDS), "--new", new]
    told = subprocess.run([sys.executable, *map(str, words)], check=True, stdout=subprocess.PIPE).stdout
    return dict(json.loads(told))


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tell(what: str, **figures: float) -> None:
    """Prints a line."""
    print(json.dumps({"what": what, **{k: round(v, 2) for k, v in figures.items()}}), flush=True)


class Peer:
    """Stands for the transport of a connection: its next request, and the future of the answer."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def asked(self, body: bytes) -> asyncio.Future[None]:
        """Sends a request of three headers."""
        self.done = asyncio.get_running_loop().create_future()
        head = b"POST /v1/track HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.protocol.data_received(head % len(body) + body)
        return self.done

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: bytes) -> None:
        self.done.set_result(None)

    def is_closing(self) -> bool:
        return False


def wires(collector: Any, many: int) -> list[Peer]:
    """Connections to a collector as `serve` has them, without sockets."""
    import uvicorn
    from uvicorn.server import ServerState

    from tessera.doors.collect import POSTED
    from tessera.doors.http.wire import Wire
    from tessera.doors.policy import Asked

    class App:
        posted = POSTED

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await collector(scope, receive, send)

        async def post(self, kind: str, address: str, headers: Any, data: bytes) -> Any:
            return await collector.post(kind, Asked(address, headers), data)

    config = uvicorn.Config(App(), http=Wire, ws="none", lifespan="off", log_config=None, proxy_headers=False)
    config.load()
    made = [Peer() for _ in range(many)]
    for peer in made:
        peer.protocol = Wire(config, ServerState(), {}, asyncio.get_running_loop())
        peer.protocol.connection_made(peer)
    return made


def stages(root: Path) -> None:
    """Microseconds of CPU for each stage of one event, alone and in a group of as many as come together under load."""
    import uvloop

    from load import bodies
    from tessera.config import Contract
    from tessera.data import tracking
    from tessera.data.message_ids import Hashes
    from tessera.data.sources import door
    from tessera.doors.collect import Collector, DoorLimits, SourceDoor
    from tessera.doors.grouped import GroupCommit
    from tessera.doors.limits import Rate
    from tessera.doors.policy import Asked, Policy
    from tessera.doors.seen import Seen
    from tessera.lake.journal import Journal
    from tessera.trust.secrets import Secrets

    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # as `serve` sets them
    now, some = datetime.now(UTC), bodies(10_000, 1, "k")
    contract = Contract(name="web", file=Path(), kind="http", record="event", fields=())
    decoded = [tracking._decoded(b) for b in some]
    read = [tracking.read(b, "track", now) for b in some]
    lines = [line for body in read for line in door.lines_of(body)]
    groups = [lines[at : at + 40] for at in range(0, len(lines), 40)]
    seal = door.Sealed(Secrets(os.urandom(32)), "web")

    async def nothing_written(http: bool) -> None:
        often = Rate(burst=1 << 40, every_s=1e-9)
        rules = Policy(contract, Hashes(b"key"), seen=Seen(contract.door.dedupe_hours))
        source = SourceDoor(name="web", lines=door.lines_of, group=GroupCommit(lambda _: 1), policy=rules)
        collector = Collector({"k": source}, lambda: now, DoorLimits(address=often, key=often))
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        peers = wires(collector, 40) if http else []
        for at in range(0, len(some), 40):
            if http:
                waits = [peer.asked(body) for peer, body in zip(peers, some[at : at + 40], strict=True)]
            else:
                waits = [collector.post("track", Asked("127.0.0.1", dict(headers)), body) for body in some[at : at + 40]]
            await asyncio.gather(*waits)

    def timed(name: str, act: Callable[[], object], clock: Callable[[], float] = time.process_time) -> None:
        took = []
        for _ in range(5):
            start = clock()
            act()
            took.append((clock() - start) / len(some) * 1e6)
        tell(f"stage: {name}", us_best=min(took), us_median=statistics.median(took))

    timed("decode", lambda: [tracking._decoded(b) for b in some])
    timed("plain (ids, nulls, times, what is no event)", lambda: [tracking.plain(e, {}, now) for e in decoded])
    timed("decode and plain, as tracking.read", lambda: [tracking.read(b, "track", now) for b in some])
    timed("line (the event as JSON)", lambda: [door.lines_of(b) for b in read])
    timed("seal, in groups of 40", lambda: [seal.seal(b"\n".join(g), b"") for g in groups])
    timed("the collector whole, without HTTP and disk", lambda: uvloop.run(nothing_written(http=False)))
    timed("HTTP and the collector, without sockets and disk", lambda: uvloop.run(nothing_written(http=True)))
    journal = Journal(root / "var" / "journal" / "bench", seal)
    try:
        timed("seal, write and fsync in groups of 40, wall", lambda: [journal.append(g) for g in groups], time.perf_counter)
    finally:
        journal.close()


def main() -> None:
    """The whole bench, in order."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--seconds", type=float, default=8)
    asked.add_argument("--people", type=int, default=100_000)
    asked.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    args = asked.parse_args()
    if args.echo:
        echo()
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        key = workspace(root)
        stages(root)
        many: dict[str, list[float]] = {"single": [], "bare": [], "share": [], "batches": []}
        for run in range(args.runs):
            with process(str(HERE / "live.py"), "--echo") as (port, pid):
                bare, used = load(port, key, args.seconds, args.people), cpu_s(pid)
                tell(f"run {run}: bare echo", **bare, cpu_us=used / bare["answered"] * 1e6)
            with process("-m", "tessera", "-w", str(root), "serve", "--plain-http", "--port", "0", "--json") as (port, pid):
                load(port, key, 1, args.people)
                before = cpu_s(pid)
                single = load(port, key, args.seconds, args.people)
                tell(f"run {run}: single events", **single, cpu_us=(cpu_s(pid) - before) / single["answered"] * 1e6)
                half = load(port, key, args.seconds, args.people, rate=single["a_second"] / 2)
                tell(f"run {run}: half of that", **half)
                goal = load(port, key, args.seconds, args.people, rate=3_000)
                tell(f"run {run}: half of the goal, 3,000 a second", **goal)
                before = cpu_s(pid)
                batches = load(port, key, args.seconds, args.people, batch=100, connections=16)
                used = (cpu_s(pid) - before) / batches["answered"] / 100
                tell(f"run {run}: batches of 100", **batches, events_a_second=batches["a_second"] * 100, cpu_us_an_event=used * 1e6)
            many["single"].append(single["a_second"])
            many["bare"].append(bare["a_second"])
            many["share"].append(single["a_second"] / bare["a_second"])
            many["batches"].append(batches["a_second"] * 100)
        for name, found in many.items():
            tell(f"all runs: {name}", best=max(found), median=statistics.median(found))


if __name__ == "__main__":
    main()
