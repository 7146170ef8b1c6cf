"""Certificates for this machine alone: made where none is configured, renewed before their end."""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

GOOD_DAYS, RENEW_DAYS = 397, 30
"""How long a certificate holds (browsers take none that holds longer), and how long before its end the next one is made."""

_ADDRESSES = ("127.0.0.1", "::1")


def self_signed(folder: Path, *, days: int = GOOD_DAYS, now: datetime | None = None) -> tuple[Path, Path]:
    """Writes a certificate for localhost and its key (0600) into a folder; returns their files.

    Each file appears whole or not at all; a kill between the two leaves a pair that does not match (see `local`).
    """
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = now or datetime.now(UTC)
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in _ADDRESSES)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    _write(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _write(cert_file, made.public_bytes(Encoding.PEM), 0o644)
    return cert_file, key_file


def local(folder: Path, now: datetime) -> tuple[Path, Path]:
    """The certificate for localhost that lies in a folder, and its key; made anew where there is none, where the two do not
    belong together, or where it ends within RENEW_DAYS."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    try:
        cert = x509.load_pem_x509_certificate(cert_file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), None)
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ours = key.public_key().public_bytes(*form) == cert.public_key().public_bytes(*form)
        if ours and cert.not_valid_before_utc <= now < cert.not_valid_after_utc - timedelta(days=RENEW_DAYS):
            return cert_file, key_file
    except (OSError, ValueError, TypeError):
        pass
    return self_signed(folder, now=now)


def fingerprint(cert_file: Path) -> str:
    """The SHA-256 of the first certificate in a PEM file, as browsers show it. Raises ValueError if there is none."""
    digest = x509.load_pem_x509_certificate(cert_file.read_bytes()).fingerprint(SHA256())
    return ":".join(f"{byte:02X}" for byte in digest)


def _write(path: Path, data: bytes, mode: int) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
