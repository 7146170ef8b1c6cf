"""doors.certificate and doors.http.tls: what `serve` speaks TLS with, made and renewed without anybody."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from tessera.doors.certificate import GOOD_DAYS, RENEW_DAYS, fingerprint, local, self_signed
from tessera.doors.http.tls import Tls
from tessera.errors import BadInput

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_it_is_for_this_machine_alone_and_its_key_for_its_owner(tmp_path: Path) -> None:
    cert, key = local(tmp_path / "tls", NOW)
    assert key.stat().st_mode & 0o777 == 0o600 and cert.parent.stat().st_mode & 0o777 == 0o700
    names = x509.load_pem_x509_certificate(cert.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert len(fingerprint(cert)) == 95


def test_it_is_made_once_and_anew_before_its_end(tmp_path: Path) -> None:
    cert, _ = local(tmp_path, NOW)
    first = fingerprint(cert)
    local(tmp_path, NOW + timedelta(days=GOOD_DAYS - RENEW_DAYS - 1))
    assert fingerprint(cert) == first
    local(tmp_path, NOW + timedelta(days=GOOD_DAYS - RENEW_DAYS))
    assert fingerprint(cert) != first


@pytest.mark.parametrize("broken", ["the key of another", "half a file", "no key"])
def test_a_pair_that_a_kill_left_is_made_anew(tmp_path: Path, broken: str) -> None:
    cert, key = local(tmp_path / "a", NOW)
    first = fingerprint(cert)
    if broken == "the key of another":
        key.write_bytes(local(tmp_path / "b", NOW)[1].read_bytes())
    elif broken == "half a file":
        cert.write_bytes(cert.read_bytes()[:100])
    else:
        key.unlink()
    Tls(*local(tmp_path / "a", NOW)).check()
    assert fingerprint(cert) != first


def test_a_renewed_certificate_is_taken_without_a_restart_and_a_broken_one_is_not(tmp_path: Path) -> None:
    tls = Tls(*self_signed(tmp_path))
    context = tls.context()
    assert shown(context) == fingerprint(tls.cert) and not tls.look()
    self_signed(tmp_path)
    assert tls.look() and shown(context) == fingerprint(tls.cert) and not tls.look()
    good = shown(context)
    tls.cert.write_text("nothing")
    with pytest.raises(BadInput, match="cannot be used"):
        tls.look()
    assert shown(context) == good


def shown(server: ssl.SSLContext) -> str:
    """The fingerprint of the certificate that a client is shown, over memory."""
    import hashlib

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    der = ends[0].getpeercert(binary_form=True)
    assert der
    return ":".join(f"{b:02X}" for b in hashlib.sha256(der).digest())
