"""doors/cli.py before any workspace is open: words, help, errors, weight; and the surface of `import tessera`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_shop import given

import tessera
from tessera import __version__
from tessera.app import App
from tessera.demo.earlier import DAY
from tessera.doors import failures, names, show
from tessera.doors.cli import main, parser
from tessera.doors.progress import progress
from tessera.errors import TesseraError

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def commands() -> list[list[str]]:
    """Every command, as its words."""

    def below(one: Any, path: list[str]) -> list[list[str]]:
        nouns = [a.choices for a in one._actions if isinstance(a.choices, dict)]
        return [words for choices in nouns for n, c in choices.items() for words in below(c, [*path, n])] or [path]

    return below(parser(), [])


def test_the_commands_are_those_that_others_script_against() -> None:
    assert [" ".join(words) for words in commands()] == [
        "init", "demo", "source list", "source check", "source sync", "source tail", "turn", "tables", "versions", "sql",
        "person find", "person show", "person why", "person erase", "consent rates", "consent compare",
        "consent receipt", "consent end", "consent commit", "consent opening", "consent usable",
        "request open", "request list", "request show", "request verify", "request run", "request extend",
        "request refuse", "request lift", "request receipt", "record-of-processing", "breach", "segments", "quality", "lineage",
        "access explain", "access matrix", "access changes", "access approve",
        "quarantine list", "quarantine show", "quarantine replay",
        "attribution", "churn", "propensity", "value", "recommend", "upkeep", "interests", "model list", "model show",
        "model compare", "model train",
        "decide", "decisions", "stream", "try attribution", "try churn", "try recommend", "try segments",
        "try upkeep", "try value",
        "expiry list", "expiry burn",
        "ledger list", "ledger of", "ledger show", "ledger proof", "ledger head", "ledger key", "ledger verify",
        "ledger witness init", "ledger witness sign", "ledger witness add",
        "anchor now", "anchor list", "anchor check", "anchor deploy", "key status", "key shares", "key recover",
        "key rotate", "backup", "restore", "serve", "stop", "open", "account add", "account list", "account disable",
        "account password", "apikey new", "apikey list", "apikey revoke", "drill", "doctor", "upgrade",
    ]  # fmt: skip


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_help_has_examples_and_every_document_its_schema(words: list[str], capsys: Any) -> None:
    assert main([*words, "--help"]) == 0
    assert f"examples:\n  tessera {' '.join(words)}" in capsys.readouterr().out
    schema = json.loads((SCHEMAS / f"{'-'.join(words)}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert f"`{' '.join(words)}" in (SCHEMAS.parent / "cli-json.md").read_text("utf-8")


def test_the_version_goes_to_stdout(capsys: Any) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tessera {__version__}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Try: tessera --help"),
        (["tabels"], "Did you mean 'tables'?"),
        (["person", "fnid", "x"], "Did you mean 'find'?"),
        (["tables", "--wait", "soon"], "'soon' is no number of seconds"),
        (["person", "why", "ann@example.org"], "tessera person find VALUE gives it"),
        (["sql", "SELECT 1"], "--purpose"),
        (["demo", "--people", "0"], "no number of people"),
    ],
)
def test_wrong_words_are_exit_code_two_and_say_what_next(words: list[str], says: str, capsys: Any) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and says in err and "Traceback" not in err


def test_without_a_workspace_it_says_where_it_looked(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["tables"], ["-w", str(tmp_path), "tables"], ["tables", "-w", str(tmp_path / "none")]):
        assert main(words) == 3
        assert "tessera init DIR" in capsys.readouterr().err


def test_init_writes_a_workspace_that_is_found_from_below(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    root = tmp_path / "acme"
    assert main(["init", str(root), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads((SCHEMAS / "init.json").read_text("utf-8")))
    assert "tessera.yaml" in document["files"] and len(document["shares"]) == 3
    monkeypatch.chdir(root / "sources")
    assert main(["source", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["init", str(root)]) == 2
    assert "is a workspace already" in capsys.readouterr().err


def test_mistakes_in_files_are_all_named(tmp_path: Path, capsys: Any) -> None:
    root = given(tmp_path / "acme")
    (root / "tessera.yaml").write_text("version: 1\nname: acme\ncurency: EUR\n", "utf-8")
    assert main(["-w", str(root), "tables"]) == 2
    assert "tessera.yaml:3" in capsys.readouterr().err
    assert main(["-w", str(root), "doctor"]) == 1


def test_a_workspace_in_use_is_exit_code_six(tmp_path: Path, capsys: Any) -> None:
    root = given(tmp_path / "acme")
    with tessera.open(root):
        assert main(["-w", str(root), "tables", "--wait", "0"]) == 6
    assert "in use by process" in capsys.readouterr().err


def test_an_unforeseen_error_is_told_and_logged_without_its_text(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    root = given(tmp_path / "acme")

    def broken(*_: object, **__: object) -> None:
        raise ValueError("ann@example.org")

    monkeypatch.setattr("tessera.app.App.__init__", broken)
    assert main(["-w", str(root), "tables"]) == 1
    err = capsys.readouterr().err
    log = (root / "var" / "log" / "tessera.log").read_text("utf-8")
    reference = err.split("reference ")[1][:8]
    assert reference in log and "builtins.ValueError" in log and "cli.py" in log
    assert "ann@example.org" not in log + err and "Traceback" not in err


@pytest.mark.parametrize("there", [["thesis.doc"], ["tessera.yaml"]])
def test_a_demo_leaves_what_is_somebody_elses(there: list[str], tmp_path: Path, capsys: Any) -> None:
    for name in there:
        (tmp_path / name).write_text("mine")
    assert main(["demo", str(tmp_path)]) == 2
    assert [p.name for p in tmp_path.iterdir()] == there


def test_a_demo_is_made_once_and_then_offered(tmp_path: Path, capsys: Any) -> None:
    schema = json.loads((SCHEMAS / "demo.json").read_text("utf-8"))
    made = []
    for _ in range(2):
        assert main(["demo", str(tmp_path / "d"), "--people", "30", "--json"]) == 0
        made.append(json.loads(capsys.readouterr().out))
        jsonschema.validate(made[-1], schema)
    assert [d["made"] for d in made] == [True, False]
    with App(tmp_path / "d") as app:  # its pages have a past to tell of
        days = app.answers.ask("SELECT DISTINCT valid_from FROM segments ORDER BY 1", app.reader("analyst", "analytics")).rows()
    assert days[0] == (DAY,) and len(days) > 1
    assert made[0]["figures"] == made[1]["figures"] and made[0]["figures"]["profiles"] >= 30
    assert main(["demo", str(tmp_path / "d")]) == 0
    out, err = capsys.readouterr()
    assert "holds a demo already, of 30 people" in out and "Try next" in err


def test_every_error_of_ours_has_an_exit_code_of_the_contract() -> None:
    def below(kind: type[TesseraError]) -> list[type[TesseraError]]:
        return [kind, *(k for c in kind.__subclasses__() for k in below(c))]

    assert {k.exit_code for k in below(TesseraError)} <= {1, 2, 3, 4, 5, 6}
    assert failures.disk(OSError(28, "No space left on device")) is not None
    assert failures.disk(OSError(2, "No such file")) is None


def test_a_table_holds_nothing_that_a_terminal_would_obey(capsys: Any) -> None:
    show.Show().table(["a", "n"], [["\x1b[31mred\n", 1], [None, 20]])
    assert capsys.readouterr().out == "a           n\n\ufffd[31mred\ufffd   1\n           20\n"


def test_progress_off_a_terminal_is_a_line_a_stage_and_a_tenth(capsys: Any) -> None:
    with progress() as told:
        for done in range(100):
            told("landing", done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["landing", *(f"landing {10 * n} %" for n in range(1, 10))]
    with progress(quiet=True) as told:
        told("landing", 1, 2)
    assert capsys.readouterr().err == ""


def test_output_columns_have_names_of_their_own() -> None:
    assert names.unique(["n", "n", "n_2", "n"]) == ["n", "n_3", "n_2", "n_4"]


def test_the_surface_of_the_package() -> None:
    assert tessera.__all__ == sorted(tessera.__all__) == ["__version__", "init", "open"]
    assert all(hasattr(tessera, name) for name in tessera.__all__)


def test_a_workspace_is_written_and_opened_from_python(tmp_path: Path) -> None:
    assert tessera.init(tmp_path / "acme")
    assert tessera.init(str(tmp_path / "beta"))
    with tessera.open(tmp_path / "acme") as app:
        assert app.config.name == "acme"


@pytest.mark.parametrize("code", ["import tessera", "from tessera.doors.cli import main; main(['--help'])"])
def test_import_and_help_load_nothing_heavy(code: str) -> None:
    heavy = "{'duckdb', 'pyarrow', 'numpy', 'rich', 'sqlglot', 'deltalake', 'cryptography', 'msgspec', 'yaml'}"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; sys.stderr.write(str(sorted({heavy} & set(sys.modules))))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stderr == "[]"
