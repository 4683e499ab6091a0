"""From what a table holds to what it must hold: the messages of each transaction, pure.

Three steps, so that no packet meets a set that is being filled. `prepare` makes new interval sets beside the
old (their reload inside the transaction that uses them loses packets: 24 ms were measured); `flip` changes
all else at once; `clean` removes interval sets that no rule names any more. A text gives such a set another
name whenever its content changes. Chains and elements that stay are not touched, so their counters go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.content import Chain, Content, SetContent, packed_elements, packed_keys
from fwguard.kernel.elements import requests
from fwguard.kernel.messages import (
    NFNL_SUBSYS_NFTABLES,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Request,
    netfilter,
)


@dataclass(slots=True)
class Transition:
    """The messages of one table's change; `reloaded` names interval sets that change under one name."""

    prepare: list[Request] = field(default_factory=list)
    flip: list[Request] = field(default_factory=list)
    clean: list[Request] = field(default_factory=list)
    reloaded: list[str] = field(default_factory=list)


def transition(
    found: Content,
    wanted: Content,
    *,
    keep: Collection[str] = (),
    leave: Collection[str] = (),
    fresh: bool = False,
) -> Transition:
    """Return how `found` becomes `wanted`.

    The elements of the sets in `keep` stay as found, even where the set is made anew. The rules of the chains
    in `leave` stay as found, with the sets that they name. `fresh`: the table is made anew in the same
    transaction, so nothing of `found` is there but the elements to keep.
    """
    steps = Transition()
    writer = _Writer(wanted.table)
    old = Content(found.table, {}, {}, {}, {}) if fresh else found
    left = frozenset(name for name in leave if name in old.chains and name in wanted.chains)
    remade = _remade_sets(old, wanted)
    rewritten = _rewritten_chains(old, wanted, everything=bool(remade)) - left

    for chain in old.chains:
        if chain in rewritten and old.rules.get(chain):
            steps.flip.append(writer.remove_rules(chain))
    _drop(old, wanted, remade, left, steps, writer)
    for name, which in wanted.sets.items():
        held = found.sets[name].elements if name in keep and name in found.sets else which.elements
        if which.is_anonymous:
            if any(name in rule.sets for chain in rewritten for rule in wanted.rules.get(chain, ())):
                steps.flip += writer.make_set(which, which.elements)
        elif name not in old.sets:
            aside = which.is_interval and bool(old.chains) and not _names_chains(which)
            (steps.prepare if aside else steps.flip).extend(writer.make_set(which, held))
        elif name in remade:
            steps.flip += writer.make_set(which, held)
            steps.reloaded += [name] if which.is_interval else []
        elif name not in keep:
            changed = writer.change(name, old.sets[name], which)
            steps.flip += changed
            steps.reloaded += [name] if changed and which.is_interval else []
    return _ordered(steps, old, wanted, rewritten, writer)


def _ordered(
    steps: Transition, old: Content, wanted: Content, rewritten: set[str], writer: _Writer
) -> Transition:
    """Put chains and objects before the elements that name them, rules behind all."""
    makes = [
        writer.make_chain(c, old.chains.get(name))
        for name, c in wanted.chains.items()
        if c != old.chains.get(name)
    ]
    makes += [writer.make_object(key, body) for key, body in wanted.objects.items() if key not in old.objects]
    removals = sorted(
        (one for one in steps.flip if one.kind & 0xFF in _REMOVALS),
        key=lambda one: _REMOVALS.index(one.kind & 0xFF),
    )
    rest = [one for one in steps.flip if one.kind & 0xFF not in _REMOVALS]
    rules = [
        writer.make_rule(rule.chain, rule.definition) for c in rewritten for rule in wanted.rules.get(c, ())
    ]
    steps.flip = [*removals, *makes, *rest, *rules]
    return steps


# What refers goes before what is referred to.
_REMOVALS = (n.NFT_MSG_DELRULE, n.NFT_MSG_DELSETELEM, n.NFT_MSG_DELSET, n.NFT_MSG_DELCHAIN, n.NFT_MSG_DELOBJ)


def _remade_sets(old: Content, wanted: Content) -> set[str]:
    both = old.sets.keys() & wanted.sets.keys()
    return {
        name for name in both
        if not wanted.sets[name].is_anonymous and old.sets[name].definition != wanted.sets[name].definition
    }  # fmt: skip


def _rewritten_chains(old: Content, wanted: Content, *, everything: bool) -> set[str]:
    """Return the chains whose rules are written anew: those that differ, or all when a set is made anew."""
    every = dict.fromkeys((*old.chains, *wanted.chains))
    moved = {
        name for name in every
        if name not in old.chains or name not in wanted.chains or old.chains[name].hooked != wanted.chains[name].hooked
    }  # fmt: skip
    return {
        name for name in every if everything or name in moved or old.signature(name) != wanted.signature(name)
    }


