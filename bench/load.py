"""The load of bench/live.py: one process, keep-alive connections, bodies made beforehand; prints what was answered and when.

Closed (each connection sends the next when it is answered), or at a rate: then each request has its moment, and what it takes is
counted from that moment, also where it had to wait for a connection (no coordinated omission).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import deque

import numpy as np
import uvloop


def bodies(people: int, batch: int, key: str, seed: int = 1, new: float = 0.1) -> list[bytes]:
    """One event of each person (~0.9 KB, as analytics-next sends them), in batches; a share with a new cookie of its own."""
    drawn, made = random.Random(seed), list[str]()
    for n in range(people):
        cookie = f"{drawn.getrandbits(128):032x}" if drawn.random() < new else f"cookie-{n:08}"
        product = drawn.randrange(5_000)
        at = f"2026-03-01T{n % 24:02}:{n % 60:02}:{n % 59:02}.{n % 1000:03}Z"
        made.append(json.dumps({
            "type": "track", "event": "Product Viewed", "userId": f"user-{n:08}", "anonymousId": cookie,
            "messageId": f"{drawn.getrandbits(128):032x}", "timestamp": at, "sentAt": at,
            "properties": {"product_id": f"p{product}", "name": "Lamp", "price": product / 10, "currency": "EUR", "category": "home",
                           "url": f"https://shop.example/p/{product}"},
            "context": {"library": {"name": "analytics.js", "version": "npm:next-1.84.3"}, "locale": "de-DE", "timezone": "Europe/Berlin",
                        "page": {"path": f"/p/{product}", "referrer": "https://search.example/", "title": "Lamp",
                                 "url": f"https://shop.example/p/{product}"},
                        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
                        "campaign": {"source": "news", "medium": "email", "name": "autumn"}},
            "integrations": {}, **({"writeKey": key} if batch == 1 else {}),
        }, separators=(",", ":")))  # fmt: skip
    if batch == 1:
        return [text.encode() for text in made]
    told = f'"sentAt":"2026-03-01T12:00:00.000Z","writeKey":"{key}"'
    return [f'{{"batch":[{",".join(made[at : at + batch])}],{told}}}'.encode() for at in range(0, len(made) - batch + 1, batch)]


class Load:
    """Who sends: `took` in seconds for each answer of 200; `failed`: other answers."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests, self.at = requests, 0
        self.took: list[float] = []
        self.failed = 0
        self.going, self.due = True, deque[float]()
        self.idle = deque[Connection]()
        self.open = False

    def next(self) -> bytes:
        self.at += 1
        return self.requests[self.at % len(self.requests)]

    def free(self, connection: Connection) -> None:
        """A connection that is answered sends the next, where there is one."""
        if not self.going:
            return
        if not self.open:
            connection.send(time.perf_counter())
        elif self.due:
            connection.send(self.due.popleft())
        else:
            self.idle.append(connection)

    async def pace(self, rate: float, until: float) -> None:
        """Lets requests become due, evenly."""
        due = time.perf_counter()
        while due < until:
            now = time.perf_counter()
            while due <= now:
                self.due.append(due)
                due += 1 / rate
            while self.idle and self.due:
                self.idle.popleft().send(self.due.popleft())
            await asyncio.sleep(0.001)  # less is none to uvloop, and a load that spins takes the core that the server needs


class Connection(asyncio.Protocol):
    """One connection; an answer is read as far as its head and the length that it tells."""

    def __init__(self, load: Load) -> None:
        self.load, self.since, self.got = load, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def send(self, since: float) -> None:
        self.since = since
        self.transport.write(self.load.next())

    def data_received(self, data: bytes) -> None:
        self.got = self.got + data if self.got else data
        end = self.got.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.got.find(b"content-length: ")
        if len(self.got) < end + 4 + int(self.got[at + 16 : self.got.find(b"\r", at)]):
            return
        if self.got.startswith(b"HTTP/1.1 200"):
            self.load.took.append(time.perf_counter() - self.since)
        else:
            self.load.failed += 1
        self.got = b""
        self.load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.failed += self.load.going


async def main() -> None:
    """Sends for some seconds."""
    asked = argparse.ArgumentParser()
    asked.add_argument("port", type=int)
    asked.add_argument("key")
    asked.add_argument("seconds", type=float)
    asked.add_argument("--people", type=int, default=100_000)
    asked.add_argument("--rate", type=float, default=0, help="requests a second; 0: as many as are answered")
    asked.add_argument("--batch", type=int, default=1)
    asked.add_argument("--connections", type=int, default=64)
    asked.add_argument("--new", type=float, default=0.1, help="the share of events with a cookie that was never seen")
    asked.add_argument("--seed", type=int, default=1, help="other message ids for another seed")
    args = asked.parse_args()
    path = "/v1/track" if args.batch == 1 else "/v1/batch"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{args.port}\r\nContent-Type: application/json\r\nContent-Length: "
    made = [f"{head}{len(b)}\r\n\r\n".encode() + b for b in bodies(args.people, args.batch, args.key, args.seed, args.new)]
    load, loop = Load(made), asyncio.get_running_loop()
    opened = [(await loop.create_connection(lambda: Connection(load), "127.0.0.1", args.port))[1] for _ in range(args.connections)]
    started, cpu = time.perf_counter(), time.process_time()
    if args.rate:
        load.open, load.idle = True, deque(opened)
        await load.pace(args.rate, started + args.seconds)
    else:
        for one in opened:
            one.send(time.perf_counter())
        await asyncio.sleep(args.seconds)
    load.going = False
    took_s, answered = time.perf_counter() - started, np.array(load.took) * 1e3
    print(json.dumps({
        "a_second": len(answered) / took_s, "p50_ms": float(np.quantile(answered, 0.5)), "p99_ms": float(np.quantile(answered, 0.99)),
        "answered": len(answered), "failed": load.failed, "load_cpu_share": (time.process_time() - cpu) / took_s,
    }))  # fmt: skip
    for one in opened:
        one.transport.abort()


if __name__ == "__main__":
    uvloop.run(main())
