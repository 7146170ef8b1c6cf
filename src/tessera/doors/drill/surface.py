"""The door itself: resources (API4), inventory (API9), TLS, headers, paths, escapes, exports and logs (API8)."""

from __future__ import annotations

import csv
import io
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

from tessera.doors import csvtext
from tessera.doors.drill import corpus
from tessera.doors.drill.report import Trial
from tessera.doors.drill.routes import ROUTES
from tessera.doors.drill.shop import PASSWORD
from tessera.doors.drill.target import Target, Told

WANTED = {
    "content-security-policy": r"default-src 'self'(?!.*unsafe).*frame-ancestors 'none'",
    "strict-transport-security": r"max-age=\d{8,}",
    "x-content-type-options": r"nosniff",
    "x-frame-options": r"DENY",
    "referrer-policy": r"same-origin|no-referrer",
    "cache-control": r".*no-store",
}
MANY = 6_000
STRANGE = ("/docs", "/redoc", "/openapi.json", "/v1", "/v2/health", "/v0/health", "/metric", "/internal", "/v1/debug")
UNWANTED = ("server", "x-powered-by", "access-control-allow-origin", "access-control-allow-credentials")
OUT = re.compile(rb"Traceback|site-packages|\.py\b|root:x:0|sqlite|duckdb\.|/var/", re.I)
"""What no answer may show: stacks, files, engines."""


def resources(target: Target, trial: Trial) -> None:
    """Bodies, pages, rows and time are capped, and bodies come as they are."""
    assert target.shop
    key = target.shop.keys["owner"]
    big = b'{"question": "' + b"x" * (1 << 20) + b'"}'
    told = target.ask("POST", "/v1/sql", big, key=key)
    trial.that(told.status == 413, f"a body of 1 MiB is answered {told.status}")
    packed = target.ask("POST", "/v1/sql", b"\x1f\x8b\x08", key=key, headers={"Content-Encoding": "gzip"})
    trial.that(packed.status == 415, f"a packed body is answered {packed.status}")
    for limit in ("0", "-1", "100000", "1e9", "x", ""):
        told = target.ask("GET", f"/v1/ledger?limit={limit}", key=key)
        trial.that(told.status == 422, f"limit={limit} is answered {told.status}")
    cross = ", ".join(f"profiles p{i}" for i in range(6))
    told = target.ask("POST", "/v1/sql", {"question": f"SELECT p0.person_id FROM {cross}", "purpose": "operate"}, key=key)
    trial.that(told.status == 422, f"an answer of 46,656 rows is answered {told.status}")
    cross, added = ", ".join(f"profiles p{i}" for i in range(14)), " + ".join(f"p{i}.person_id" for i in range(14))
    question = {"question": f"SELECT count(*) FROM {cross} WHERE ({added}) % 7 = 3", "purpose": "operate"}
    told = target.ask("POST", "/v1/sql", question, key=key)
    trial.that(told.status == 422, f"a question of 78 milliard rows is answered {told.status}")
    deep = {"question": "SELECT " + "(" * 5000 + "1" + ")" * 5000, "purpose": "operate"}
    told = target.ask("POST", "/v1/sql", deep, key=key)
    trial.that(400 <= told.status < 500, f"a question nested 5,000 deep is answered {told.status}")


def rates(target: Target, trial: Trial) -> None:
    """Whoever asks without a pause is told to wait, and until when."""
    assert target.shop
    many: list[Told] = []

    def hammer() -> None:
        own = replace(target)
        while len(many) < MANY and not any(t.status == 429 for t in many):
            many.append(own.ask("GET", "/v1/health", patient=False))
        own.close()

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    slowed = [t for t in many if t.status == 429]
    trial.that(bool(slowed), f"{len(many):,} requests without a pause are all answered")
    trial.that(all(t.headers.get("retry-after", "").isdecimal() for t in slowed), "a 429 does not say when to come again")


