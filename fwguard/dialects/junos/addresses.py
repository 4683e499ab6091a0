"""Address books: global, of a zone, attached to zones; address sets, ranges, wildcards, DNS names.

A name in a policy is looked up in the book of the zone, then in the global one. Source: Junos Security
User Guide, "Address Books and Address Sets".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwguard.dialects.bounds import ALL_ADDRESSES, Addresses, masked, unknown_addresses
from fwguard.dialects.config_tree import Node
from fwguard.dialects.loops import refuse_loops
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet, parse_span

GLOBAL: Final = "global"
MAX_NESTED: Final = 64
ANY: Final = {"any": ALL_ADDRESSES, "any-ipv4": Addresses(ANY_V4), "any-ipv6": Addresses(ANY_V6)}
SILENT: Final = ("description",)


class AddressBooks:
    """All books of a configuration; what a name means, for a zone.

    Raises UnreadableError for a set that holds itself.
    """

    def __init__(self, security: Node, notes: Notes) -> None:
        self.notes = notes
        self.books: dict[str, Node] = {}
        self.of_zone: dict[str, list[str]] = {}
        self._known: dict[tuple[str, str], Addresses] = {}
        self._open: list[tuple[str, str]] = []
        for book in security.below("address-book"):
            self.books[book.word] = book
            for zone in book.words("attach", "zone"):
                self.of_zone.setdefault(zone, []).append(book.word)
        for zone_node in security.below("zones", "security-zone"):
            own = zone_node.at("address-book")
            if own is not None:
                name = f"zone {zone_node.word}"
                self.books[name] = own
                self.of_zone.setdefault(zone_node.word, []).append(name)
        refuse_loops(
            [(book, name) for book, node in self.books.items() for name in node.words("address-set")],
            self._sets_in, kind="address-set", line_of=lambda key: self._set(key).line,
            name_of=lambda key: key[1],
        )  # fmt: skip

    def _set(self, key: tuple[str, str]) -> Node:
        return self.books[key[0]].at("address-set", key[1]) or Node(key[1])

    def _sets_in(self, key: tuple[str, str]) -> Iterable[tuple[str, str]]:
        """Yield the sets that a set names; a word of both kinds is the address where that is meant."""
        group = self._set(key)
        for kind in ("address", "address-set"):
            for word in group.words(kind):
                book = key[0] if self._holds(key[0], word) else GLOBAL
                if not self._holds(book, word) or self.books[book].at("address-set", word) is None:
                    continue
                if kind == "address-set" or self.books[book].at("address", word) is None:
                    yield book, word

    def union(self, nodes: Iterable[Node], zones: Iterable[str]) -> Addresses:
        """Return what several names of one rule mean together, in these zones (none: the global book)."""
        found = Addresses()
        zones = list(zones)
        for node in nodes:
            found |= self.named(node, zones)
        return found

    def named(self, node: Node, zones: list[str]) -> Addresses:
        """Return what a name means; where zones know it differently, what any of them says."""
        if node.word in ANY:
            return ANY[node.word]
        places = [book for zone in zones for book in self.of_zone.get(zone, ())] + [GLOBAL]
        for place in places:
            if self._holds(place, node.word):
                return self._resolve(place, node.word, node)
        return unknown_addresses(self.notes.node(node, f"address {node.word[:60]} is defined nowhere"))

    def _holds(self, book: str, name: str) -> bool:
        node = self.books.get(book)
        return node is not None and any(node.at(kind, name) for kind in ("address", "address-set"))

    def _resolve(self, book: str, name: str, asked: Node) -> Addresses:
        key = (book, name)
        if key in self._known:
            return self._known[key]
        if key in self._open or len(self._open) > MAX_NESTED:
            why = self.notes.node(asked, f"address-set {name[:60]} nests without end, or has two meanings")
            return unknown_addresses(why)
        self._open.append(key)
        node = self.books[book]
        entry, group = node.at("address", name), node.at("address-set", name)
        found = self._entry(entry) if entry is not None else Addresses()
        if group is not None:
            found |= self._group(book, group)
        self._open.pop()
        self._known[key] = found
        return found

    def _group(self, book: str, group: Node) -> Addresses:
        found = Addresses()
        for kind, member in [(k, m) for k in ("address", "address-set") for m in group.below(k)]:
            if self._holds(book, member.word):
                found |= self._resolve(book, member.word, member)
            elif book != GLOBAL and self._holds(GLOBAL, member.word):
                found |= self._resolve(GLOBAL, member.word, member)
            else:
                why = self.notes.node(member, f"{kind} {member.word[:60]} is defined nowhere")
                found |= unknown_addresses(why)
        for child in group.children.values():
            if child.word not in ("address", "address-set", *SILENT):
                found |= unknown_addresses(self.notes.node(child, "not understood in an address-set"))
        return found

    def _entry(self, entry: Node) -> Addresses:
        found = Addresses()
        for child in entry.children.values():
            if child.word in SILENT:
                continue
            try:
                found |= self._value(child)
            except InputError as error:
                found |= unknown_addresses(self.notes.node(entry, str(error)[:200]))
        if not any(child.word not in SILENT for child in entry.children.values()):
            return unknown_addresses(self.notes.node(entry, "an address without a value"))
        return found

    def _value(self, child: Node) -> Addresses:
        if child.word == "dns-name":
            names = ", ".join(child.words())
            return unknown_addresses(f"the addresses of {names[:100]}")
        if child.word == "range-address":
            spans = []
            for low in child.children.values():
                high = low.value("to") or low.word
                spans.append(f"{low.word}-{high}")
            return Addresses(AddressSet.parse(*spans))
        if child.word == "wildcard-address":
            found = Addresses()
            for value in child.words():
                found |= wildcard(value)
            return found
        if child.word == "address-range":
            return Addresses(AddressSet.parse(f"{child.value('from')}-{child.value('to')}"))
        return Addresses(AddressSet.parse(child.word))


def wildcard(text: str) -> Addresses:
    """Read "10.0.3.0/255.0.255.0": bits of the mask that are not set do not matter."""
    address, slash, mask = text.partition("/")
    if not slash or "." not in mask:
        return Addresses(AddressSet.parse(text))
    found = masked(parse_span(address)[1], parse_span(mask)[1])
    return Addresses(found) if found is not None else unknown_addresses(f"wildcard {text[:60]}")
