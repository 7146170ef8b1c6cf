"""The customer's own door: asking for letters (API6), and that whoever is in sees herself alone (API1)."""

from __future__ import annotations

from tessera.doors.drill.report import Trial
from tessera.doors.drill.routes import ROUTES
from tessera.doors.drill.target import Target, Told

FOREIGN = "https://evil.example"


def knocking(target: Target, trial: Trial) -> None:
    """The same answer for a customer's mailbox, a stranger's and one asked for too often; a limit for who asks; tokens of
    strangers look like others and open nothing; a token opens once."""
    assert target.shop
    known, key = target.shop.people[0], target.shop.keys["owner"]
    mailboxes = [known.email, "stranger@example.org", known.email, known.email, known.email, known.email]
    told = [target.ask("POST", "/v1/me/link", {"address": m}, patient=False) for m in mailboxes]
    trial.that({t.status for t in told} == {202}, "mailboxes are told apart by their status")
    trial.that(len({t.body for t in told}) == 1, "mailboxes are told apart by their answer")
    made = [_vouched(target, key, i) for i in (known.id, "cust-0")]
    trial.that(all(made) and len({len(m) for m in made}) == 1, "tokens of a customer and a stranger differ in length")
    entered = [target.ask("POST", "/v1/me/session", {"token": t}) for t in (*made, made[0], made[0][:-2] + "AA", "x")]
    trial.that([t.status for t in entered] == [200, 401, 401, 401, 401], "a stranger's, used or changed token opens")
    trial.that(len({t.body for t in entered[1:]}) == 1, "tokens that open nothing are told apart")
    foreign = target.ask("POST", "/v1/me/session", {"token": "x"}, headers={"Origin": FOREIGN})
    trial.that(foreign.status == 403, f"a page of another site signs in: {foreign.status}")
    for n in range(40):
        last = target.ask("POST", "/v1/me/link", {"address": f"nobody{n}@example.org"}, patient=False)
        if last.status == 429:
            break
    trial.that(last.status == 429 and "retry-after" in last.headers, "40 letters in a row can be asked for")


def herself(target: Target, trial: Trial) -> None:
    """Each customer x each route of hers: her own values, nobody else's, no route of staff, and nothing for another site."""
    assert target.shop
    mine: list[tuple[dict[str, str], int]] = []
    for person in target.shop.people[:3]:
        entered = target.ask("POST", "/v1/me/session", {"token": _vouched(target, target.shop.keys["owner"], person.id)})
        own = {"Cookie": entered.headers.get("set-cookie", "").partition(";")[0]}
        answers = [target.ask("GET", path, headers=own) for path in ("/v1/me", "/v1/me/uses", "/v1/me/consents")]
        trial.that(all(t.status == 200 for t in answers), "a customer is not let in to her own data")
        whole = b"".join(t.body for t in answers)
        trial.that(person.email.encode() in whole, "a customer does not find her own e-mail")
        for other in (p for p in target.shop.people if p is not person):
            for field, value in other.values().items():
                trial.that(value.encode() not in whole, f"a customer finds somebody else's {field}")
        _closed(target, trial, own)
        asked = target.ask("POST", "/v1/me/requests", {"kind": "access"}, headers={**own, "Origin": target.url})
        trial.that(asked.status == 201, f"a customer cannot ask for her copy: {asked.status}")
        mine.append((own, int((asked.json() or {}).get("id", 0))))
        _unharmed(target, trial, own)
        change = {"agree": True}
        for origin in ({}, {"Origin": FOREIGN}):
            told = target.ask("PUT", "/v1/me/consents/analytics", change, headers={**own, **origin})
            trial.that(told.status == 403, f"another site's page changes her choice: {told.status}")
    for own, asked_for in mine:
        for _, foreign in mine:
            for what in ("receipt", "copy"):
                told = target.ask("GET", f"/v1/me/requests/{foreign}/{what}", headers=own)
                wanted = 200 if foreign == asked_for else 404
                trial.that(told.status == wanted, f"the {what} of request {foreign}, asked for as {asked_for}: {told.status}")


def _unharmed(target: Target, trial: Trial, own: dict[str, str]) -> None:
    """What only looks does nothing: an erasure that she asks for waits for an officer, whatever she fetches."""
    asked = target.ask("POST", "/v1/me/requests", {"kind": "erasure"}, headers={**own, "Origin": target.url})
    number = (asked.json() or {}).get("id", 0)
    for what, wanted in (("copy", 404), ("receipt", 200)):
        told = target.ask("GET", f"/v1/me/requests/{number}/{what}", headers=own)
        trial.that(told.status == wanted, f"the {what} of an erasure is answered {told.status}")
    trial.that(target.ask("GET", "/v1/me", headers=own).status == 200, "a GET erases a customer")


def _closed(target: Target, trial: Trial, own: dict[str, str]) -> None:
    """A customer's cookie opens no route of staff, under no name."""
    assert target.shop
    as_staff = {"Cookie": own["Cookie"].replace("__Host-tessera-me=", "__Host-tessera=")}
    for route in ROUTES:
        if route.whose in ("public", "pages", "browser", "customer"):
            continue
        method, path, body = route.filled("owner", target.shop.people[1].number)
        for cookies in (own, as_staff):
            told = target.ask(method.upper(), path, body, headers={**cookies, "Origin": target.url})
            trial.that(told.status == 401, f"a customer's session opens {route.path}: {told.status}")


def _vouched(target: Target, key: str, identifier: str) -> str:
    told: Told = target.ask("POST", "/v1/me/token", {"kind": "user_id", "identifier": identifier}, key=key)
    return str((told.json() or {}).get("token", ""))
