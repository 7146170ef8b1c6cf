"""How fast what is to be shown is decided: inside the engine, through `POST /v1/decide`, and beside events; and what a person costs.

Run: PYTHONPATH=src python bench/decide.py [--people 1000000] [--seconds 10] [--rate 2000]. One JSON line for each figure. People
are known by a turn (user id, cookie, a few views, a yes); the load comes from a process of its own on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
DECISION = """\
decision: home
purpose: personalise
context: [products_viewed > 1]
candidates:
  - {id: welcome, when: orders = 0 AND days_since(first_seen_at) < 30, show: {title: Welcome}}
  - {id: sale, when: here.page = 'home', product: p7, show: {title: Lamps}}
  - {id: spring, when: products_viewed > 1 AND country IS NULL, show: {title: Spring}}
  - {id: near, recommend: true, most: 10}
fallback: {title: Shop}
outcome: {event: Product Added, within: WITHIN, same_product: true}
cap: {times: 1000, within: WITHIN}
"""


def workspace(root: Path, people: int, views: int = 3, within: str = "1d") -> tuple[str, str]:
    """A workspace that knows so many people and some views of each, with a source at the door and a decision; its write key and
    an API key. within: how long a decision is remembered for its outcome and its cap."""
    from live import SOURCE
    from tessera.app import App
    from tessera.doors.tracked import write_key
    from tessera.lake.engine import connect
    from tessera.scaffold import init
    from tessera.trust.apikeys import ApiKeys

    init(root, user=os.environ.get("USER") or "root")
    web = SOURCE.rstrip() + """
      - {name: product, physicalName: properties.product_id, customProperties: [{property: mapsTo, value: product_id}]}
      - {name: agrees, customProperties: [{property: consent, value: personalise}]}
