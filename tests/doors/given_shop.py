"""A small shop for the command line's tests: two CSV sources, four people, one row that breaks its contract."""

from __future__ import annotations

from pathlib import Path

from tessera.scaffold import init

CRM = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:acme:contract:crm
name: crm
version: 1.0.0
status: active
team: {name: sales}
servers:
  - {server: files, type: local, path: files/crm.csv, format: csv}
customProperties:
  - {property: record, value: person}
  - {property: sync, value: snapshot}
schema:
  - name: customers
    properties:
      - {name: customer_no, logicalType: string, required: true, primaryKey: true,
         customProperties: [{property: identifier, value: user_id}]}
      - {name: full_name, logicalType: string, customProperties: [{property: mapsTo, value: name}]}
      - {name: mail, logicalType: string,
         customProperties: [{property: identifier, value: email}, {property: mapsTo, value: email}]}
      - {name: phone, logicalType: string,
         customProperties: [{property: identifier, value: phone}, {property: mapsTo, value: phone}]}
      - {name: land, logicalType: string, customProperties: [{property: mapsTo, value: country}]}
      - {name: study, logicalType: string, customProperties: [{property: consent, value: analytics}]}
"""

ORDERS = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:acme:contract:orders
name: orders
version: 1.0.0
status: active
team: {name: commerce}
servers:
  - {server: files, type: local, path: files/orders-*.csv, format: csv}
customProperties:
  - {property: record, value: order}
  - {property: goalPercent, value: 99}
  - {property: amounts, value: cents}
  - {property: currency, value: EUR}
schema:
  - name: orders
    properties:
      - {name: number, logicalType: string, required: true, primaryKey: true,
         customProperties: [{property: mapsTo, value: order_id}]}
      - {name: customer, logicalType: string, customProperties: [{property: identifier, value: user_id}]}
      - {name: at, logicalType: timestamp, customProperties: [{property: mapsTo, value: occurred_at}]}
      - {name: cents, logicalType: integer, logicalTypeOptions: {maximum: 10000},
         customProperties: [{property: mapsTo, value: amount_cents}]}
"""

PEOPLE = """\
customer_no,full_name,mail,phone,land,study
c1,Ann Ash,ann@example.org,+41790000001,CH,yes
c2,Ben Birch,ben@example.org,+41790000002,DE,no
c3,Cleo Cedar,cleo@example.org,+41790000009,CH,yes
c4,Dan Dogwood,dan@example.org,+41790000009,FR,yes
"""

SOLD = """\
number,customer,at,cents
o1,c1,2026-01-05 10:00:00,1500
o2,c1,2026-02-05 10:00:00,2500
o3,c2,2026-02-06 11:00:00,900
o4,c3,2026-03-01 12:00:00,99999
"""


def given(root: Path) -> Path:
    """The workspace in `root`, with its files, before its first turn. o4 breaks the orders' contract."""
    init(root)
    (root / "files").mkdir()
    (root / "files" / "crm.csv").write_text(PEOPLE, "utf-8")
    (root / "files" / "orders-1.csv").write_text(SOLD, "utf-8")
    (root / "sources" / "crm.odcs.yaml").write_text(CRM, "utf-8")
    (root / "sources" / "orders.odcs.yaml").write_text(ORDERS, "utf-8")
    return root
