"""A step's fingerprint, from the code that it runs; and a workspace in which a step or a reader has no purpose."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera import loop
from tessera.app import App, settings
from tessera.data import counts, identity
from tessera.errors import BadWorkspace
from tessera.scaffold import init


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of three modules, of which the first uses the second and that the third."""
    folder = tmp_path / "steps_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "first.py").write_text("from steps_of_a_test import second\nRUN = second.RUN\n")
    (folder / "second.py").write_text("import json\nfrom steps_of_a_test.third import RUN\n__all__ = ['RUN', 'json']\n")
    (folder / "third.py").write_text("RUN = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(loop, "_code", loop._code.__wrapped__)
    __import__("steps_of_a_test.first")
    yield folder
    for name in [n for n in sys.modules if n.startswith("steps_of_a_test")]:
        del sys.modules[name]


@pytest.mark.parametrize("changed", ["first", "second", "third"])
def test_a_steps_code_is_its_module_and_all_that_it_uses_of_its_floor(package: Path, changed: str) -> None:
    before = loop._code("steps_of_a_test.first")
    with (package / f"{changed}.py").open("a") as file:
        file.write("# changed\n")
    linecache.clearcache()
    assert loop._code("steps_of_a_test.first") != before
    assert "JSONDecoder" not in before


def test_every_step_is_known_by_the_code_that_it_runs() -> None:
    known = {step.name: loop._code(step.run.__module__) for step in loop.STEPS}
    assert inspect.getsource(counts.count) in known["quality"]
    assert inspect.getsource(identity.resolve) in known["identity"]


ONLY_OPERATE = """\
purposes:
  operate:
    data_use: essential.service
    basis: contract
    sentence: {en: We use your data to serve you., zh: 我们使用您的数据为您服务。}
    categories: [user, system]
"""
READERS = """\
roles: [owner]
actors:
  - {name: "user:ann", roles: [owner]}
grants:
  - {roles: [owner], PURPOSES categories: "*", verdict: clear}
"""


def test_a_workspace_whose_step_or_reader_of_segments_has_no_purpose_does_not_start(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    init(root)
    (root / "purposes.yaml").write_text(ONLY_OPERATE, "utf-8")
    (root / "access.yaml").write_text(READERS.replace("PURPOSES", 'purposes: "*",'), "utf-8")
    (root / "segments.yaml").unlink()
    with pytest.raises(BadWorkspace) as caught:
        App(root)
    assert caught.value.faults == (
        "purposes.yaml: the purpose 'analytics' is missing; segments.yaml, the step features, the step centres, "
        "the step segments and the step service_demand cannot run without it.",
        "purposes.yaml: the purpose 'personalise' is missing; the step device_health, the step post_topics "
        "and the step interests cannot run without it.",
    )
    assert not list((root / "var").iterdir())


def test_a_line_of_access_without_a_purpose_is_a_mistake(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    init(root)
    (root / "access.yaml").write_text(READERS.replace("PURPOSES", ""), "utf-8")
    with pytest.raises(BadWorkspace, match=r"access\.yaml:5: the key 'purposes' is missing or empty"):
        settings(root)
