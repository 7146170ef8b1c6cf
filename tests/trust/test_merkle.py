"""Trees of RFC 9162: every small tree, every proof, and forged ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tessera.trust.merkle import (
    EMPTY,
    Peaks,
    Tree,
    TreeFile,
    leaf_hash,
    node_hash,
    nodes_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(b"%d" % i) for i in range(65)]
REFERENCE = [b"", b"\0", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", bytes(range(0x50, 0x58)), bytes(range(0x60, 0x70))]  # fmt: skip  # noqa: E501
"""The eight leaves of the Certificate Transparency reference tests."""


def plain_root(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(plain_root(leaves[:k]), plain_root(leaves[k:]))


def test_the_reference_leaves_give_the_reference_root() -> None:
    tree = Tree([leaf_hash(entry) for entry in REFERENCE])
    assert tree.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert tree.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_roots_are_those_of_the_definition() -> None:
    tree, edge = Tree(LEAVES), Peaks()
    assert tree.root(0) == edge.root() == EMPTY
    for size in range(1, 66):
        edge.push(LEAVES[size - 1])
        assert tree.root(size) == edge.root() == plain_root(LEAVES[:size])


def test_every_entry_of_every_small_tree_is_proved_and_forged_ones_are_refused() -> None:
    tree = Tree(LEAVES)
    for size in range(1, 66):
        root = tree.root(size)
        for index in range(size):
            path = tree.inclusion(index, size)
            leaf = LEAVES[index]
            assert verify_inclusion(leaf, index, size, path, root)
            assert not verify_inclusion(leaf_hash(b"forged"), index, size, path, root)
            assert not verify_inclusion(leaf, index ^ 1, size, path, root) or size == 1
            assert not verify_inclusion(leaf, index, size, [*path, EMPTY], root)
            assert not verify_inclusion(leaf, index, size, path, tree.root(size - 1))
            if path:
                assert not verify_inclusion(leaf, index, size, path[:-1], root)
                assert not verify_inclusion(leaf, index, size, [EMPTY, *path[1:]], root)
        assert not verify_inclusion(LEAVES[0], size, size, [], root)


def test_every_pair_of_small_trees_is_consistent_and_rewritten_ones_are_refused() -> None:
    tree = Tree(LEAVES)
    for second in range(66):
        root = tree.root(second)
        for first in range(second + 1):
            path = tree.consistency(first, second)
            old = tree.root(first)
            assert verify_consistency(first, second, path, old, root)
            assert not verify_consistency(first, second, path, leaf_hash(b"rewritten"), root)
            assert not verify_consistency(first, second, [*path, EMPTY], old, root)
            if first:
                assert not verify_consistency(first, second, path, old, leaf_hash(b"rewritten"))
            if path:
                assert not verify_consistency(first, second, path[:-1], old, root)
                assert not verify_consistency(first, second, [EMPTY, *path[1:]], old, root)
            assert not verify_consistency(second + 1, second, path, old, root)


def test_a_tree_file_opens_again_at_every_size_and_answers_as_the_tree_in_memory(tmp_path: Path) -> None:
    memory = Tree(LEAVES)
    for size in range(66):
        path = tmp_path / f"{size}.bin"
        tree = TreeFile(path)
        tree.extend(LEAVES[: size // 2])
        tree.sync()
        tree.close()
        tree = TreeFile(path)
        for leaf in LEAVES[size // 2 : size]:
            tree.append(leaf)
        assert path.stat().st_size == 32 * nodes_of(size)
        assert (tree.size, tree.root(), tree.root(size)) == (size, memory.root(size), memory.root(size))
        assert all(tree.inclusion(i) == memory.inclusion(i, size) for i in range(size))
        assert [tree.leaf(i) for i in range(size)] == LEAVES[:size]
        tree.close()


def test_a_torn_tree_file_opens_at_its_last_whole_leaf(tmp_path: Path) -> None:
    path = tmp_path / "tree.bin"
    tree = TreeFile(path)
    tree.extend(LEAVES[:23])
    tree.close()
    whole = path.read_bytes()
    memory = Tree(LEAVES)
    for length in range(len(whole), -1, -7):
        path.write_bytes(whole[:length])
        tree = TreeFile(path)
        assert nodes_of(tree.size) * 32 <= length < nodes_of(tree.size + 1) * 32
        assert tree.root() == memory.root(tree.size)
        tree.extend(LEAVES[tree.size : 30])
        assert tree.root() == memory.root(30)
        tree.close()


def test_a_cut_tree_goes_on_as_if_the_rest_had_never_been(tmp_path: Path) -> None:
    tree = TreeFile(tmp_path / "tree.bin")
    tree.extend(LEAVES)
    tree.cut(11)
    assert tree.root() == Tree(LEAVES[:11]).root()
    tree.extend(LEAVES[20:25])
    assert tree.root() == Tree(LEAVES[:11] + LEAVES[20:25]).root()
    tree.close()


@pytest.mark.parametrize("index", [-1, 5])
def test_what_the_tree_does_not_hold_is_refused(index: int) -> None:
    tree = Tree(LEAVES[:5])
    for ask in (tree.leaf, tree.inclusion):
        with pytest.raises(IndexError):
            ask(index)
    for size in (-1, 6):
        with pytest.raises(IndexError):
            tree.root(size)
        with pytest.raises(IndexError):
            tree.consistency(size, 5)
