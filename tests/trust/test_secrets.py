"""The master key: made once, kept to its owner, and never shown."""

import base64
import os
from pathlib import Path

import pytest

from tessera.errors import BrokenVault
from tessera.trust.secrets import Secrets, create

KEY = bytes(range(32))


def test_a_created_key_is_random_private_and_can_be_loaded(tmp_path: Path) -> None:
    first, second = create(tmp_path / "a" / "b"), create(tmp_path / "c")
    assert first.name == "master.key"
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert len(base64.b64decode(first.read_bytes())) == 32
    assert first.read_bytes() != second.read_bytes()
    assert Secrets.load(first.parent, {}).fingerprint() != Secrets.load(second.parent, {}).fingerprint()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = create(tmp_path)
    before = path.read_bytes()
    with pytest.raises(BrokenVault, match="never overwritten"):
        create(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_a_key_file_that_others_may_touch_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = create(tmp_path)
    path.chmod(mode)
    with pytest.raises(BrokenVault, match=f"mode {mode:04o}.*chmod 600"):
        Secrets.load(tmp_path, {})


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode(),
        f" {KEY.hex()}\n",
    ],
)
def test_the_environment_wins_over_the_file_in_base64_or_hex(tmp_path: Path, text: str) -> None:
    create(tmp_path)
    assert Secrets.load(tmp_path, {"TESSERA_MASTER_KEY": text}).fingerprint() == Secrets(KEY).fingerprint()


@pytest.mark.parametrize("text", ["hunter2hunter2", "zz" * 32, base64.b64encode(KEY[:31]).decode(), "ä" * 44])
def test_a_key_that_is_none_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(BrokenVault, match="TESSERA_MASTER_KEY does not hold a master key") as caught:
        Secrets.load(tmp_path, {"TESSERA_MASTER_KEY": text})
    assert text not in str(caught.value)
    path = tmp_path / "master.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(BrokenVault, match=r"master\.key does not hold a master key"):
        Secrets.load(tmp_path, {})


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BrokenVault, match=r"TESSERA_MASTER_KEY is not set and .* is missing"):
        Secrets.load(tmp_path, {})


def test_derived_keys_are_stable_and_differ_by_label_and_master() -> None:
    one, other = Secrets(KEY), Secrets(os.urandom(32))
    assert one.derive("a") == Secrets(KEY).derive("a")
    assert len({one.derive("a"), one.derive("b"), other.derive("a"), KEY}) == 4
    assert len(one.derive("a")) == 32


def test_derive_is_hkdf_as_rfc_5869_defines_it() -> None:
    import hashlib
    import hmac

    pseudorandom = hmac.digest(bytes(32), KEY, hashlib.sha256)
    assert Secrets(KEY).derive("x") == hmac.digest(pseudorandom, b"tessera/1/x\x01", hashlib.sha256)


def test_a_sealed_value_opens_only_under_its_label_its_aad_and_its_key() -> None:
    secrets = Secrets(KEY)
    sealed = secrets.seal("cursor", b"2024-05-01", b"crm")
    assert b"2024" not in sealed
    assert sealed != secrets.seal("cursor", b"2024-05-01", b"crm")
    assert secrets.open("cursor", sealed, b"crm") == b"2024-05-01"
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for label, value, aad, by in [
        ("other", sealed, b"crm", secrets),
        ("cursor", sealed, b"erp", secrets),
        ("cursor", sealed, b"crm", Secrets(bytes(32))),
        ("cursor", changed, b"crm", secrets),
        ("cursor", b"", b"crm", secrets),
    ]:
        with pytest.raises(BrokenVault, match="fails its check"):
            by.open(label, value, aad)


def test_names_and_fingerprints_are_short_hex_and_keyed() -> None:
    secrets = Secrets(KEY)
    assert len(bytes.fromhex(secrets.name_of("people.csv"))) == 8
    assert len(bytes.fromhex(secrets.fingerprint())) == 4
    assert secrets.name_of("people.csv") != Secrets(bytes(32)).name_of("people.csv")
    assert secrets.name_of("people.csv") != secrets.name_of("orders.csv")


def test_the_signing_key_is_the_same_for_the_same_master_key() -> None:
    signature = Secrets(KEY).signing_key().sign(b"head")
    Secrets(KEY).signing_key().public_key().verify(signature, b"head")


def test_the_key_is_not_in_its_repr() -> None:
    assert repr(Secrets(KEY)) == f"Secrets({Secrets(KEY).fingerprint()})"
