"""`${NAME}` in connections and paths: which names are missing, whether a secret stands in clear, the text in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tessera.errors import BadInput

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_URL_PASSWORD = re.compile(r"^[^:/?#]*://[^:/]*:([^@]*)@")
_NAMED_SECRET = re.compile(r"(?i)(?:password|passwd|pwd|secret|token|api_?key)\s*=\s*([^&;\s]+)")
_SQLITE_FILE = re.compile(r"^(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)(.+)$")


def missing(text: str, env: Mapping[str, str]) -> list[str]:
    """Names that the text needs and the environment does not have; an empty variable counts as missing."""
    return [name for name, default in _REFERENCE.findall(text) if not env.get(name) and not default]


def broken_reference(text: str) -> bool:
    """Whether a `${` stands there that is no reference."""
    return "${" in _REFERENCE.sub("", text)


def secret_in_clear(text: str) -> bool:
    """Whether a password or token is written out, be it as the default of a reference.

    >>> secret_in_clear("postgresql://ann:hunter2@db/shop"), secret_in_clear("postgresql://ann:${PW}@db/shop")
    (True, False)
    """
    named = "\0"
    plain = _REFERENCE.sub(lambda m: m.group(2) or named, text)
    url = _URL_PASSWORD.match(plain)
    if url and url.group(1) not in ("", named):
        return True
    return any(value != named for value in _NAMED_SECRET.findall(plain))


def resolve(text: str, env: Mapping[str, str], base: Path) -> str:
    """The text with its references filled in; a relative path, or SQLite file, then lies under base.

    Raises BadInput if the environment lacks a name.

    >>> resolve("${DROP:-in}/a.csv", {}, Path("/srv/acme"))
    '/srv/acme/in/a.csv'
    """
    plain = filled(text, env)
    if sqlite := _SQLITE_FILE.match(plain):
        return f"{sqlite.group(1)}{base.absolute() / sqlite.group(2)}"
    return plain if "://" in plain else str(base / plain)


def filled(text: str, env: Mapping[str, str]) -> str:
    """The text with its references filled in. Raises BadInput if the environment lacks a name."""
    if absent := missing(text, env):
        raise BadInput(f"The environment variable {absent[0]} is not set. Set it, or write ${{{absent[0]}:-DEFAULT}}.")
    return _REFERENCE.sub(lambda m: env.get(m.group(1)) or m.group(2) or "", text)
