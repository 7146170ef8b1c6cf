"""Topics of short texts in two languages: without labels, beyond the keywords; strength that fades; sealed text by the gate."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from tessera.config import Topic
from tessera.errors import BadInput
from tessera.insight.interests import classifier, interests, keywords, post_topics, weak
from tessera.lake.engine import connect, rows
from tessera.lake.view import View, over
from tessera.trust.opened import Opener

TOPICS = (
    Topic(name="garden", en="Garden", zh="花园", words_en=("tomato", "lawn"), words_zh=("番茄", "草坪"), products=("G",)),
    Topic(name="audio", en="Audio", zh="音响", words_en=("song", "speaker"), words_zh=("音箱", "歌曲"), products=("A",)),
)
SAID = {
    "garden": ("watering the {} at dawn", "the {} needs soil and sun", "给{}浇水施肥", "{}今年长得很好，泥土湿润"),
    "audio": ("the {} has a deep bass", "turn the {} up, what a sound", "{}低音震撼", "用{}听音乐很享受"),
}
WORDS = {"garden": ("tomato", "lawn", "番茄", "草坪"), "audio": ("song", "speaker", "音箱", "歌曲")}


def posts(n: int = 200, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [("garden", "audio")[rng.integers(2)] for _ in range(n)]
    texts = [
        SAID[t][k].format(WORDS[t][2 * (k > 1) + rng.integers(2)]) for t, k in zip(labels, rng.integers(0, 4, n), strict=True)
    ]
    return texts, labels


def test_a_taxonomy_alone_teaches_topics_that_no_keyword_names() -> None:
    texts, _ = posts()
    found = weak.learned(texts, TOPICS)
    assert found.model is not None and found.labelled == 200
    new = ["watering at dawn, soil and sun", "a deep bass, what a sound", "浇水施肥，泥土", "低音震撼，享受音乐"]
    there = keywords.find(new, TOPICS)
    assert there.hits.sum() == 0
    told = weak.chances(found.model, new, there, TOPICS)
    assert [TOPICS[i].name for i in told.argmax(axis=1)] == ["garden", "audio", "garden", "audio"]
    assert (told.argmax(axis=1) == [0, 1, 0, 1]).all() and told.max(axis=1).min() > 0.6


def test_keywords_are_whole_words_in_english_and_any_place_in_chinese() -> None:
    found = keywords.find(["Tomatoes!", "a lawnmower", "我的番茄", "", "tomatoes and 番茄 on the lawn, a song"], TOPICS)
    assert found.hits.tolist() == [[1, 0], [0, 0], [1, 0], [0, 0], [3, 1]]
    assert found.words(4, 0) == ["tomato", "lawn", "番茄"] and found.words(4, 1) == ["song"] and found.words(3, 0) == []


def test_with_too_few_texts_keywords_decide_alone() -> None:
    found = weak.learned(["a song", "nothing"], TOPICS)
    assert found.model is None
    new = ["a song", "nothing"]
    assert weak.chances(None, new, keywords.find(new, TOPICS), TOPICS).tolist() == [[0, 1], [0, 0]]


def test_a_classifier_is_the_same_twice_says_which_characters_decided_and_its_chances_sum_to_one() -> None:
    texts, labels = posts()
    once, again = (classifier.fit(texts, labels) for _ in range(2))
    new = ["watering the tomato 番茄浇水"]
    chances = once.chances(new)
    assert np.array_equal(chances, again.chances(new)) and chances.sum() == pytest.approx(1)
    garden = once.classes.index("garden")
    assert chances[0].argmax() == garden and once.telling(new[0], garden)
    with pytest.raises(BadInput, match="two topics"):
        classifier.fit(texts, ["one"] * len(texts))


def test_an_embedding_beside_the_characters_counts() -> None:
    rng = np.random.default_rng(0)
    labels = [str(i % 2) for i in range(200)]
    extra = np.array([[float(i % 2)] for i in range(200)]) + rng.normal(0, 0.1, (200, 1))
    texts = ["".join(rng.choice(list("abcdef"), 8)) for _ in range(200)]
    model = classifier.fit(texts, labels, extra=extra)
    told = model.chances(texts[:2], np.array([[0.0], [1.0]]))
    assert told.argmax(axis=1).tolist() == [0, 1]


def test_an_interest_fades_by_half_lives_and_says_what_it_rests_on() -> None:
    con = connect(threads=1)
    con.execute("""CREATE TABLE p AS SELECT 1 AS key_id, 'x' AS post_id, TIMESTAMPTZ '2026-03-01T00:00:00Z' AS occurred_at,
            'garden' AS topic, 1.0 AS sure, 'lawn' AS words;
        CREATE TABLE e AS SELECT 1 AS key_id, 'A1' AS product_id, TIMESTAMPTZ '2026-03-31T00:00:00Z' AS occurred_at;
        CREATE TABLE o AS SELECT 2 AS key_id, 'A2' AS product_id, TIMESTAMPTZ '2026-03-31T00:00:00Z' AS occurred_at,
            1 AS quantity;
        CREATE TABLE m AS SELECT unnest([1, 2]) AS key_id, 7 AS person_id""")
    views = {
        name: View(table=name, version=1, purpose="personalise", sql=f"(SELECT * FROM {table})", columns=())
        for name, table in (("post_topics", "p"), ("events", "e"), ("order_lines", "o"), ("membership", "m"))
    }
    found = rows(con, over(views, interests.sql(TOPICS, 30, date(2026, 3, 30))))
    assert [(r[1], r[2], r[3], r[5], r[6], r[7], r[8]) for r in found] == [("garden", "Garden", "花园", 1, 0, 0, "lawn")]
    assert found[0][4] == pytest.approx(1 - np.exp(-(0.5)), abs=0.01)
    audio = rows(con, over(views, interests.sql(TOPICS, 30, date(2026, 4, 29))))[0]
    assert audio[1] == "audio" and audio[5:8] == (0, 1, 1) and audio[4] == pytest.approx(1 - np.exp(-0.6), abs=0.02)


def test_sealed_text_is_opened_for_rows_of_the_view_and_for_declared_columns_alone() -> None:
    con = connect(threads=1)
    con.execute("CREATE TABLE p AS SELECT unnest([10, 11, 12]) AS text, unnest(['a', 'b', 'c']) AS post_id")

    class Vault:
        asked: list[int] = []

        def unseal(self, record_ids: list[int]) -> dict[int, bytes]:
            self.asked += list(record_ids)
            return {n: b'{"text": "said %d"}' % n for n in record_ids if n != 12}

    view = View(table="posts", version=1, purpose="personalise", sql="(SELECT * FROM p WHERE post_id <> 'b')", columns=())
    opener = Opener(con=con, vault=Vault(), views={"posts": view}, opens=(("posts", "text"),))
    (found,) = opener("posts", "text", ("post_id",), "post_id")
    assert found.to_pylist() == [{"post_id": "a", "text": "said 10"}, {"post_id": "c", "text": None}]
    assert Vault.asked == [10, 12]
    with pytest.raises(PermissionError, match="does not declare"):
        next(opener("posts", "post_id", (), "post_id"))


def test_the_declared_lineage_names_every_column() -> None:
    for step in (post_topics.STEP, interests.STEP):
        assert sorted(step.lineage) == sorted(step.writes.names)


def test_posts_become_topics_without_a_word_of_their_own() -> None:
    texts, labels = posts(60)
    at = [datetime(2026, 3, 1, tzinfo=UTC)] * 61
    chunk = pa.table({"key_id": pa.array(range(61), pa.int32()), "source": ["s"] * 61, "post_id": [f"p{i}" for i in range(61)],
                      "occurred_at": at, "text": [*(f"{t} call Ann 0171" for t in texts), None]})  # fmt: skip
    *told, nothing = post_topics._told(chunk, weak.learned(texts, TOPICS).model, TOPICS, "m").to_pylist()
    assert [r["topic"] for r in told] == labels and all(0.5 <= r["sure"] <= 1 for r in told)
    allowed = {w for t in TOPICS for w in (*t.words_en, *t.words_zh)}
    assert all(set(r["words"].split(", ")) <= allowed for r in told)
    assert (nothing["topic"], nothing["sure"], nothing["words"], nothing["model"]) == (None, None, None, "m")
