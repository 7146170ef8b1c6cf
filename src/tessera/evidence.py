"""The evidence pack of a request: a zip with its signed receipt and a proof of each step's entry, checked without us."""

from __future__ import annotations

import io
import json
import zipfile

import msgspec

from tessera.copies import EARLIEST
from tessera.desk import Desk
from tessera.request_receipt import page
from tessera.trust.trail import pem_of

READ_ME = """Evidence of request {request}, {controller}

receipt.json      what was asked, by when it was due, how identity was made sure, each step with its entry of the ledger, and
                  what came of it; signed with the ledger's key
receipt-en.html, receipt-zh.html   the same, to be read
proofs/           for each entry: its line, and its path to a signed head of the ledger. A proof names nobody
public.pem        the key of both

To check, with any Tessera and without our data:
    tessera ledger verify --proof proofs/entry-N.json --public-key public.pem
    tessera request receipt {request} --check receipt.json      (in our workspace)

----

请求 {request} 的证据，{controller}

receipt.json      请求的内容、期限、核实身份的方式、每一步对应的账本条目以及处理结果；由账本密钥签名
receipt-en.html、receipt-zh.html   供阅读的同一内容
proofs/           每个条目的证明：条目原文，以及通往账本签名头的路径。证明中不含任何人的信息
public.pem        以上两者的公钥

无需我们的数据，使用任意 Tessera 即可核验：
    tessera ledger verify --proof proofs/entry-N.json --public-key public.pem
"""


def pack(desk: Desk, number: int) -> bytes:
    """The zip. It holds what the receipt holds, and so nothing of her but what was written to her as a reason."""
    made = desk.receipt(number)
    files: dict[str, bytes] = {
        "README.txt": READ_ME.format(request=number, controller=made["controller"]).encode(),
        "receipt.json": json.dumps(made, indent=1, ensure_ascii=False).encode(),
        "receipt-en.html": page(made, "en").encode(),
        "receipt-zh.html": page(made, "zh").encode(),
        "public.pem": pem_of(desk.rooms.ledger.public_key),
    }
    for event in made["history"]:
        proof = desk.rooms.people.proof(event["entry"])
        files[f"proofs/entry-{event['entry']}.json"] = msgspec.json.format(msgspec.json.encode(proof), indent=1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (EARLIEST.year, EARLIEST.month, EARLIEST.day, 0, 0, 0))
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(info, data)
    return out.getvalue()