def _drop(
    old: Content, wanted: Content, remade: set[str], left: frozenset[str], steps: Transition, writer: _Writer
) -> None:
    """Remove sets, chains and objects that are not wanted, and those that must be made anew."""
    stay = old.named_by(left) - remade
    for name, which in old.sets.items():
        if which.is_anonymous or name in stay or (name in wanted.sets and name not in remade):
            continue
        late = which.is_interval and name not in remade and not _names_chains(which)
        (steps.clean if late else steps.flip).append(writer.remove(n.NFT_MSG_DELSET, name))
    for name, chain in old.chains.items():
        if name not in wanted.chains or chain.hooked != wanted.chains[name].hooked:
            steps.flip.append(writer.remove(n.NFT_MSG_DELCHAIN, name))
    for name, kind in old.objects:
        if (name, kind) not in wanted.objects:
            steps.flip.append(writer.remove_object(name, kind))


def _names_chains(which: SetContent) -> bool:
    """Tell whether its elements may name chains, which can then not be removed before it: any map."""
    return bool(which.flags & n.NFT_SET_MAP)


class _Writer:
    """Makes the messages for one table."""

    def __init__(self, table: n.Table) -> None:
        self._table = table
        self._set_id = 0

    def make_chain(self, chain: Chain, before: Chain | None) -> Request:
        updates = before is not None and before.hooked == chain.hooked
        body = a.text(n.NFTA_CHAIN_NAME, chain.name) + chain.definition
        if updates:
            policy = a.first(chain.definition, n.NFTA_CHAIN_POLICY)
            body = a.text(n.NFTA_CHAIN_NAME, chain.name)
            body += a.attribute(n.NFTA_CHAIN_POLICY, policy) if policy is not None else b""
        flags = NLM_F_CREATE if updates else NLM_F_CREATE | NLM_F_EXCL
        return self._request(n.NFT_MSG_NEWCHAIN, body, flags, f"chain {chain.name}")

    def make_rule(self, chain: str, definition: bytes) -> Request:
        body = a.text(n.NFTA_RULE_CHAIN, chain) + definition
        return self._request(n.NFT_MSG_NEWRULE, body, NLM_F_CREATE | NLM_F_APPEND, f"rule of chain {chain}")

    def remove_rules(self, chain: str) -> Request:
        body = a.text(n.NFTA_RULE_CHAIN, chain)
        return self._request(n.NFT_MSG_DELRULE, body, 0, f"rules of chain {chain}")

    def make_set(self, which: SetContent, elements: Mapping[bytes, bytes]) -> list[Request]:
        self._set_id += 1
        body = a.text(n.NFTA_SET_NAME, which.name) + which.definition + a.be32(n.NFTA_SET_ID, self._set_id)
        made = self._request(n.NFT_MSG_NEWSET, body, NLM_F_CREATE | NLM_F_EXCL, f"set {which.name}")
        return [made, *self.fill(which.name, elements)]

    def fill(self, name: str, elements: Mapping[bytes, bytes]) -> Iterator[Request]:
        return requests(
            n.NFT_MSG_NEWSETELEM, self._table, name, packed_elements(elements), flags=NLM_F_CREATE
        )

    def change(self, name: str, old: SetContent, wanted: SetContent) -> list[Request]:
        gone = {k: v for k, v in old.elements.items() if k not in wanted.elements}
        new = {k: v for k, v in wanted.elements.items() if k not in old.elements}
        removals = requests(n.NFT_MSG_DELSETELEM, self._table, name, packed_keys(gone))
        return [*removals, *self.fill(name, new)]

    def make_object(self, key: tuple[str, int], body: bytes) -> Request:
        named = a.text(n.NFTA_OBJ_NAME, key[0]) + body
        return self._request(n.NFT_MSG_NEWOBJ, named, NLM_F_CREATE | NLM_F_EXCL, f"object {key[0]}")

    def remove_object(self, name: str, kind: int) -> Request:
        body = a.text(n.NFTA_OBJ_NAME, name) + a.be32(n.NFTA_OBJ_TYPE, kind)
        return self._request(n.NFT_MSG_DELOBJ, body, 0, f"object {name}")

    def remove(self, operation: int, name: str) -> Request:
        kind, named = {
            n.NFT_MSG_DELSET: ("set", n.NFTA_SET_NAME), n.NFT_MSG_DELCHAIN: ("chain", n.NFTA_CHAIN_NAME),
        }[operation]  # fmt: skip
        return self._request(operation, a.text(named, name), 0, f"{kind} {name}")

    def _request(self, operation: int, body: bytes, flags: int, what: str) -> Request:
        # The table's name is attribute 1 of chains, rules, sets and objects alike.
        return netfilter(
            NFNL_SUBSYS_NFTABLES, operation, self._table.number, a.text(n.NFTA_CHAIN_TABLE, self._table.name), body,
            flags=flags, what=f"{what} of table {self._table}",
        )  # fmt: skip
