"""Aliases of hosts, networks and ports, nested; what is fetched or looked up is not known.

Source: pfSense documentation, Aliases; OPNsense manual, Aliases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.loops import refuse_loops
from fwguard.dialects.pf.bounds import Addresses, Ports
from fwguard.dialects.pf.interfaces import Interfaces
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT

MAX_DEPTH: Final = 64
MAX_NESTED: Final = 50_000  # references from alias to alias; beyond, they are unknown
HELD: Final = frozenset({"host", "network", "url", "networkgroup"})  # whose members stand in the file
HELD_PORTS: Final = frozenset({"port", "url_ports"})


@dataclass(slots=True)
class Alias:
    """One alias as written."""

    node: Node
    kind: str
    entries: list[str]
    is_enabled: bool


class Aliases:
    """All aliases of a file; each is resolved once. Raises UnreadableError for one that holds itself."""

    def __init__(self, root: Node, interfaces: Interfaces, notes: Notes) -> None:
        self.interfaces = interfaces
        self.notes = notes
        self.table: dict[str, Alias] = {}
        for node in root.all("aliases", "alias"):
            self._add(node, node.value("address"))
        for place in ("Firewall", "firewall"):
            for node in root.all("OPNsense", place, "Alias", "aliases", "alias"):
                self._add(node, node.value("content"))
        self._addresses: dict[str, Addresses] = {}
        self._ports: dict[str, Ports] = {}
        self._words: dict[tuple[str, bool], Addresses] = {}
        self._depth = 0
        self.budget = MAX_NESTED
        for kinds in (HELD, HELD_PORTS):
            refuse_loops(
                self.table,
                lambda name, kinds=kinds: self._aliases_in(name, kinds),  # type: ignore[misc]
                kind="alias", line_of=lambda name: self.table[name].node.line,
            )  # fmt: skip

    def _add(self, node: Node, content: str) -> None:
        enabled = node.child("enabled")
        self.table[node.value("name")] = Alias(
            node,
            node.value("type"),
            content.replace(",", " ").split(),
            enabled is None or enabled.text != "0",
        )

    def _aliases_in(self, name: str, kinds: frozenset[str]) -> Iterator[str]:
        alias = self.table[name]
        if alias.is_enabled and alias.kind in kinds:
            for word in alias.entries:
                if word.removeprefix("!") in self.table:
                    yield word.removeprefix("!")

    def addresses(self, name: str) -> Addresses:
        """Return the addresses of an alias: unknown when it does not exist, or nests very deep."""
        if name in self._addresses:
            return self._addresses[name]
        alias = self.table.get(name)
        if alias is None:
            return Addresses.unknown(f"alias {name[:60]} does not exist")
        if self._depth > MAX_DEPTH:
            return Addresses.unknown(self.notes.add(alias.node, "an alias that nests very deep"))
        if not alias.is_enabled or alias.kind not in HELD:
            found = Addresses.unknown(f"alias {name}, {alias.kind} whose content is not in the file")
        else:
            self._depth += 1
            found = self._held(alias)
            self._depth -= 1
        self._addresses[name] = found
        return found

    def _held(self, alias: Alias) -> Addresses:
        """Return what the entries hold; `!` leaves out."""
        spans: dict[tuple[bool, int], list[tuple[int, int]]] = {}
        found = Addresses.exactly(AddressSet())
        without = AddressSet()
        for word in alias.entries:
            out, word = word.startswith("!"), word.removeprefix("!")
            try:
                version, low, high = parse_span(word)
            except InputError:
                self.budget -= 1
                is_alias = word in self.table and self.budget > 0
                entry = self.addresses(word) if is_alias else Addresses.unknown(f"{word[:60]} is looked up")
                if out:
                    without |= entry.maybe
                else:
                    found |= entry
                continue
            spans.setdefault((out, version), []).append((low, high))
        held, left = (
            AddressSet(Intervals.of(*spans.get((out, 4), ())), Intervals.of(*spans.get((out, 6), ())))
            for out in (False, True)
        )
        nested, without = found, without | left
        found |= Addresses.exactly(held)
        if without:
            # pf takes the most specific entry: what stands inside of what is left out may be in all the same.
            inner = {
                version: [span for span in spans.get((False, version), ()) if Intervals.of(span) <= gone]
                for version, gone in ((4, without.v4), (6, without.v6))
            }
            back = AddressSet(Intervals.of(*inner[4]), Intervals.of(*inner[6]))
            back |= nested.maybe & without
            why = found.why or ("an alias that leaves some out" if back else "")
            found = Addresses(found.sure - without, (found.maybe - without) | back, why)
        return found

    def ports(self, text: str) -> Ports:
        """Read a port, a range, an alias of ports, or "any". Raises InputError for what is none."""
        text = text.strip()
        if text in ("", "any"):
            return Ports.exactly(ANY_PORT)
        if text in self.table:
            return self._port_alias(text)
        low_text, dash, high_text = text.replace(":", "-").partition("-")
        if not dash or text in names.SERVICES:
            return Ports.exactly(Intervals.single(names.port_number(text)))
        low = 1 if low_text == "any" else names.port_number(low_text)
        high = 65535 if high_text == "any" else names.port_number(high_text)
        return Ports.exactly(Intervals.of((min(low, high), max(low, high))))

    def _port_alias(self, name: str) -> Ports:
        if name in self._ports:
            return self._ports[name]
        alias = self.table[name]
        if self._depth > MAX_DEPTH:
            return Ports(Intervals(), ANY_PORT, self.notes.add(alias.node, "an alias that nests very deep"))
        if not alias.is_enabled or alias.kind not in HELD_PORTS:
            found = Ports(
                Intervals(), ANY_PORT, f"alias {name}, {alias.kind} whose content is not in the file"
            )
        else:
            self._depth += 1
            found = Ports.exactly(Intervals())
            for word in dict.fromkeys(alias.entries):
                self.budget -= word in self.table
                try:
                    if self.budget <= 0:
                        raise InputError("very many aliases in aliases")
                    found |= self.ports(word)
                except InputError as error:
                    found |= Ports(Intervals(), ANY_PORT, self.notes.add(alias.node, str(error)))
                    break
            self._depth -= 1
        self._ports[name] = found
        return found

    def word(self, word: str, *, negated: bool = False) -> Addresses:
        """Read what a rule calls a source or destination: a network, an interface, an address, an alias."""
        key = (word, negated)
        if key not in self._words:
            found = self._word(word)
            self._words[key] = found.negated() if negated else found
        return self._words[key]

    def _word(self, word: str) -> Addresses:
        if word in ("any", ""):
            return Addresses.exactly(AddressSet.parse("any"))
        if word == "(self)":
            return self.interfaces.all_own()
        if word in self.interfaces.by_name:
            return self.interfaces.network(word)
        if word.endswith("ip") and word[:-2] in self.interfaces.by_name:
            return self.interfaces.own(word[:-2])
        internal = word.removeprefix("__").removesuffix("_network")
        if word.startswith("__") and internal in self.interfaces.by_name:
            return self.interfaces.network(internal)
        if word in self.table:
            return self.addresses(word)
        try:
            return Addresses.exactly(AddressSet.parse(word))
        except InputError:
            return Addresses.unknown(
                f"{word[:60]} is no address, interface or alias of the file", missing=True
            )
