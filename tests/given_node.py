"""An Ethereum node of another make (ganache, from the npm registry) as a real server, for the tests that are marked heavy."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", ".npmrc")
KEY = "0x" + "11" * 32
"""The key of the account that has money on the node; another one has none."""


def installed() -> Path:
    """The node's folder in the user's cache, installed once for each lock file; skips where there is no npm."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm or node is not installed")
    said = b"".join((HERE / name).read_bytes() for name in FILES)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tessera-tests"
    folder = base / f"node-{hashlib.sha256(said).hexdigest()[:12]}"
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            folder.mkdir(exist_ok=True)
            for name in FILES:
                shutil.copy(HERE / name, folder / name)
            done = subprocess.run(["npm", "ci", "--omit=optional"], cwd=folder, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr[-2000:]
            (folder / "ready").touch()
    return folder


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def node(folder: Path, *options: str) -> Iterator[str]:
    """A running node with its chain in `folder`; gives its address."""
    port = free_port()
    command = [
        "node", str(installed() / "node_modules" / "ganache" / "dist" / "node" / "cli.js"), "--server.host", "127.0.0.1",
        "--server.port", str(port), "--wallet.accounts", f"{KEY},0x{'f' * 24}", "--database.dbPath", str(folder),
        "--logging.quiet", *options,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            for _ in range(300):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None, server.stderr and server.stderr.read()
                time.sleep(0.1)
            else:
                pytest.fail("the node did not start within 30 s")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
