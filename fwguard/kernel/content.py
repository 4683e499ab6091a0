"""What a table holds, as the messages that would make it again: chains, rules, sets, elements, objects.

nf_tables shows an object with the attributes that make it, and some that it only shows (handles, use counts).
Kept are the first, so that content read in one place can be written in another, and two contents compare by
their bytes; what runs by itself (counters, what is left of a timeout) is left out of the comparison.

Source: <linux/netfilter/nf_tables.h>; net/netfilter/nf_tables_api.c, nf_tables_fill_chain_info and its siblings.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from fwguard.errors import InputError
from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.messages import NFNL_SUBSYS_NFTABLES, Message, netfilter
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import error_for

_CHAIN_KEPT: Final = frozenset((
    n.NFTA_CHAIN_HOOK, n.NFTA_CHAIN_POLICY, n.NFTA_CHAIN_TYPE, n.NFTA_CHAIN_FLAGS, n.NFTA_CHAIN_USERDATA,
))  # fmt: skip
_RULE_KEPT: Final = frozenset((n.NFTA_RULE_COMPAT, n.NFTA_RULE_USERDATA))  # and the expressions
_SET_KEPT: Final = frozenset((
    n.NFTA_SET_FLAGS, n.NFTA_SET_KEY_TYPE, n.NFTA_SET_KEY_LEN, n.NFTA_SET_DATA_TYPE, n.NFTA_SET_DATA_LEN,
    n.NFTA_SET_POLICY, n.NFTA_SET_DESC, n.NFTA_SET_TIMEOUT, n.NFTA_SET_GC_INTERVAL, n.NFTA_SET_USERDATA,
    n.NFTA_SET_OBJ_TYPE, n.NFTA_SET_EXPR, n.NFTA_SET_EXPRESSIONS,
))  # fmt: skip
_OBJECT_KEPT: Final = frozenset((n.NFTA_OBJ_TYPE, n.NFTA_OBJ_DATA, n.NFTA_OBJ_USERDATA))
_ELEMENT_RUNS: Final = frozenset(
    (n.NFTA_SET_ELEM_EXPIRATION, n.NFTA_SET_ELEM_EXPR, n.NFTA_SET_ELEM_EXPRESSIONS)
)
# Expressions with a set's name: <linux/netfilter/nf_tables.h> NFTA_LOOKUP_SET, _DYNSET_SET_NAME, _OBJREF_SET_NAME.
_NAMES_A_SET: Final[Mapping[str, int]] = {"lookup": 1, "dynset": 1, "objref": 4}
_COUNTS: Final = frozenset(("counter", "last", "quota"))
NFTA_DYNSET_TIMEOUT: Final = 6
NFTA_EXTHDR_DREG, NFTA_EXTHDR_OFFSET, NFTA_EXTHDR_LEN, NFTA_EXTHDR_FLAGS, NFTA_EXTHDR_SREG = 1, 3, 4, 5, 7
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain; `definition` holds hook, type, policy, flags as attributes (empty for a plain chain)."""

    name: str
    definition: bytes

    @property
    def hooked(self) -> bytes:
        """Return the definition without its policy: what cannot be changed in place."""
        return b"".join(a.attribute(k, v) for k, v in a.walk(self.definition) if k != n.NFTA_CHAIN_POLICY)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `compared` is its definition with counters at zero; `sets` are those that it names."""

    chain: str
    definition: bytes
    compared: bytes
    sets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetContent:
    """One set or map with its elements: compared form -> payload that makes it again."""

    name: str
    definition: bytes
    flags: int
    elements: Mapping[bytes, bytes]

    @property
    def is_anonymous(self) -> bool:
        """Tell whether it lives and dies with its rule."""
        return bool(self.flags & n.NFT_SET_ANONYMOUS)

    @property
    def is_interval(self) -> bool:
        """Tell whether it holds intervals, whose reload loses packets."""
        return bool(self.flags & n.NFT_SET_INTERVAL)


@dataclass(frozen=True, slots=True)
class Content:
    """All that one table holds. Rules stand by chain, in order."""

    table: n.Table
    chains: Mapping[str, Chain]
    rules: Mapping[str, tuple[Rule, ...]]
    sets: Mapping[str, SetContent]
    objects: Mapping[tuple[str, int], bytes]

    def named_by(self, chains: Collection[str]) -> frozenset[str]:
        """Return the sets that the rules of these chains name."""
        return frozenset(name for chain in chains for rule in self.rules.get(chain, ()) for name in rule.sets)

    def signature(self, chain: str) -> tuple[object, ...]:
        """Return what a chain's rules do, sets without a name by their content."""
        found: list[object] = []
        for rule in self.rules.get(chain, ()):
            unnamed = [
                self.sets[name] for name in rule.sets if name in self.sets and self.sets[name].is_anonymous
            ]
            found.append((rule.compared, tuple((s.definition, frozenset(s.elements)) for s in unnamed)))
        return tuple(found)


