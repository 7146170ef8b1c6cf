"""The posts: each topic in both languages, in the mood and about what the truth says."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from tessera.demo.phrases import CHINESE, ENGLISH
from tessera.demo.shop import TOPICS


def test_each_topic_has_words_in_both_languages() -> None:
    assert set(ENGLISH) == set(CHINESE) == set(TOPICS)


def test_a_post_is_about_the_topic_that_the_truth_says(world: Path) -> None:
    truth = {post["post_id"]: post for post in pq.read_table(world / "truth/posts.parquet").to_pylist()}
    posts = [json.loads(line) for line in (world / "posts/posts.jsonl").read_bytes().splitlines()]
    assert {post["post_id"] for post in posts} == set(truth)
    for post in posts:
        told = truth[post["post_id"]]
        said = (CHINESE if told["language"] == "zh" else ENGLISH)[told["topic"]]
        assert post["text"] is None or any(words in post["text"] for words in said)
        assert post["language"] == told["language"]


def test_some_writers_are_known_by_their_handle_alone(world: Path) -> None:
    posts = [json.loads(line) for line in (world / "posts/posts.jsonl").read_bytes().splitlines()]
    unknown = [post for post in posts if not post["author_email"] and not post["author_user_id"]]
    assert 0.1 < len(unknown) / len(posts) < 0.5
    assert {post["language"] for post in posts} == {"en", "zh"}
