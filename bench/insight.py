"""All that is learned, of a shop of 20 events a person: seconds of each step of insight, and the peak of memory.

`python bench/insight.py DIR --people 1000000` makes DIR (bench/world.py's people, events and orders; beside them two lines an
order, four campaign touches a person, a post of every fifth, readings of 90 days from a device of every fiftieth), runs a turn
without insight, and then the turn that learns everything for the first time. A second day follows, on which models stand.
"""

from __future__ import annotations

import argparse
import json
from datetime import date, timedelta
from pathlib import Path

import duckdb

import world
from tessera.app import App
from tessera.insight.steps import STEPS
from turn import stage

AS_OF = date(2025, 11, 2)
MODELS = ("attribution", "value", "churn", "recommend", "interests", "upkeep")

TOPICS = """topics:
  security: {en: Security, zh: 安防, words_en: [doorbell, lock, alert], words_zh: [摄像头, 门锁, 报警], products: [P1]}
  lighting: {en: Lighting, zh: 照明, words_en: [light, lamp, bulb], words_zh: [灯光, 暖光, 灯带], products: [P2]}
  cleaning: {en: Cleaning, zh: 清洁, words_en: [vacuum, carpet, dust], words_zh: [扫地机器人, 地毯, 猫毛], products: [P3]}
  kitchen: {en: Kitchen, zh: 厨房, words_en: [kettle, espresso, recipe], words_zh: [厨房, 咖啡, 菜谱], products: [P4]}
"""

LINES = """
    SELECT order_id, n AS line, user_id, occurred_at, amount_cents // 2 AS amount_cents, currency, 1 + hash(order_id) % 3 AS quantity,
           'P' || floor(5000 * pow(hash(order_id || n) / 18446744073709551616.0, 2))::INT AS product_id
    FROM '{orders}' CROSS JOIN (VALUES (1), (2)) AS l(n)"""

TOUCHES = """
    SELECT 't' || i AS touch_id, 'a' || md5('a' || p) AS anonymous_id, CASE WHEN r2 < 0.2 THEN 'customer-' || p END AS user_id,
           TIMESTAMP '2025-01-01' + to_seconds((r * 300 * 86400)::BIGINT) AS occurred_at,
           ['search', 'social', 'email', 'display', 'affiliate', 'direct', 'video', 'print'][1 + floor(8 * r3 * r3)::INT] AS channel,
           ['impression', 'click', 'open'][1 + i % 3] AS kind
    FROM (SELECT i, ((floor({people} * pow(random(), 2))::BIGINT * 7919 + 13) % {people}) AS p, random() r, random() r2, random() r3
          FROM range(4 * {people}) t(i))"""

POSTS = """
    SELECT 'post' || i AS post_id, 'customer-' || (i * 5) AS user_id, 'weibo' AS network,
           TIMESTAMP '2025-01-01' + to_seconds((r * 300 * 86400)::BIGINT) AS occurred_at,
           CASE WHEN i % 2 = 0
                THEN concat_ws(' ', list_extract({en}, 1 + (i // 2) % {many_en}), list_extract({fill_en}, 1 + (r2 * 9.99)::INT % 10),
                               list_extract({fill_en}, 1 + (r3 * 9.99)::INT % 10), 'at home number', (r * 1000)::INT)
                ELSE concat(list_extract({fill_zh}, 1 + (r2 * 9.99)::INT % 10), list_extract({zh}, 1 + (i // 2) % {many_zh}),
                            list_extract({fill_zh}, 1 + (r3 * 9.99)::INT % 10), (r * 1000)::INT) END AS text
    FROM (SELECT i, random() r, random() r2, random() r3 FROM range({people} // 5) t(i))"""

DEVICES = """
    SELECT 'registered-d' || i AS message_id, 'track' AS type, 'Device Registered' AS event, 'customer-' || (i * 50) AS user_id,
           'd' || i AS device_id, TIMESTAMP '2025-07-01' AS occurred_at FROM range({people} // 50) t(i)"""

# Three metrics a day for ninety days; every twelfth device wears out for twenty days and then falls silent.
READINGS = """
    SELECT 'd' || i AS device_id, TIMESTAMP '2025-11-01 12:00:00' - to_days(90 - day) AS occurred_at, metric,
           30 + 5 * random() + CASE WHEN i % 12 = 0 THEN 2.0 * greatest(day - (i * 7919 % 80 - 20), 0) ELSE 0 END AS value,
           'm' || i % 3 AS model, CASE WHEN random() < 0.01 THEN 'E1' END AS error_code
    FROM range({people} // 50) t(i), range(90) d(day), (VALUES ('temperature'), ('vibration'), ('battery')) AS m(metric)
    WHERE i % 12 <> 0 OR day < i * 7919 % 80"""