def headers(target: Target, trial: Trial) -> None:
    """Every answer, also of an error, carries our headers, and names no software."""
    asked = ("GET /v1/health", "GET /nothing", "GET /v1/ledger", "POST /v1/sql", "PUT /v1/sql")
    for method, path in (one.split(" ") for one in asked):
        told = target.ask(method, path, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
        for name, pattern in WANTED.items():
            good = bool(re.match(pattern, told.headers.get(name, "")))
            trial.that(good, f"{path} ({told.status}): {name} is missing or weak")
        for name in UNWANTED:
            trial.that(name not in told.headers, f"{path} ({told.status}): {name} is there")
        for cookie in [v for k, v in told.headers.items() if k == "set-cookie"]:
            closed = all(w in cookie.lower() for w in ("httponly", "secure", "samesite=strict"))
            trial.that(closed, f"{path}: a cookie without HttpOnly, Secure or SameSite=Strict")
    told = target.ask(
        "OPTIONS", "/v1/sql", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    trial.that(told.status in (404, 405), f"a preflight of another site is answered {told.status}")
    told = target.ask("GET", "/v1/health", headers={"Host": "evil.example"})
    trial.that(told.status == 421, f"another Host is answered {told.status}: a rebound name could read")
    told = target.ask("TRACE", "/v1/health")
    trial.that(told.status in (404, 405), f"TRACE is answered {told.status}")


def tls(target: Target, trial: Trial) -> None:
    """TLS 1.3, and nothing older, with a certificate that the caller trusts."""
    if not target.tls:
        trial.that(target.host in ("127.0.0.1", "localhost", "::1"), "no TLS where others can reach it")
        return
    for version, wanted in ((ssl.TLSVersion.TLSv1_2, False), (ssl.TLSVersion.TLSv1_3, True)):
        context = target.context()
        context.minimum_version = context.maximum_version = version
        trial.that(_greets(target, context) is wanted, f"{version.name} is {'taken' if not wanted else 'refused'}")


def paths(target: Target, trial: Trial) -> None:
    """Nothing lies beside our routes, however the path is written."""
    for path in corpus.PATHS:
        head = f"GET {path} HTTP/1.1\r\nHost: {target.authority}\r\nConnection: close\r\n\r\n"
        for _ in range(40):
            told = target.raw(head.encode("utf-8"))
            status = told.split(b" ", 2)[1:2]
            if status != [b"429"]:
                break
        trial.that(status in ([b"404"], [b"400"]), f"a path trick is answered {b''.join(status).decode(errors='replace')}")
        trial.that(not OUT.search(told), "a path trick shows what is inside")


def escapes(target: Target, trial: Trial) -> None:
    """No question leads out of the gated tables, whoever asks; the refusal shows nothing of what is inside."""
    assert target.shop
    for role in ("owner", "analyst"):
        purpose = "operate" if role == "owner" else "analytics"
        for question in corpus.QUESTIONS:
            told = target.ask("POST", "/v1/sql", {"question": question, "purpose": purpose}, key=target.shop.keys[role])
            trial.that(told.status in (400, 403, 404), f"{role}: an escape is answered {told.status}: {question[:40]}")
            trial.that(not re.search(rb"root:x:0|PATH=|tessera_", told.body), f"{role}: an escape shows what is inside")


def inventory(target: Target, trial: Trial) -> None:
    """What lives is in OpenAPI, what is in OpenAPI lives, and the drill knows each route."""
    told = target.ask("GET", "/v1/openapi.json").json() or {}
    listed = {(m, path) for path, at in told.get("paths", {}).items() for m in at}
    known = {(r.method, r.path) for r in ROUTES}
    for method, path in sorted(listed ^ known):
        where = "OpenAPI" if (method, path) in listed else "the drill's list"
        trial.that(False, f"{method.upper()} {path} is in {where} only")
    for _, path in sorted(listed):
        probe = re.sub(r"\{\w+\}", "1", path)
        for other in ("get", "post", "put", "patch", "delete"):
            told_ = target.ask(other.upper(), probe, b"" if other != "get" else None)
            if (other, path) not in listed and not _another(other, probe, listed):
                lives = f"{other.upper()} {path} lives ({told_.status}) and is not in OpenAPI"
                trial.that(told_.status in (404, 405), lives)
    for path in STRANGE:
        status = target.ask("GET", path).status
        trial.that(status in (404, 405), f"{path} lives ({status}) and is not in OpenAPI")


def exports(target: Target, trial: Trial) -> None:
    """A cell that a spreadsheet would compute is text in our CSV."""
    for text in corpus.CELLS:
        (row,) = csv.reader(io.StringIO(_line(csvtext.cell(text)), newline=""))
        trial.that(row[0].startswith("'"), f"a cell that begins with {text[:1]!r} is written as a formula")
    assert target.shop
    question = "SELECT '=1+1' AS \"@x\""
    words = ["-w", str(target.shop.root), "sql", question, "--role", "owner", "--purpose", "operate", "--format", "csv", "-q"]
    done = subprocess.run([sys.executable, "-m", "tessera", *words], capture_output=True, text=True, timeout=120, check=False)
    trial.that(done.stdout == "'@x\n'=1+1\n", "`tessera sql --format csv` writes a formula, or does not run")


def logs(target: Target, trial: Trial) -> None:
    """No key, password, token or person's value in what the server wrote, also after requests that fail."""
    assert target.shop
    person, key = target.shop.people[0], target.shop.keys["owner"]
    for path in (f"/v1/{person.email}", f"/v1/persons/{person.id}?purpose=operate", f"/v1/ledger?key={key}"):
        target.ask("GET", path, key=key)
    wrong = {"question": f"SELECT * FROM profiles WHERE name = '{person.name}' AND 1/'x'", "purpose": "operate"}
    target.ask("POST", "/v1/sql", wrong, key=key)
    target.ask("POST", "/v1/persons/find", {"identifier": person.email, "purpose": "operate"}, key=key)
    secret = [k[-43:] for k in target.shop.keys.values()] + [PASSWORD]
    secret += [v for p in target.shop.people for f, v in p.values().items() if f != "tier"] + [p.id for p in target.shop.people]
    for where, text in _written(target):
        for word in secret:
            trial.that(word.encode() not in text, f"{where} holds a secret or a person's value")


def _written(target: Target) -> Iterator[tuple[str, bytes]]:
    assert target.shop
    var = target.shop.root / "var"
    for path in [*target.said, *sorted((var / "log").glob("*")), var / "ledger" / "log.jsonl"]:
        yield path.name, path.read_bytes() if path.exists() else b""


def _greets(target: Target, context: ssl.SSLContext) -> bool:
    try:
        with (
            socket.create_connection((target.host, target.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as to,
        ):
            to.sendall(f"GET /v1/health HTTP/1.1\r\nHost: {target.authority}\r\nConnection: close\r\n\r\n".encode())
            return to.recv(12).startswith(b"HTTP/1.")
    except OSError:
        return False


def _another(method: str, probe: str, listed: set[tuple[str, str]]) -> bool:
    """Whether a route with a parameter takes that path with that method."""
    return any(m == method and re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", p), probe) for m, p in listed)


def _line(text: object) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([text])
    return out.getvalue()