def read_content(socket: NetlinkSocket, table: n.Table, *, without: Collection[str] = ()) -> Content:
    """Read a table; the elements of the sets in `without` are left out. Empty when there is no such table.

    Raises PartialReadingError when it keeps changing; InputError for chains without a name, which are not
    carried from one place to another.
    """

    def listed(operation: int, read: Callable[[memoryview], T | None], named: int = 0) -> list[T]:
        head = a.text(named, table.name) if named else b""
        request = netfilter(
            NFNL_SUBSYS_NFTABLES, operation, table.number, head, what=f"listing table {table}"
        )

        def ours(message: Message) -> T | None:
            body = message.body[4:]
            name = a.first(body, n.NFTA_TABLE_NAME)  # first attribute of every kind
            return read(body) if name is not None and a.read_text(name) == table.name else None

        try:
            return [one for one in socket.dump(request, ours) if one is not None]
        except OSError as error:
            if error.errno == errno.ENOENT:
                return []
            raise error_for(error.errno or errno.EIO, f"table {table}") from None

    chains = {chain.name: chain for chain in listed(n.NFT_MSG_GETCHAIN, _chain)}
    rules: dict[str, list[Rule]] = {}
    for rule in listed(n.NFT_MSG_GETRULE, _rule, n.NFTA_RULE_TABLE):
        rules.setdefault(rule.chain, []).append(rule)
    sets = {}
    for bare in listed(n.NFT_MSG_GETSET, _set, n.NFTA_SET_TABLE):
        held = {} if bare.name in without else read_elements(socket, table, bare.name)
        sets[bare.name] = SetContent(bare.name, bare.definition, bare.flags, held)
    objects = dict(listed(n.NFT_MSG_GETOBJ, _object))
    return Content(table, chains, {chain: tuple(some) for chain, some in rules.items()}, sets, objects)


def read_tables(socket: NetlinkSocket) -> tuple[n.Table, ...]:
    """Return every table there is, of all families."""
    names = {number: name for name, number in n.FAMILIES.items()}

    def read(message: Message) -> n.Table | None:
        name = a.first(message.body[4:], n.NFTA_TABLE_NAME)
        family = names.get(message.body[0])
        return n.Table(family, a.read_text(name)) if name is not None and family else None

    request = netfilter(NFNL_SUBSYS_NFTABLES, n.NFT_MSG_GETTABLE, 0, what="listing tables")
    return tuple(table for table in socket.dump(request, read) if table is not None)


def _kept(body: a.Buffer, which: frozenset[int]) -> bytes:
    return b"".join(a.attribute(kind, payload) for kind, payload in a.walk(body) if kind in which)


def _chain(body: memoryview) -> Chain:
    parts = a.table_of(body)
    name = a.read_text(parts[n.NFTA_CHAIN_NAME])
    if a.read_be32(parts.get(n.NFTA_CHAIN_FLAGS, b"")) & n.NFT_CHAIN_BINDING:
        raise InputError("a chain without a name", where=name, expected="a chain with a name to jump to")
    return Chain(name, _kept(body, _CHAIN_KEPT))


def _rule(body: memoryview) -> Rule:
    parts = a.table_of(body)
    kept, compared, sets = [], [], []
    for _, expression in a.walk(parts.get(n.NFTA_RULE_EXPRESSIONS, b"")):
        inner = a.table_of(expression)
        name = a.read_text(inner[n.NFTA_EXPR_NAME])
        bare = _writable(name, inner, expression)
        kept.append(a.nested(n.NFTA_LIST_ELEM, bare))
        compared.append(name.encode() if name in _COUNTS else bare)
        if name in _NAMES_A_SET:
            named = a.first(inner[n.NFTA_EXPR_DATA], _NAMES_A_SET[name])
            sets += [a.read_text(named)] if named is not None else []
    definition = (a.nested(n.NFTA_RULE_EXPRESSIONS, *kept) if kept else b"") + _kept(body, _RULE_KEPT)
    # Each with its length: two lists of expressions are never the same bytes.
    lengths = b"".join(len(one).to_bytes(4, "big") + one for one in compared)
    lengths += bytes(parts.get(n.NFTA_RULE_USERDATA, b""))
    return Rule(a.read_text(parts[n.NFTA_RULE_CHAIN]), definition, lengths, tuple(sets))


