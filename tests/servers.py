"""Real servers for tests, each on a free port with nothing in it: a PostgreSQL, an MQTT broker."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty database; skipped where Debian's PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if as_user:
            shutil.chown(folder, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data = folder / "data"
        init = [str(binaries / "initdb"), "-D", str(data), "-U", "tessera", "-A", "trust", "-E", "UTF8", "--no-sync"]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
        subprocess.run([*as_user, *init, "--locale=C.UTF-8"], **quiet)
        subprocess.run([*as_user, *control, "-l", str(folder / "log"), "-o", options, "start"], **quiet)
        try:
            yield f"postgresql+psycopg://tessera@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*as_user, *control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def self_signed(certificate: Path, key: Path) -> None:
    """Writes a certificate for 127.0.0.1 that vouches for itself, and its key (PEM)."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(secret.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(secret, hashes.SHA256())
    )  # fmt: skip
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


MOSQUITTO = Path("/usr/sbin/mosquitto")


class Mosquitto:
    """A real MQTT broker of its own on a free port, which keeps its sessions over a restart; `user`, `password`: who may."""

    user, password = "fleet", "a test's own"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        passwords = folder / "passwords"
        passwords.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), self.user, self.password], check=True)
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\npersistence true\n"
            f"persistence_location {folder}/\nmax_queued_messages 0\nmax_inflight_messages 100\nlog_dest file {folder}/log\n"
            + ("user root\n" if os.geteuid() == 0 else "")
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def authority(self) -> Path:
        """The certificate that it signs its own with, once it speaks TLS."""
        return self.folder / "ca.pem"

    def tls(self) -> int:
        """Starts again with TLS on another port, which it returns."""
        self.stop()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self_signed(self.authority, self.folder / "key.pem")
        with (self.folder / "mosquitto.conf").open("a") as settings:
            settings.write(f"listener {port} 127.0.0.1\ncertfile {self.authority}\nkeyfile {self.folder}/key.pem\n")
        self.start()
        return port

    def start(self) -> None:
        """Returns once it answers."""
        self.process = subprocess.Popen([str(MOSQUITTO), "-c", str(self.folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError("the broker did not start")

    def stop(self) -> None:
        """Returns once it has written its sessions and is gone."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker; skipped where Debian's Mosquitto is not installed."""
    if not MOSQUITTO.exists():
        pytest.skip("Mosquitto is not installed: apt-get install mosquitto")
    (tmp_path / "broker").mkdir()
    made = Mosquitto(tmp_path / "broker")
    yield made
    made.stop()
