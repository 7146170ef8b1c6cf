"""envtext.py: references to the environment, and secrets in clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from tessera.envtext import broken_reference, missing, resolve, secret_in_clear
from tessera.errors import BadInput

BASE = Path("/srv/acme")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("in/a.csv", "/srv/acme/in/a.csv"),
        ("/data/a.csv", "/data/a.csv"),
        ("${DROP}/a.csv", "/mnt/drop/a.csv"),
        ("${OTHER:-in}/a.csv", "/srv/acme/in/a.csv"),
        ("${EMPTY:-in}/a.csv", "/srv/acme/in/a.csv"),
        ("s3://shop/${OTHER:-a}.csv", "s3://shop/a.csv"),
        ("sqlite:///shop.db", "sqlite:////srv/acme/shop.db"),
        ("sqlite+pysqlite:///shop.db?mode=ro", "sqlite+pysqlite:////srv/acme/shop.db?mode=ro"),
        ("sqlite:////var/shop.db", "sqlite:////var/shop.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("mysql://${USER}@db/shop", "mysql://ann@db/shop"),
    ],
)
def test_a_text_is_resolved(text: str, meant: str) -> None:
    assert resolve(text, {"DROP": "/mnt/drop", "EMPTY": "", "USER": "ann"}, BASE) == meant


def test_a_filled_in_value_is_not_read_again() -> None:
    assert resolve("/${A}", {"A": "${B}", "B": "b"}, BASE) == "/${B}"


def test_a_missing_name_is_told() -> None:
    assert missing("${A}${B:-x}${C}", {"A": "1", "C": ""}) == ["C"]
    with pytest.raises(BadInput, match="The environment variable C is not set"):
        resolve("${C}", {}, BASE)


def test_an_unfinished_reference_is_seen() -> None:
    assert [broken_reference(t) for t in ("${A", "${1A}", "${}", "${A}", "$A", "a$b")] == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    ("text", "clear"),
    [
        ("postgresql://ann:hunter2@db/shop", True),
        ("postgresql://ann:${PW}x@db/shop", True),
        ("postgresql://ann:${PW:-hunter2}@db/shop", True),
        ("${DSN:-postgresql://ann:hunter2@db/shop}", True),
        ("postgresql://db/shop?user=ann&password=hunter2", True),
        ("mssql+pyodbc:///?odbc_connect=PWD=hunter2;UID=ann", True),
        ("https://api.example/x?api_key=abc", True),
        ("${DSN}", False),
        ("postgresql://ann:${PW}@db:5432/shop", False),
        ("postgresql://ann@db:5432/shop", False),
        ("postgresql://db/shop?password=${PW}", False),
        ("sqlite:///shop.db", False),
        ("files/crm-*.csv", False),
    ],
)
def test_a_secret_in_clear_is_seen(text: str, clear: bool) -> None:
    assert secret_in_clear(text) is clear
