"""A tiny shop with duties, and requests that are worked in one call: for the tests of rights."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from given_tiny import Tiny
from laws.shop import known
from tessera.app import App
from tessera.trust.requests import Request

TAX = """
  tax:
    data_use: essential.legal_obligation
    basis: legal_obligation
    sentence: {en: A tax law makes us keep invoices., zh: 税法要求我们保存发票。}
    categories: [user, system]
    keep_days: 3650
    holds: {orders: [order_id, occurred_at, amount_cents, currency], records: [name]}
  post:
    data_use: marketing
    basis: legitimate_interest
    sentence: {en: We send you our catalogue., zh: 我们向您寄送产品目录。}
    categories: [user, system]
    recipients: [Print and Post Ltd]
"""


def shop(root: Path) -> Tiny:
    """The first day of laws.shop, with a tax duty and a purpose on legitimate interest."""
    tiny = known(root)
    purposes = root / "purposes.yaml"
    purposes.write_text(purposes.read_text("utf-8").split("\n  # A duty, such as")[0] + "\n" + TAX, "utf-8")
    access = root / "access.yaml"
    grant = '  - {roles: [officer], purposes: [tax, post], categories: "*", verdict: clear}\n'
    access.write_text(access.read_text("utf-8").replace("grants:\n", "grants:\n" + grant, 1), "utf-8")
    tiny._config = None
    return tiny


def ready(app: App, kind: Any, who: str, **facts: Any) -> Request:
    """A request, opened and verified."""
    return app.desk.verify(app.desk.open(kind, value=who, **facts).id, "document")


def answered(app: App, kind: Any, who: str, out: Path | None = None, **facts: Any) -> Request:
    """A request, opened, verified and run."""
    return app.desk.run(ready(app, kind, who, **facts).id, out)


def files(copy: Path) -> dict[str, bytes]:
    """What a copy holds, by path."""
    with zipfile.ZipFile(copy) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rows(copy: Path, table: str) -> list[dict[str, Any]]:
    """A table of a copy, from its JSON."""
    found: list[dict[str, Any]] = json.loads(files(copy)[f"data/{table}.json"])
    return found


def cells(copy: Path, table: str) -> list[dict[str, str]]:
    """The same from its CSV."""
    return list(csv.DictReader(io.StringIO(files(copy)[f"data/{table}.csv"].decode("utf-8-sig"))))
