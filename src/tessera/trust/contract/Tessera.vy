# pragma version 0.4.3
# pragma evm-version shanghai
# pragma optimize gas
"""
@title What a Tessera ledger commits to, and until when a consent holds
@license Apache-2.0
@notice Roots and salted commitments only: nothing here leads to a person without a salt that the operator keeps, and
        loses with her. Trees and their paths are those of RFC 9162 (SHA-256, 0x00 before a leaf, 0x01 before two nodes).
"""

MOST: constant(uint256) = 128

event Anchored:
    number: indexed(uint256)
    size: uint64
    root: bytes32

event Consented:
    number: indexed(uint256)
    size: uint64
    root: bytes32

event Granted:
    commitment: indexed(bytes32)
    expiry: uint64

event Revoked:
    commitment: indexed(bytes32)

event Burned:
    root: indexed(bytes32)
    size: uint64

owner: public(address)
count: public(uint256)
consent_count: public(uint256)

# A root, and in one more word the size of its tree and the block's time: (size << 64) | time.
struct Stamp:
    root: bytes32
    facts: uint256

_heads: HashMap[uint256, Stamp]
_consents: HashMap[uint256, Stamp]

# (state << 64) | expiry. An expiry of 0 is no end.
_grants: HashMap[bytes32, uint256]
GRANTED: constant(uint256) = 1 << 64
REVOKED: constant(uint256) = 1 << 65

# (1 << 128) | (size << 64) | time
_burns: HashMap[bytes32, uint256]

LOW: constant(uint256) = 2 ** 64 - 1


@deploy
def __init__():
    self.owner = msg.sender


@internal
@view
def _only_owner():
    assert msg.sender == self.owner, "not the owner"


@internal
@view
def _facts(size: uint64) -> uint256:
    return (convert(size, uint256) << 64) | block.timestamp


@external
def anchor(size: uint64, root: bytes32):
    """
    @notice Keeps the head of the ledger: the root over its first `size` entries. Earlier heads stay; size grows.
    """
    self._only_owner()
    number: uint256 = self.count
    if number > 0:
        assert convert(size, uint256) > self._heads[number - 1].facts >> 64, "the log would not grow"
    else:
        assert size > 0, "an empty log"
    self._heads[number] = Stamp(root=root, facts=self._facts(size))
    self.count = number + 1
    log Anchored(number=number, size=size, root=root)


@external
def consent(size: uint64, root: bytes32):
    """
    @notice Keeps the root over all consents that hold now, `size` of them. The newest one counts.
    """
    self._only_owner()
    number: uint256 = self.consent_count
    self._consents[number] = Stamp(root=root, facts=self._facts(size))
    self.consent_count = number + 1
    log Consented(number=number, size=size, root=root)


@external
def grant(commitments: DynArray[bytes32, MOST], expiries: DynArray[uint64, MOST]):
    """
    @notice Keeps commitments of people who asked for their own, each with its expiry (a block time; 0: none).
    """
    self._only_owner()
    assert len(commitments) == len(expiries), "as many expiries as commitments"
    for i: uint256 in range(len(commitments), bound=MOST):
        expiry: uint64 = expiries[i]
        assert self._grants[commitments[i]] == 0, "granted or revoked before"
        assert expiry == 0 or convert(expiry, uint256) > block.timestamp, "already over"
        self._grants[commitments[i]] = GRANTED | convert(expiry, uint256)
        log Granted(commitment=commitments[i], expiry=expiry)


@external
def revoke(commitments: DynArray[bytes32, MOST]):
    """
    @notice Ends commitments for good. What was revoked before stays so.
    """
    self._only_owner()
    for commitment: bytes32 in commitments:
        if self._grants[commitment] & REVOKED == 0:
            self._grants[commitment] = self._grants[commitment] | REVOKED
            log Revoked(commitment=commitment)


@external
def burn(root: bytes32, size: uint64):
    """
    @notice Says for good that the `size` things under this root were destroyed. A commitment burns as a root of size 1.
    """
    self._only_owner()
    assert size > 0, "nothing burned"
    assert self._burns[root] == 0, "burned before"
    self._burns[root] = (1 << 128) | self._facts(size)
    log Burned(root=root, size=size)


@external
@view
def head(number: uint256) -> (uint64, bytes32, uint64):
    """
    @notice Size, root and block time of an anchored head. Reverts if there is none.
    """
    assert number < self.count, "no such head"
    found: Stamp = self._heads[number]
    return convert(found.facts >> 64, uint64), found.root, convert(found.facts & LOW, uint64)


@external
@view
def consents(number: uint256) -> (uint64, bytes32, uint64):
    """
    @notice Size, root and block time of a consent root. Reverts if there is none.
    """
    assert number < self.consent_count, "no such root"
    found: Stamp = self._consents[number]
    return convert(found.facts >> 64, uint64), found.root, convert(found.facts & LOW, uint64)


@external
@view
def held(commitment: bytes32) -> (uint256, uint64):
    """
    @notice What is kept of a commitment: 0 nothing, 1 granted, 2 or 3 revoked; and its expiry.
    """
    held: uint256 = self._grants[commitment]
    return held >> 64, convert(held & LOW, uint64)


@external
@view
def usable(commitment: bytes32) -> bool:
    """
    @notice Whether a commitment was granted, is not revoked or burned, and has not expired by the block's time.
    """
    held: uint256 = self._grants[commitment]
    expiry: uint256 = held & LOW
    return held >> 64 == 1 and self._burns[commitment] == 0 and (expiry == 0 or block.timestamp < expiry)


@external
@view
def consented(commitment: bytes32, expiry: uint64, index: uint64, path: DynArray[bytes32, 64]) -> bool:
    """
    @notice Whether a commitment with this expiry is under the newest consent root, and has not expired.
    """
    if self.consent_count == 0 or (expiry != 0 and block.timestamp >= convert(expiry, uint256)):
        return False
    leaf: bytes32 = sha256(concat(b"\x00", commitment, convert(expiry, bytes32)))
    return self._under(self._consents[self.consent_count - 1], leaf, index, path)


@external
@view
def burned(root: bytes32) -> (uint64, uint64):
    """
    @notice Size and block time of a burning; zeros if there was none.
    """
    facts: uint256 = self._burns[root]
    return convert((facts >> 64) & LOW, uint64), convert(facts & LOW, uint64)


@external
@view
def includes(number: uint256, leaf: bytes32, index: uint64, path: DynArray[bytes32, 64]) -> bool:
    """
    @notice Whether the leaf hash stands at `index` of the log whose head was anchored under this number.
    """
    if number >= self.count:
        return False
    return self._under(self._heads[number], leaf, index, path)


@internal
@pure
def _under(head: Stamp, leaf: bytes32, index: uint64, path: DynArray[bytes32, 64]) -> bool:
    # RFC 9162, 2.1.3.2.
    size: uint256 = head.facts >> 64
    place: uint256 = convert(index, uint256)
    if place >= size:
        return False
    last: uint256 = size - 1
    made: bytes32 = leaf
    for sibling: bytes32 in path:
        if last == 0:
            return False
        if place & 1 == 1 or place == last:
            made = sha256(concat(b"\x01", sibling, made))
            for _i: uint256 in range(64):
                if place & 1 == 1 or place == 0:
                    break
                place = place >> 1
                last = last >> 1
        else:
            made = sha256(concat(b"\x01", made, sibling))
        place = place >> 1
        last = last >> 1
    return last == 0 and made == head.root