def _writable(name: str, inner: Mapping[int, memoryview], expression: memoryview) -> bytes:
    """Return an expression as the kernel takes it, where it shows more than it takes.

    nft_dynset_dump always shows a timeout, and nft_dynset_init refuses any, of 0 too, for a set without times.
    nft_exthdr_dump_set and _dump_strip show what nft_exthdr_tcp_set_init and _strip_init refuse.
    """
    data = inner.get(n.NFTA_EXPR_DATA)
    if data is None or name not in ("dynset", "exthdr"):
        return bytes(expression)
    shown = a.table_of(data)
    surplus: frozenset[int] = frozenset()
    if name == "dynset" and not a.read_be64(shown.get(NFTA_DYNSET_TIMEOUT, b"")):
        surplus = frozenset((NFTA_DYNSET_TIMEOUT,))
    elif name == "exthdr" and NFTA_EXTHDR_SREG in shown:
        surplus = frozenset((NFTA_EXTHDR_FLAGS,))
    elif name == "exthdr" and NFTA_EXTHDR_DREG not in shown:
        surplus = frozenset((NFTA_EXTHDR_FLAGS, NFTA_EXTHDR_OFFSET, NFTA_EXTHDR_LEN))
    # Walked again: expressions inside (of a dynset) may be repeated.
    taken = b"".join(a.attribute(kind, value) for kind, value in a.walk(data) if kind not in surplus)
    return a.text(n.NFTA_EXPR_NAME, name) + a.nested(n.NFTA_EXPR_DATA, taken)


def _set(body: memoryview) -> SetContent:
    parts = a.table_of(body)
    flags = a.read_be32(parts.get(n.NFTA_SET_FLAGS, b""))
    return SetContent(a.read_text(parts[n.NFTA_SET_NAME]), _kept(body, _SET_KEPT), flags, {})


def _object(body: memoryview) -> tuple[tuple[str, int], bytes]:
    parts = a.table_of(body)
    kind = a.read_be32(parts[n.NFTA_OBJ_TYPE])
    return (a.read_text(parts[n.NFTA_OBJ_NAME]), kind), _kept(body, _OBJECT_KEPT)


def read_elements(socket: NetlinkSocket, table: n.Table, name: str) -> dict[bytes, bytes]:
    """Return a set's elements: compared form -> payload, in the order in which they can be added again."""
    head = a.text(n.NFTA_SET_ELEM_LIST_TABLE, table.name) + a.text(n.NFTA_SET_ELEM_LIST_SET, name)
    what = f"listing set {table} {name}"
    request = netfilter(NFNL_SUBSYS_NFTABLES, n.NFT_MSG_GETSETELEM, table.number, head, what=what)

    def read(message: Message) -> list[tuple[bytes, bytes, bytes]]:
        listed = a.first(message.body[4:], n.NFTA_SET_ELEM_LIST_ELEMENTS)
        return [] if listed is None else [_element(one) for _, one in a.walk(listed)]

    found = [one for some in socket.dump(request, read) for one in some]
    # Ascending, and an end before the start at the same key: the order in which intervals can be added.
    found.sort(key=lambda one: one[0])
    return {compared: payload for _, compared, payload in found}


def _element(payload: memoryview) -> tuple[bytes, bytes, bytes]:
    """Return sorting key, compared form and the payload as it is."""
    compared = b"".join(
        a.attribute(kind, part) for kind, part in a.walk(payload) if kind not in _ELEMENT_RUNS
    )
    key = ends = b""
    for kind, part in a.walk(payload):
        if kind == n.NFTA_SET_ELEM_KEY:
            key = bytes(part[a.HEADER_BYTES :])
        elif kind == n.NFTA_SET_ELEM_FLAGS:
            ends = bytes(part)
    is_end = bool(a.read_be32(ends) & n.NFT_SET_ELEM_INTERVAL_END)
    return key + (b"\0" if is_end else b"\1"), compared, bytes(payload)


def packed_elements(elements: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield each element as an NFTA_LIST_ELEM, to be added."""
    for payload in elements.values():
        yield a.attribute(n.NFTA_LIST_ELEM, payload)


def packed_keys(compared: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield each element as an NFTA_LIST_ELEM with its keys alone, to be removed."""
    kept = frozenset((n.NFTA_SET_ELEM_KEY, n.NFTA_SET_ELEM_KEY_END, n.NFTA_SET_ELEM_FLAGS))
    for payload in compared.values():
        yield a.attribute(n.NFTA_LIST_ELEM, _kept(payload, kept))
