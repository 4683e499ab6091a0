"""The part of the ruleset that is rules and not elements: read by nft once, then applied as messages.

Elements are put into it where a table is made anew, so that a first load is one transaction.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from fwguard.compile.compiled import Compiled, shard_rules_text
from fwguard.compile.elements import Content as Elements
from fwguard.compile.names import TABLE
from fwguard.compile.ranged import shard_spec
from fwguard.compile.sets import SetSpec
from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel import scratch
from fwguard.kernel.content import Content
from fwguard.kernel.elements import Element, encode
from fwguard.model.edge import EdgeState, Link

OUR_TABLES: Final = tuple(n.Table(family, TABLE) for family in ("inet", "arp", "netdev", "bridge"))
SHUT_TABLES: Final = tuple(n.Table(family, f"{TABLE}_shut") for family in ("inet", "bridge"))
_CLOSED: Final = """table {family} {name} {{
	chain forward {{
		type filter hook forward priority filter; policy drop;
		counter comment "closed: no state to enforce"
	}}
}}
"""


class Structure:
    """Turns compilations into messages; the last text is remembered, since it hardly ever changes."""

    def __init__(self) -> None:
        self._text = ""
        self._made = scratch.Compiled(())
        # Tables beside ours that forward nothing, for the moment in which ours are made anew; ready beforehand.
        self.shut = scratch.compile_text(
            "".join(_CLOSED.format(family=table.family, name=table.name) for table in SHUT_TABLES)
        )

    def of(self, compiled: Compiled) -> tuple[str, scratch.Compiled]:
        """Return the text of rules and of declarations, and what nft and the kernel make of it.

        Raises InputError when nft or the kernel refuses it.
        """
        text = "".join(_texts(compiled))
        if text != self._text:
            self._made = scratch.compile_text(text)
            self._text = text
        return text, self._made


def closed() -> scratch.Compiled:
    """Return a ruleset that forwards nothing, routed or bridged: what holds where there is no state."""
    return scratch.compile_text("".join(_CLOSED.format(family=f, name=TABLE) for f in ("inet", "bridge")))


def _texts(compiled: Compiled) -> Iterator[str]:
    yield compiled.skeleton
    for name, (spec, _) in ranged_sets(compiled).items():
        yield f"table inet {TABLE} {{\n{spec.declaration()}}}\n" if name else ""
    for number, shard in compiled.shards.items():
        yield from shard_rules_text(number, shard)


def ranged_sets(compiled: Compiled) -> dict[str, tuple[SetSpec, Elements]]:
    """Return the interval sets of all shards by name, with their elements."""
    return {
        name: (shard_spec(name, version), shard.v4 if version == 4 else shard.v6)
        for number, shard in compiled.shards.items()
        for version, name in shard.set_names(number).items()
    }


def wanted_sets(compiled: Compiled) -> dict[tuple[str, str], tuple[SetSpec, Elements]]:
    """Return every set that a state fills, by family and name; not those that packets and the edge write."""
    fixed = {key: (spec, compiled.contents[key]) for key, spec in compiled.specs.items() if not spec.is_local}
    return fixed | {("inet", name): held for name, held in ranged_sets(compiled).items()}


def filled(made: scratch.Compiled, elements: Mapping[tuple[str, str], Iterable[Element]]) -> scratch.Compiled:
    """Return the same ruleset with elements in these sets."""
    contents = []
    for content in made.contents:
        own = dict(content.sets)
        for (family, name), some in elements.items():
            if family == content.table.family and name in own:
                payloads = [encode(one)[a.HEADER_BYTES :] for one in some]
                own[name] = replace(own[name], elements={payload: payload for payload in payloads})
        contents.append(replace(content, sets=own))
    return scratch.Compiled(tuple(contents))


def without_absent(
    made: scratch.Compiled, state: EdgeState, present: Collection[str]
) -> tuple[scratch.Compiled, tuple[str, ...]]:
    """Leave out the chains of bridged ports whose interface is not there, and name those interfaces.

    A base chain hooks to a device, and one that is missing would refuse the whole transaction; a device that
    vanishes takes its chain with it.
    """
    absent = {
        port.number: port.interface
        for port in state.ports
        if port.link is Link.BRIDGED and port.interface not in present
    }
    if not absent:
        return made, ()
    gone = {f"{way}_{number}" for number in absent for way in ("in", "out")}
    return scratch.Compiled(tuple(_without(one, gone) for one in made.contents)), tuple(absent.values())


def _without(content: Content, gone: Iterable[str]) -> Content:
    if content.table.family != "netdev":
        return content
    chains = {name: chain for name, chain in content.chains.items() if name not in gone}
    rules = {chain: rules for chain, rules in content.rules.items() if chain in chains}
    return replace(content, chains=chains, rules=rules)


def interfaces() -> frozenset[str]:
    """Return the names of the interfaces that are there."""
    return frozenset(name for _, name in socket.if_nameindex())
