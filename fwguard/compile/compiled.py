"""The desired state of an edge, compiled: rules that never change, elements that do, classes of traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fwguard.compile.bridged import arp_table, bridged_ports, netdev_table
from fwguard.compile.cuts import put_isolations
from fwguard.compile.elements import Content, add_text
from fwguard.compile.grants import put_allow_lists, put_openings, put_registrations
from fwguard.compile.names import FAMILIES, TABLE, shard_chain
from fwguard.compile.places import Contents, put_places, put_shares
from fwguard.compile.ranged import Shard, shard_spec
from fwguard.compile.sets import SetSpec, set_table
from fwguard.compile.shaping import Shaping, shape
from fwguard.compile.skeleton import Logging, inet_table
from fwguard.model.edge import EdgeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What an edge's kernel shall hold.

    `skeleton` is nft text of every table, without elements; loading it again keeps every element. `contents`
    are the elements by (family, set); `shards` the interval sets that are replaced whole under a new name.
    """

    skeleton: str
    specs: Mapping[tuple[str, str], SetSpec]
    contents: Mapping[tuple[str, str], Content]
    shards: Mapping[int, Shard]
    shaping: Shaping


def compile_edge(state: EdgeState, *, now_s: int) -> Compiled:
    """Compile a state. `now_s` decides which agreed scans are within their window and which cuts ended.

    Deterministic: equal states and times give equal results, in equal order. Cost: n log n.
    """
    bridged = bridged_ports(state)
    families = FAMILIES if bridged else FAMILIES[:2]
    specs = {key: spec for key, spec in set_table(state.controls).items() if key[0] in families}
    contents: Contents = {key: {} for key in set_table(state.controls)}
    put_places(contents, state)
    put_shares(contents, state)
    shards = put_openings(contents, state)
    put_registrations(contents, state)
    put_allow_lists(contents, state, now_s)
    put_isolations(contents, state, now_s)
    of = {family: [spec for spec in specs.values() if spec.family == family] for family in families}
    tables = [inet_table(of["inet"], state.controls), arp_table(of["arp"], Logging(state.controls))]
    if bridged:
        tables.append(netdev_table(of["netdev"], bridged, state.controls))
    # `add` and `flush` first: what is there keeps its elements, and every rule is written anew.
    heads = [f"add table {family} {TABLE}\nflush table {family} {TABLE}\n" for family in families]
    return Compiled(
        skeleton="".join(heads + tables),
        specs=specs,
        contents={key: content for key, content in contents.items() if key in specs},
        shards=shards,
        shaping=shape(state),
    )


def first_load_text(compiled: Compiled, *, now_s: int) -> str:
    """Return the whole ruleset as one nft transaction, for a kernel that holds nothing of ours."""
    return "".join(_first_load(compiled, now_s))


def _first_load(compiled: Compiled, now_s: int) -> Iterator[str]:
    yield compiled.skeleton
    for number, shard in compiled.shards.items():
        yield from shard_sets_text(number, shard, now_s)
        yield from shard_rules_text(number, shard)
    for key, content in compiled.contents.items():
        yield from add_text(compiled.specs[key], content, now_s)


def shard_sets_text(number: int, shard: Shard, now_s: int) -> Iterator[str]:
    """Return the interval sets of a shard with their elements, to stand beside the old ones."""
    for version, name in shard.set_names(number).items():
        spec = shard_spec(name, version)
        yield f"table inet {TABLE} {{\n{spec.declaration()}}}\n"
        yield from add_text(spec, shard.v4 if version == 4 else shard.v6, now_s)


def shard_rules_text(number: int, shard: Shard) -> Iterator[str]:
    """Return the rules by which a shard's chain, empty until then, asks its sets."""
    for version, name in shard.set_names(number).items():
        family = "ip" if version == 4 else "ip6"
        key = f"{family} daddr . {family} saddr . meta l4proto . th dport"
        yield f'add rule inet {TABLE} {shard_chain(number)} {key} @{name} goto passed_in comment "7.1.1"\n'
