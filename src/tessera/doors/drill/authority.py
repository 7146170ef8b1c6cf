"""Who may do what to whom: objects (API1), authentication (API2), properties (API3), functions (API5)."""

from __future__ import annotations

import secrets
import time
from statistics import median

from tessera.doors.drill.report import Trial
from tessera.doors.drill.routes import ROUTES
from tessera.doors.drill.shop import CLEAR, FUNCTIONS, PURPOSE
from tessera.doors.drill.target import Target, Told

NOBODY = 9_000_001


def objects(target: Target, trial: Trial) -> None:
    """Every route about a person x role x person: hers to see or as if she were not there."""
    assert target.shop
    for route in (r for r in ROUTES if r.about):
        for role, key in target.shop.keys.items():
            if not route.free(role):
                continue
            nobody = target.ask(*_filled(route.filled(role, NOBODY)), key=key)
            trial.that(nobody.status == 404, f"{role} {route.path}: a number of nobody is answered {nobody.status}")
            for person in target.shop.people:
                told = target.ask(*_filled(route.filled(role, person.number)), key=key)
                if person.seen_by(role):
                    trial.that(told.status == 200, f"{role} {route.path}: somebody she may see is answered {told.status}")
                    continue
                alike = _without(told.body, person.number) == _without(nobody.body, NOBODY)
                trial.that(
                    told.status == 404 and alike, f"{role} {route.path}: somebody she may not see is answered {told.status}"
                )


def questions(target: Target, trial: Trial) -> None:
    """SQL and look-ups x role x person: nobody's row or number whom the role may not see."""
    assert target.shop
    for role, key in target.shop.keys.items():
        if "sql" in FUNCTIONS[role]:
            asked = {"question": "SELECT person_id FROM profiles", "purpose": PURPOSE[role]}
            told = target.ask("POST", "/v1/sql", asked, key=key)
            found = {r[0] for r in (told.json() or {}).get("rows", [])}
            seen = {p.number for p in target.shop.people if p.seen_by(role)}
            says = f"{role}: SQL shows {len(found)} people, {len(seen)} are hers to see"
            trial.that(told.status == 200 and found == seen, says)
        if "find" in FUNCTIONS[role]:
            for person in target.shop.people:
                told = target.ask(
                    "POST", "/v1/persons/find", {"identifier": person.email, "purpose": PURPOSE[role]}, key=key
                )
                wanted = [person.number] if person.seen_by(role) and "email" in CLEAR[role] else []
                trial.that((told.json() or {}).get("persons") == wanted, f"{role}: a look-up finds whom she may not see")


def functions(target: Target, trial: Trial) -> None:
    """Every route of OpenAPI x every role, and without any key: answered to whom it is given, 403 or 401 to all others."""
    assert target.shop
    listed = {(m, path) for path, at in _paths(target).items() for m in at}
    known = {(r.method, r.path): r for r in ROUTES}
    for strange in sorted(listed - set(known)):
        trial.that(False, f"{strange[0].upper()} {strange[1]} is in OpenAPI, and the drill does not know whose it is")
    for name, route in known.items():
        if name not in listed:
            continue
        for role, key in {**target.shop.keys, "": ""}.items():
            method, path, body = route.filled(role, target.shop.people[0].number)
            if route.whose == "browser":
                continue
            told = target.ask(method.upper(), path, body, key=key)
            if route.free(role):
                says = f"{role or 'nobody'}: {method} {route.path} is answered {told.status}"
                trial.that(told.status in (200, 202, 404), says)
            else:
                wanted = 403 if role and route.whose not in ("customer", "write key") else 401
                if role and route.whose == "session":
                    wanted = 200
                trial.that(
                    told.status == wanted,
                    f"{role or 'nobody'}: {method} {route.path} is answered {told.status}, and is not given to that role",
                )