"""
    (root / "sources" / "web.odcs.yaml").write_text(web)
    known = web.replace("type: api, location: /v1", "type: local, path: in/*.parquet, format: parquet").replace("web", "known")
    (root / "sources" / "known.odcs.yaml").write_text(known.replace("properties.product_id", "product"))
    (root / "decisions").mkdir()
    (root / "decisions" / "home.yaml").write_text(DECISION.replace("WITHIN", within))
    access = root / "access.yaml"
    access.write_text(access.read_text().replace("actors:\n", 'actors:\n  - {name: "key:bench", roles: [owner]}\n', 1))
    (root / "in").mkdir()
    connect().execute(
        f"""COPY (SELECT concat('k', i, '-', j) AS "messageId", 'track' AS type, 'Product Viewed' AS event,
                  printf('user-%08d', i) AS "userId", printf('cookie-%08d', i) AS "anonymousId",
                  strftime(TIMESTAMP '2026-11-01' + INTERVAL (j) MINUTE, '%Y-%m-%dT%H:%M:%SZ') AS timestamp,
                  concat('p', hash(i * 100 + j) % 5000) AS product, 'yes' AS agrees
                  FROM range({people}) t(i), range({views}) u(j)) TO '{root}/in/known.parquet' (FORMAT parquet)"""
    )
    with App(root) as app:
        app.turn()
        key, _ = ApiKeys(app.state, app.clock).new("bench", ("owner",), ("personalise", "operate"), 30)
        return write_key(app.secrets, "web"), key


def inside(root: Path, people: int) -> None:
    """Microseconds of one decision inside the engine, and bytes of what it holds of each person."""
    from live import tell
    from tessera import liveroom
    from tessera.app import App

    with App(root) as app:
        before, started = rss(os.getpid()), time.perf_counter()
        live = liveroom.made(app)
        liveroom.renew(app, live)
        state = live.state
        assert state is not None
        took_s, after = time.perf_counter() - started, rss(os.getpid())
        base = state.people.base.nbytes() + state.index.nbytes()
        tell("the engine begins", seconds=took_s, arrays_bytes_a_person=base / people, rss_bytes_a_person=(after - before) / people)
        decider, took, at = state.points.deciders["home"], list[float](), int(time.time() * 1e6)
        for n in range(20_000):
            key = live.key("user_id", f"user-{n * 37 % people:08}")
            start = time.perf_counter()
            state.decide(decider, key, "", event={}, here={"page": "home"}, event_id=str(n), at=at)
            took.append((time.perf_counter() - start) * 1e6)
        tell("one decision inside", **{f"p{q}_us": float(np.quantile(took, q / 100)) for q in (50, 99)})


def rss(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1]) << 10


def asked(port: int, key: str, people: int, seconds: float, rate: float) -> dict[str, float]:
    """What a process of its own measured."""
    words = [HERE / "decide.py", "--asks", port, key, "--people", people, "--seconds", seconds, "--rate", rate]
    told = subprocess.run([sys.executable, *map(str, words)], check=True, stdout=subprocess.PIPE).stdout
    return dict(json.loads(told))


async def asks(port: int, key: str, people: int, seconds: float, rate: float) -> None:
    """Asks at a rate (0: as fast as is answered) for some seconds, each of somebody else; prints what was answered and when."""
    from load import Connection, Load

    made = []
    for n in range(min(people, 50_000)):
        body = json.dumps({"decision": "home", "userId": f"user-{n * 97 % people:08}", "context": {"page": "home"}}).encode()
        head = f"POST /v1/decide HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        made.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    load, loop = Load(made), asyncio.get_running_loop()
    opened = [(await loop.create_connection(lambda: Connection(load), "127.0.0.1", port))[1] for _ in range(64)]
    started = time.perf_counter()
    if rate:
        load.open, load.idle = True, deque(opened)
        await load.pace(rate, started + seconds)
    else:
        for one in opened:
            one.send(time.perf_counter())
        await asyncio.sleep(seconds)
    load.going = False
    took, answered = time.perf_counter() - started, np.array(load.took) * 1e3
    print(json.dumps({
        "a_second": len(answered) / took, "p50_ms": float(np.quantile(answered, 0.5)), "p99_ms": float(np.quantile(answered, 0.99)),
        "answered": len(answered), "failed": load.failed,
    }))  # fmt: skip
    for one in opened:
        one.transport.abort()


def main() -> None:
    """The whole bench, in order."""
    asking = argparse.ArgumentParser()
    asking.add_argument("--people", type=int, default=1_000_000)
    asking.add_argument("--seconds", type=float, default=10)
    asking.add_argument("--rate", type=float, default=2_000)
    asking.add_argument("--asks", nargs=2, help=argparse.SUPPRESS)
    asking.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = asking.parse_args()
    if args.asks:
        import uvloop

        uvloop.run(asks(int(args.asks[0]), args.asks[1], args.people, args.seconds, args.rate))
        return
    if args.inside:
        inside(args.inside, args.people)
        return
    from live import load, process, tell

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        started = time.perf_counter()
        write, key = workspace(root, args.people)
        tell("made", people=args.people, seconds=time.perf_counter() - started)
        subprocess.run([sys.executable, HERE / "decide.py", "--inside", str(root), "--people", str(args.people)], check=True)
        started = time.perf_counter()
        with process("-m", "tessera", "-w", str(root), "serve", "--plain-http", "--port", "0", "--json") as (port, pid):
            tell("serve starts", seconds=time.perf_counter() - started, rss_mb=rss(pid) / 1e6)
            asked(port, key, args.people, 2, args.rate)
            told: dict[str, Any] = asked(port, key, args.people, args.seconds, args.rate)
            tell(f"decisions at {args.rate:,.0f} a second", **told)
            tell("decisions, as many as are answered", **asked(port, key, args.people, args.seconds, 0))
            load(port, write, 1, 100_000)
            tell("single events, live", **load(port, write, args.seconds, 100_000))
            tell("single events, live, at 1,500 a second", **load(port, write, args.seconds, 100_000, rate=1_500))
            tell("serve holds", rss_mb=rss(pid) / 1e6, rss_bytes_a_person=rss(pid) / args.people)


if __name__ == "__main__":
    main()
