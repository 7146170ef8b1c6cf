"""A whole workspace for tests: what init writes, with two contracts that are read."""

from __future__ import annotations

from pathlib import Path

from tessera.data.raw import RAW
from tessera.scaffold import init

WORDS = {kind: {c.name: c.category for c in table.columns} for kind, table in RAW.items()}
TABLES = {table.name: [c.name for c in table.columns] for table in RAW.values()}
ENV = {"SHOP_PASSWORD": "s3cret"}

SHOP = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:acme:contract:shop
name: shop
version: 1.2.0
status: active
servers:
  - server: db
    type: custom
    customProperties:
      - {property: connection, value: "postgresql://shop:${SHOP_PASSWORD}@${SHOP_HOST:-db}/shop"}
      - {property: query, value: SELECT * FROM orders}
customProperties:
  - {property: record, value: order}
  - {property: sync, value: cursor}
  - {property: cursor, value: changed}
  - {property: amounts, value: units}
  - {property: currency, value: CHF}
schema:
  - name: orders
    quality:
      - {metric: missingValues, mustBeLessOrEqualTo: 3, unit: percent}
    properties:
      - name: number
        logicalType: string
        required: true
        primaryKey: true
        customProperties: [{property: mapsTo, value: order_id}]
      - name: changed
        logicalType: timestamp
        customProperties: [{property: mapsTo, value: occurred_at}]
      - name: mail
        logicalType: string
        customProperties: [{property: identifier, value: email}, {property: joins, value: false}]
      - name: total
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 100000}
        customProperties: [{property: mapsTo, value: amount_cents}]
      - name: way
        logicalType: string
        enum: [{value: web}, {value: no}]
        customProperties: [{property: mapsTo, value: channel}]
      - name: gift_note
        logicalType: string
        customProperties: [{property: category, value: user.content.private}]
"""


def given(root: Path) -> Path:
    """A workspace in `root` with the sources crm (files) and shop (a database)."""
    init(root, user="ann")
    example = root / "sources" / "example.odcs.yaml.txt"
    (root / "sources" / "crm.odcs.yaml").write_text(example.read_text("utf-8"), "utf-8")
    (root / "sources" / "shop.odcs.yaml").write_text(SHOP, "utf-8")
    return root