def properties(target: Target, trial: Trial) -> None:
    """Answers hold no personal value that the role may not see in clear, and requests no field that nobody declared."""
    assert target.shop
    values = {(p.number, f): v.encode() for p in target.shop.people for f, v in p.values().items()}
    for role, key in target.shop.keys.items():
        bodies: list[Told] = []
        for person in (p for p in target.shop.people if p.seen_by(role)):
            bodies += [
                target.ask(*_filled(r.filled(role, person.number)), key=key) for r in ROUTES if r.about and r.free(role)
            ]
        if "sql" in FUNCTIONS[role]:
            for table in ("profiles", "records", "consents"):
                asked = {"question": f"SELECT * FROM {table}", "purpose": PURPOSE[role]}
                bodies.append(target.ask("POST", "/v1/sql", asked, key=key))
        whole = b"\n".join(b.body for b in bodies)
        people = {p.number: p for p in target.shop.people}
        for (number, field), value in values.items():
            may = people[number].seen_by(role) and field in CLEAR[role]
            trial.that(may or value not in whole, f"{role}: a {field} that she may not see is in an answer")
    owner = target.shop.keys["owner"]
    for route in ROUTES:
        method, path, body = route.filled("owner", target.shop.people[0].number)
        if isinstance(body, dict) and route.whose not in ("browser", "customer", "write key", "pages"):
            told = target.ask(method.upper(), path, {**body, "is_admin": True}, key=owner)
            trial.that(told.status == 422, f"{path}: an unknown field is answered {told.status}")
        elif route.whose not in ("browser", "pages"):
            told = target.ask(method.upper(), path + ("&" if "?" in path else "?") + "is_admin=1", body, key=owner)
            trial.that(told.status in (400, 401), f"{path}: an unknown parameter is answered {told.status}")


def credentials(target: Target, trial: Trial) -> None:
    """No key, a wrong one, one that is cut, in another's name: 401, and one answer for all of them."""
    assert target.shop
    good = target.shop.keys["owner"]
    head, secret = good[:-44], good[-43:]
    other = target.shop.keys["sales"][:-43]
    wrong = [
        "", "x", good[:-1], good + "x", good[:-43] + secrets.token_urlsafe(32), other + secret, head, secret, good.upper(),
        good.replace("tessera_", "Tessera_"), "null", "undefined", "' OR 1=1 --", "tessera_" + "0" * 12 + "_" + "A" * 43,
    ]  # fmt: skip
    bodies = set()
    for text in wrong:
        told = target.ask("GET", "/v1/ledger", headers={"Authorization": f"Bearer {text}"})
        trial.that(told.status == 401, f"a wrong key is answered {told.status}")
        bodies.add(told.body)
    told = target.ask("GET", f"/v1/ledger?key={good}")
    trial.that(told.status in (400, 401), "a key is taken from the address, where logs would have it")
    for scheme in ("Basic", "Token", "Digest"):
        told = target.ask("GET", "/v1/ledger", headers={"Authorization": f"{scheme} {good}"})
        trial.that(told.status == 401, f"a key is taken under the scheme {scheme}")
        bodies.add(told.body)
    trial.that(len(bodies) == 1, "wrong credentials are told apart by their answers")
    trial.that(len(good) - len("tessera__") - 12 == 43, "a key has fewer than 256 bits")
    stored = (target.shop.root / "var" / "state.db").read_bytes() + _wal(target)
    trial.that(all(k[-43:].encode() not in stored for k in target.shop.keys.values()), "a key lies in clear in var/state.db")


def guessing(target: Target, trial: Trial) -> None:
    """Whoever tries one key after the other is told to wait, and a wrong key costs the server next to nothing."""
    assert target.shop
    spent, statuses = [], []
    for _ in range(60):
        started = time.monotonic()
        text = f"tessera_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
        told = target.ask("GET", "/v1/ledger", headers={"Authorization": f"Bearer {text}"}, patient=False)
        spent.append(time.monotonic() - started)
        statuses.append(told.status)
        if told.status == 429:
            trial.that("retry-after" in told.headers, "a 429 does not say when to come again")
            break
    trial.that(429 in statuses, "60 wrong keys in a row are all answered")
    trial.that(median(spent) < 0.5, f"a wrong key takes {median(spent):.2f} s of the server")


def _without(body: bytes, number: int) -> bytes:
    return body.replace(str(number).encode(), b"N")


def _filled(request: tuple[str, str, object]) -> tuple[str, str, object]:
    return request[0].upper(), request[1], request[2]


def _paths(target: Target) -> dict[str, dict[str, object]]:
    told = target.ask("GET", "/v1/openapi.json").json()
    found: dict[str, dict[str, object]] = told["paths"] if told else {}
    return found


def _wal(target: Target) -> bytes:
    assert target.shop
    wal = target.shop.root / "var" / "state.db-wal"
    return wal.read_bytes() if wal.exists() else b""
