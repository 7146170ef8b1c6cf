"""What the pages bring along: style, script, font, icons; under names that change with what is in them, so kept for ever."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from tessera.doors.http.answers import plain

AT = "/static/"
TYPES = {
    "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "woff2": "font/woff2",
}  # fmt: skip
FOR_EVER = "public, max-age=31536000, immutable"
_URL = re.compile(rb"url\(([a-z0-9.-]+)\)")
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file. packed: gzipped; None where that saves nothing."""

    name: str
    type: str
    data: bytes
    packed: bytes | None

    @property
    def address(self) -> str:
        """Where it is served: its name with a hash of what is in it."""
        stem, _, kind = self.name.rpartition(".")
        return f"{AT}{stem}.{hashlib.sha256(self.data).hexdigest()[:12]}.{kind}"


@cache
def assets() -> dict[str, Asset]:
    """Every file of static/ by its name."""
    found = {f.name: f.read_bytes() for f in files("tessera.doors.pages").joinpath("static").iterdir() if f.is_file()}
    made: dict[str, Asset] = {}
    # What style names (the font) comes first, for its address stands in the style.
    for name in sorted(found, key=lambda n: n.endswith(".css")):
        kind = name.rpartition(".")[2]
        data = found[name]
        if kind == "css":
            data = _URL.sub(lambda named: b"url(" + made[named[1].decode()].address.encode() + b")", data)
        packed = gzip.compress(data, 9, mtime=0) if kind != "woff2" else None
        made[name] = Asset(name=name, type=TYPES[kind], data=data, packed=packed)
    return made


@cache
def _at() -> dict[str, Asset]:
    return {asset.address.removeprefix(AT): asset for asset in assets().values()}


def address(name: str) -> str:
    """Where a file of static/ is served."""
    return assets()[name].address


@router.get(AT + "{name}")
async def served(request: Request, name: str) -> Response:
    """One file, to be kept for ever."""
    asset = _at().get(name)
    if asset is None:
        return plain(404)
    packed = asset.packed if "gzip" in request.headers.get("accept-encoding", "") else None
    headers = {"cache-control": FOR_EVER, "vary": "accept-encoding", **({"content-encoding": "gzip"} if packed else {})}
    return Response(packed or asset.data, media_type=asset.type, headers=headers)