LINE = (
    ("order_id", "string", "required", {"mapsTo": "order_id"}),
    ("line", "integer", "required", {"mapsTo": "line"}),
    ("user_id", "string", "required", {"identifier": "user_id"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("product_id", "string", "required", {"mapsTo": "product_id"}),
    ("quantity", "integer", "required", {"mapsTo": "quantity"}),
    ("amount_cents", "integer", "required", {"mapsTo": "amount_cents"}),
    ("currency", "string", "required", {"mapsTo": "currency"}),
)
TOUCH = (
    ("touch_id", "string", "primary", {"mapsTo": "touch_id"}),
    ("anonymous_id", "string", "required", {"identifier": "anonymous_id"}),
    ("user_id", "string", "", {"identifier": "user_id"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("channel", "string", "required", {"mapsTo": "channel"}),
    ("kind", "string", "required", {"mapsTo": "kind"}),
)
POST = (
    ("post_id", "string", "primary", {"mapsTo": "post_id"}),
    ("user_id", "string", "required", {"identifier": "user_id"}),
    ("network", "string", "required", {"mapsTo": "network"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("text", "string", "required", {"mapsTo": "text"}),
)
DEVICE = (
    ("message_id", "string", "primary", {"mapsTo": "message_id"}),
    ("type", "string", "required", {"mapsTo": "type"}),
    ("event", "string", "required", {"mapsTo": "event"}),
    ("user_id", "string", "required", {"identifier": "user_id"}),
    ("device_id", "string", "required", {"identifier": "device_id"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
)
READING = (
    ("device_id", "string", "required", {"identifier": "device_id"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("metric", "string", "required", {"mapsTo": "metric"}),
    ("value", "number", "required", {"mapsTo": "value"}),
    ("model", "string", "", {"mapsTo": "model"}),
    ("error_code", "string", "", {"mapsTo": "error_code"}),
)
SOURCES = (
    ("lines", "order_line", LINE), ("touches", "touch", TOUCH), ("posts", "post", POST), ("devices", "event", DEVICE),
    ("readings", "reading", READING),
)  # fmt: skip


def filled(people: int) -> dict[str, object]:
    """What the SELECTs above leave open: how many people, and the words of posts."""
    en, zh = (
        [word for line in TOPICS.splitlines()[1:] for word in line.split(f"words_{of}: [")[1].split("]")[0].split(", ")]
        for of in ("en", "zh")
    )
    fill_en = ["I love it", "today", "with friends", "so bright", "again", "a new one", "in the hall", "works", "finally", "nice"]
    fill_zh = ["今天", "真不错", "和朋友", "又买了", "新的", "在客厅", "终于", "推荐", "周末", "好用"]
    return {"people": people, "en": en, "zh": zh, "fill_en": fill_en, "fill_zh": fill_zh, "many_en": len(en), "many_zh": len(zh)}


def make(root: Path, people: int) -> None:
    """Writes what bench/world.py does, and the other sources beside it."""
    world.make(root, people)
    con = duckdb.connect()
    con.execute("SET threads=2; SET memory_limit='4GB'; SET preserve_insertion_order=false; SELECT setseed(0.5)")
    told = filled(people) | {"orders": root / "raw" / "orders" / "*.parquet"}
    selects = {"lines": LINES, "touches": TOUCHES, "posts": POSTS, "devices": DEVICES, "readings": READINGS}
    for name, select in selects.items():
        file = root / "raw" / name / "x0.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"COPY ({select.format(**told)}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")


def workspace(root: Path, memory: str) -> Path:
    """A workspace over it, which learns nothing yet."""
    acme = world.workspace(root, memory)
    for name, record, fields in SOURCES:
        (acme / "in" / name).mkdir(parents=True)
        (acme / "in" / name / "x0.parquet").symlink_to((root / "raw" / name / "x0.parquet").resolve())
        (acme / "sources" / f"{name}.odcs.yaml").write_text(world.contract(name, record, "append", fields))
    (acme / "interests.yaml").write_text(TOPICS)
    (acme / "insight.yaml").write_text(f"without: [{', '.join(MODELS)}]\n")
    return acme


def main() -> None:
    """As the words say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--memory", default="2500MB", help="DuckDB's limit")
    parser.add_argument("--again", action="store_true", help="DIR holds the files already")
    asked = parser.parse_args()
    if not asked.again:
        make(asked.dir, asked.people)
    acme = workspace(asked.dir, asked.memory)
    with App(acme, doing="bench") as app, stage("turn without insight", []) as found:
        found["rows"] = sum(getattr(landed, "rows", 0) for landed in app.turn()[0].values())
    (acme / "insight.yaml").write_text("churn: {groups: [language]}\n")
    names = {step.name for step in STEPS}
    settings = acme / "tessera.yaml"
    for day, what in ((AS_OF, "insight, the first time"), (AS_OF + timedelta(days=1), "insight, the next day")):
        settings.write_text("\n".join(f"as_of: {day}" if x.startswith("as_of") else x for x in settings.read_text().splitlines()))
        with App(acme, doing="bench") as app, stage(what, []) as found:
            _, done = app.turn(sync=False)
            seconds = {name: ran["seconds"] for name, ran in done.ran.items() if name in names}
            found["steps_s"] = round(sum(seconds.values()), 1)
            found["others_s"] = round(sum(ran["seconds"] for name, ran in done.ran.items() if name not in names), 1)
        print(json.dumps({name: [s, done.ran[name]["rows"]] for name, s in seconds.items()}), flush=True)


if __name__ == "__main__":
    main()
