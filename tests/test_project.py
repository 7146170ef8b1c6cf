"""The project itself: what a newcomer is told is there, in step, and names no machine of ours."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement

from tessera._version import VERSION
from tessera.app import settings

PROJECT = Path(__file__).parents[1]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md"), *(PROJECT / "examples").glob("*/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"")


def text(path: str) -> str:
    return (PROJECT / path).read_text("utf-8")


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shape(page: str) -> list[tuple[str, int]]:
    """The page's headings by depth, and between them how many points, table rows, code blocks and pictures it has."""
    found: list[tuple[str, int]] = []
    for line in page.splitlines():
        kind = next((k for k in ("## ", "# ", "- ", "| ", "```", "<picture>") if line.startswith(k)), None)
        if kind in ("## ", "# "):
            found.append((kind, 0))
        elif kind:
            found.append((kind, 0)) if not found or found[-1][0] != kind else None
            found[-1] = (kind, found[-1][1] + 1)
    return found


def test_both_readmes_have_the_same_shape() -> None:
    assert shape(text("README.md")) == shape(text("README.zh-CN.md"))


def test_both_readmes_show_the_same_pictures_and_commands() -> None:
    english, chinese = text("README.md"), text("README.zh-CN.md").replace("-zh-", "-en-")  # pages in their own language
    for part in (r"docs/[\w/.-]+", r"\bmake [a-z]+\b", r"`[a-z_]+`"):
        assert set(re.findall(part, english)) == set(re.findall(part, chinese)), part


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in (a or b for a, b in LINK.findall(page.read_text("utf-8"))):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_the_lock_holds_names_and_versions_only_and_satisfies_the_project() -> None:
    lines = text("requirements.lock").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    locked = script("make_dependencies").locked(text("requirements.lock"))
    assert len(locked) == len(lines)
    project = tomllib.loads(text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"].values()
    for asked in [*project["dependencies"], *(d for extra in extras for d in extra)]:
        wanted = Requirement(asked)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        assert wanted.specifier.contains(locked[name]), asked


def test_flink_s_own_lock_holds_names_and_versions_only_and_of_ours_the_same_ones() -> None:
    lines = text("deploy/flink/requirements.lock").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    read = script("make_dependencies").locked
    theirs, ours = read(text("deploy/flink/requirements.lock")), read(text("requirements.lock"))
    assert [theirs[p] for p in ("msgspec", "sqlglot", "setuptools")] == [ours[p] for p in ("msgspec", "sqlglot", "setuptools")]


def test_the_page_of_dependencies_has_every_package_of_the_lock() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([^ |]+) \| ([^|]+) \|", text("docs/dependencies.md"), re.M)
    written = script("make_dependencies")
    assert {n: v for n, v, _ in rows if n != "package"} == written.locked(text("requirements.lock"))
    assert not [n for n, _, licence in rows if written.FORBIDDEN.search(licence)]
    assert {n for n, _, licence in rows if "LGPL" in licence} == {"psycopg", "psycopg-binary"}


def test_the_page_of_the_command_line_has_every_command() -> None:
    written = script("make_cli")
    page = text("docs/cli.md")
    for path, _, below in written.commands(written.parser()):
        assert f"\n### {path}\n" in page, f"{path}: run python docs/make_cli.py"
        options = {o for a in below._actions for o in a.option_strings if o.startswith("--")}
        for option in options - written.shared(written.parser()):
            assert option in page.partition(f"\n### {path}\n")[2].partition("\n### ")[0], f"{path} {option}"


def test_no_file_names_a_machine_an_index_or_a_secret() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=False).stdout
    if not listed:
        pytest.skip("this is no git checkout")
    bad = re.compile(
        r"(?<![\w.~])/(?:root|home/\w|work)/|pypi\.org/simple|files\.python" r"hosted|--(?:extra-)?index-url"
        r"|BEGIN [A-Z ]*PRIVATE" r" KEY|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}"
    )  # fmt: skip
    parts = ("/root/", "/home/", "/work/", "pypi.org", "hosted", "index-url", "PRIVATE", "AKIA", "gh")
    for name in listed.decode().split("\0"):
        path = PROJECT / name
        if name and path.is_file() and path != Path(__file__) and path.suffix not in (".parquet", ".png", ".gz"):
            said = path.read_text("utf-8", errors="replace")
            found = bad.search(said) if any(part in said for part in parts) else None
            assert not found, f"{name}: {found.group(0)}"


def test_the_pictures_fetch_nothing() -> None:
    shots = list((PROJECT / "docs" / "shots").glob("*.svg"))
    assert {p.stem.rpartition("-")[2] for p in shots} == {"light", "dark"}
    for path in shots:
        assert set(re.findall(r"https?://[^\"')\s]+", path.read_text("utf-8"))) == {"http://www.w3.org/2000/svg"}


def test_licence_version_and_changelog_are_there() -> None:
    assert "Apache License" in text("LICENSE") and "END OF TERMS AND CONDITIONS" in text("LICENSE")
    assert re.search(rf"^## \[(Unreleased|{re.escape(VERSION)})\]", text("CHANGELOG.md"), re.M)
    assert tomllib.loads(text("pyproject.toml"))["project"]["license"] == "Apache-2.0"


def test_make_alone_names_every_target() -> None:
    shown = subprocess.run(["make", "-s"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.M)
    assert targets and all(f"make {t} " in shown for t in targets.group(1).split())


@pytest.mark.parametrize("example", sorted((PROJECT / "examples").iterdir()), ids=lambda p: p.name)
def test_every_example_is_a_workspace_without_a_mistake(example: Path) -> None:
    config = settings(example)
    assert config.sources and {"operate", "analytics"} <= set(config.purposes)


def test_every_yaml_block_of_the_workspace_page_can_be_read() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", text("docs/workspace.md"), re.S)
    assert len(blocks) == 5
    for block in blocks:
        assert yaml.safe_load(block)
