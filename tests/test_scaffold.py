"""scaffold.py and the templates: what is written is valid, and what its comments say is true."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import open_data_contract_standard
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from given_workspace import ENV, SHOP, TABLES, WORDS, given
from tessera.account import account
from tessera.config import Config, SegmentsConfig
from tessera.errors import BadInput
from tessera.fideslang import VERSION
from tessera.scaffold import init
from tessera.workspace import load

OPTIONAL = re.compile(r"^(\s*)#(?=[a-z_]+:|  - )", re.MULTILINE)


def read(root: Path) -> Config:
    return load(root, words=WORDS, tables=TABLES, env=ENV)


def test_what_init_writes_loads_without_a_fault(tmp_path: Path) -> None:
    written = init(tmp_path / "acme")
    config = read(tmp_path / "acme")
    assert all(path.is_file() for path in written)
    assert config.sources == ()
    assert config.name == "acme"


def test_the_initiator_is_owner_and_has_every_role(tmp_path: Path) -> None:
    init(tmp_path / "acme")
    access = read(tmp_path / "acme").access
    assert [(a.name, a.roles) for a in access.actors] == [(f"user:{account()}", access.roles)]
    assert access.roles == ("owner", "analyst", "marketer", "sales", "service", "officer", "engineer")


@pytest.mark.parametrize("name", ['an "odd" name', "ünïcode 名字", "yes", "a: b # c", "back\\slash"])
def test_odd_names_are_written_as_they_are(tmp_path: Path, name: str) -> None:
    init(tmp_path / name, user="o'neil")
    config = read(tmp_path / name)
    assert (config.name, config.access.actors[0].name) == (name, "user:o'neil")


def test_var_is_for_the_owner_alone_and_not_in_git(tmp_path: Path) -> None:
    init(tmp_path)
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert {"var/", "*.backup", "*.key", "share-*-of-*.txt"} <= set((tmp_path / ".gitignore").read_text("utf-8").splitlines())


def test_a_folder_that_holds_only_git_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert init(tmp_path)


@pytest.mark.parametrize(
    ("there", "answer"),
    [("tessera.yaml", "is a workspace already"), ("thesis.doc", r"is not empty \(it has thesis.doc\)")],
)
def test_a_full_folder_is_refused_and_left_alone(tmp_path: Path, there: str, answer: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(BadInput, match=answer):
        init(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [there]


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("mine")
    with pytest.raises(BadInput, match="is a file"):
        init(tmp_path / "acme")
    with pytest.raises(BadInput, match=r"Cannot write a workspace .*: Not a directory"):
        init(tmp_path / "acme" / "below")


@pytest.mark.parametrize("file", ["tessera.yaml", "purposes.yaml", "access.yaml", "segments.yaml"])
def test_every_setting_that_is_commented_out_may_be_written(tmp_path: Path, file: str) -> None:
    init(tmp_path)
    path = tmp_path / file
    text, changed = OPTIONAL.subn(r"\1", path.read_text("utf-8"))
    assert changed
    path.write_text(text, "utf-8")
    read(tmp_path)


def test_settings_that_are_commented_out_stand_at_their_defaults(tmp_path: Path) -> None:
    init(tmp_path)
    plain = read(tmp_path)
    path = tmp_path / "tessera.yaml"
    path.write_text(OPTIONAL.sub(r"\1", path.read_text("utf-8")).replace("threads: 2\n", ""), "utf-8")
    assert read(tmp_path) == plain
    assert plain.segments == SegmentsConfig()


def test_the_matrix_is_the_one_that_its_roles_promise(tmp_path: Path) -> None:
    init(tmp_path)
    config = read(tmp_path)
    verdicts = {
        (role, category): grant.verdict
        for grant in config.access.grants
        for role in grant.roles
        for category in grant.categories
    }
    assert verdicts["analyst", "user.behavior"] == "clear"
    assert verdicts["analyst", "user.contact"] == verdicts["marketer", "user.contact"] == "masked"
    assert verdicts["analyst", "user.location"] == "generalised"
    assert verdicts["sales", "user.contact"] == verdicts["service", "user.contact"] == "clear"
    assert verdicts["officer", "*"] == "clear"
    assert [c for (role, c) in verdicts if role == "engineer"] == ["system"]


def test_no_grant_overlaps_another_of_the_same_role_and_purpose(tmp_path: Path) -> None:
    init(tmp_path)
    seen: dict[tuple[str, str], list[str]] = {}
    for grant in read(tmp_path).access.grants:
        for role in grant.roles:
            for purpose in grant.purposes:
                seen.setdefault((role, purpose), []).extend(grant.categories)
    for categories in seen.values():
        assert not [(a, b) for a in categories for b in categories if b.startswith(a + ".")]
        assert len(categories) == len(set(categories))


def test_what_a_role_is_granted_its_purposes_may_use(tmp_path: Path) -> None:
    init(tmp_path)
    config = read(tmp_path)
    for grant in config.access.grants:
        for purpose in grant.purposes:
            may = config.purposes[purpose].categories
            wanted = [c for c in grant.categories if c != "*"]
            assert all(any(c == m or c.startswith(m + ".") for m in may) for c in wanted), (grant, purpose)


def test_the_comments_name_the_taxonomy_that_is_read() -> None:
    assert f"fideslang {VERSION}" in (files("tessera") / "templates" / "purposes.yaml").read_text("utf-8")


EXAMPLE = (files("tessera") / "templates" / "sources" / "example.odcs.yaml.txt").read_text("utf-8")


@pytest.mark.parametrize("text", [EXAMPLE, SHOP.replace("v3.1.0", "v3.2.0")], ids=["example", "shop"])
def test_our_contracts_are_contracts_of_the_standard(text: str) -> None:
    contract = OpenDataContractStandard.from_string(text)
    assert contract.kind == "DataContract"
    schema = Path(open_data_contract_standard.__file__).with_name("schema.json").read_text("utf-8")
    jsonschema.validate(yaml.safe_load(text), json.loads(schema))


def test_the_example_with_its_database_is_valid_too(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    text = EXAMPLE.replace("  # - server: shop", "  - server: shop").replace("  #   ", "    ")
    files_server = text[text.index("  - server: files") : text.index("  # A database")]
    (root / "sources" / "crm.odcs.yaml").write_text(text.replace(files_server, ""), "utf-8")
    crm = load(root, words=WORDS, env={**ENV, "SHOP_USER": "ann"}).sources[0]
    assert (crm.kind, crm.query) == ("sql", "SELECT * FROM public.customers")
