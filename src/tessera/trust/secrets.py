"""The master key, and the keys derived from it: who has it can read the vault, who has lost it cannot."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tessera.errors import BrokenVault
from tessera.trust import shamir

VARIABLE = "TESSERA_MASTER_KEY"
FILE_NAME = "master.key"
KEY_BYTES = 32
NONCE_BYTES = 12


def create(folder: Path, key: bytes | None = None) -> Path:
    """Write a new master key, or one that was rebuilt, into a folder (made if missing, set to 0700); return its path.

    The file holds 32 random bytes of the operating system as base64, mode 0600, and is on the disk when this returns.
    Raises BrokenVault if a key is already there: overwriting it would make every sealed value unreadable.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / FILE_NAME
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BrokenVault(f"{path} exists and is never overwritten. Use it, or name another folder.") from None
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(key or os.urandom(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
    return path


class Secrets:
    """The master key in memory; it leaves only as derived keys and as recovery shares. Safe to share between threads."""

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise BrokenVault(f"A master key has {KEY_BYTES} bytes, not {len(master)}.")
        self._master = master
        self._derived = lru_cache(maxsize=None)(self._derive)

    def __repr__(self) -> str:
        return f"Secrets({self.fingerprint()})"

    @classmethod
    def load(cls, folder: Path, env: Mapping[str, str] = os.environ) -> Secrets:
        """The key of the environment (TESSERA_MASTER_KEY: base64 or hex, 32 bytes), else of `folder/master.key`.

        Raises BrokenVault, which says what to do and never shows the key: no key, not 32 bytes, or a file that others
        than its owner may touch.
        """
        if text := env.get(VARIABLE, "").strip():
            return cls(decoded(text, VARIABLE))
        path = folder / FILE_NAME
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise BrokenVault(f"{path} has mode {mode:04o}: others may touch it. Run: chmod 600 {path}")
                return cls(decoded(file.read().decode("ascii", "replace").strip(), str(path)))
        except FileNotFoundError:
            raise BrokenVault(
                f"No master key: {VARIABLE} is not set and {path} is missing. Put your copy of the key there, "
                "rebuild it from recovery shares (tessera key recover), or run `tessera init` for a new workspace."
            ) from None
        except PermissionError:
            raise BrokenVault(f"{path} may not be read by this user. Run as its owner, or set {VARIABLE}.") from None

    def split(self, threshold: int, count: int) -> dict[int, bytes]:
        """Points of the master key, of which any `threshold` rebuild it (see shamir): for recovery shares alone."""
        return shamir.split(self._master, threshold, count)

    def derive(self, label: str) -> bytes:
        """The 32-byte key for one use: HKDF-SHA256 (RFC 5869) of the master key, the label as its info."""
        return self._derived(label)

    def _derive(self, label: str) -> bytes:
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"tessera/1/" + label.encode()).derive(self._master)

    def seal(self, label: str, plaintext: bytes, aad: bytes = b"") -> bytes:
        """A small value, sealed by AES-256-GCM under derive(label): random nonce (12 bytes), ciphertext, tag (16)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.derive(label)).encrypt(nonce, plaintext, aad)

    def open(self, label: str, sealed: bytes, aad: bytes = b"") -> bytes:
        """What `seal` was given, for the same label and aad; BrokenVault if it was sealed otherwise or changed."""
        try:
            return AESGCM(self.derive(label)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
        except (InvalidTag, ValueError):
            raise BrokenVault(
                f"A value sealed for {label!r} fails its check: it was changed, or sealed under another master key "
                f"than {self.fingerprint()}."
            ) from None

    def name_of(self, text: str) -> str:
        """16 hex digits that stand for a text (a file name, say) and tell nothing without the master key."""
        return hashlib.blake2b(text.encode(), key=self.derive("names"), digest_size=8).hexdigest()

    def fingerprint(self) -> str:
        """8 hex digits by which two master keys differ; safe to store and to show."""
        return self.derive("fingerprint")[:4].hex()

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs the ledger's heads: the same one for the same master key."""
        return Ed25519PrivateKey.from_private_bytes(self.derive("ledger-signing"))


def decoded(text: str, origin: str) -> bytes:
    """32 bytes from 64 hex digits or 44 base64 characters (also the URL alphabet); BrokenVault names the origin."""
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise BrokenVault(f"{origin} does not hold a master key: expected 32 bytes as base64 or as 64 hex digits.")
    return key
