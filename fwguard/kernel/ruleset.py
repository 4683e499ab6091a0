"""A whole ruleset from its text into the kernel in one transaction, read back, and compared.

Neither `nft -f -` nor libnftables can do the writing: each opens a socket of its own, and a table that our
socket owns (tables.py) takes changes from no other. nft still reads the text: scratch.py. Where the kernel has
no owned tables the same messages make a plain one, so there is one way for both.

Source: nft(8); net/netfilter/nf_tables_api.c.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from fwguard.errors import ConflictError, DeviceError, PartialReadingError, PreimageMovedError
from fwguard.kernel import nf_tables as n
from fwguard.kernel import tables
from fwguard.kernel.content import Content, SetContent, read_content, read_elements
from fwguard.kernel.generation import generation
from fwguard.kernel.messages import Request
from fwguard.kernel.namespaces import inside
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import raise_refused
from fwguard.kernel.scratch import Compiled, compile_text
from fwguard.kernel.tables import Hold
from fwguard.kernel.transition import transition

__all__ = ["Applied", "Compiled", "apply", "compile_text", "differences", "listing"]

NFT_SET_EVAL: Final = 0x20
_TRIES: Final = 10
_BACKOFF_S: Final = 0.005
_LISTING_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying came to: the generation that holds it, how each table is held.

    `reloaded` are interval sets whose content changed under one name: new flows may have been lost for some
    milliseconds. Give such a set another name whenever its content changes.
    """

    generation: int
    held: tuple[tuple[n.Table, Hold], ...]
    reloaded: tuple[str, ...]


def apply(
    socket: NetlinkSocket,
    wanted: Compiled,
    *,
    keep: Collection[str] = (),
    leave: Collection[str] = (),
    owned: bool = True,
) -> Applied:
    """Make the kernel hold exactly this ruleset in its tables, all or nothing, and read it back.

    `keep` names sets whose elements others put there (quarantine, openings): they stay as they are, also where
    the text now declares the set otherwise. So do those of sets that packets fill (`flags dynamic`). `leave`
    names chains whose rules stay as they are, with the sets that they name: a text may then hold one shard of
    256 and leave the others. Tables that the ruleset does not name are left alone. What is equal already is
    not touched. The tables become this socket's own where the kernel has that and `owned` asks for it.

    Raises:
        NotAllowedError: another program owns one of the tables.
        ConflictError: there is nothing to leave or keep in place: apply the whole.
        ConflictError, CommitRefusedError: the kernel refused; the state is as before.
        PreimageMovedError: others kept changing the ruleset meanwhile.
        DeviceError: what was read back is not what was wanted; the message names the difference.
    """
    for attempt in range(_TRIES):
        try:
            applied = _apply_once(socket, wanted, keep, leave, owned)
            break
        except PreimageMovedError:
            if attempt + 1 == _TRIES:
                raise
            time.sleep(_BACKOFF_S * (attempt + 1))
    found = differences(socket, wanted, keep=keep, leave=leave)
    if found:
        raise DeviceError(
            f"the kernel took the ruleset and holds another: {'; '.join(found[:5])}; apply it again"
        )
    return applied


def differences(
    socket: NetlinkSocket, wanted: Compiled, *, keep: Collection[str] = (), leave: Collection[str] = ()
) -> tuple[str, ...]:
    """Return in words what the kernel holds otherwise, empty when all is as wanted.

    Counters, what is left of timeouts, and the elements of sets in `keep` or filled by packets do not count;
    nor do the rules of the chains in `leave` and the sets that they alone name.
    """
    found: list[str] = []
    for content in wanted.contents:
        if tables.state_of(socket, content.table) is None:
            found.append(f"table {content.table} is missing")
            continue
        kept = _kept(content, keep)
        there = tables.steadily(
            socket, content.table, partial(read_content, socket, content.table, without=kept)
        )
        found += (f"table {content.table}: {words}" for words in _differences(there, content, kept, leave))
    return tuple(found)


def listing(table: n.Table, *, netns: str | None = None) -> list[dict[str, Any]]:
    """Return what nft says of a table, in its JSON (libnftables-json(5)), for people and `edge explain`.

    Raises DeviceError when there is none; PartialReadingError when nft's answer is cut.
    """

    def read() -> subprocess.CompletedProcess[str]:
        command = ["nft", "-j", "-nn", "-a", "list", "table", table.family, table.name]
        return subprocess.run(command, capture_output=True, text=True, timeout=_LISTING_S)

    done = read() if netns is None else inside(netns, read)
    if done.returncode:
        raise DeviceError(f"table {table}: nft: {done.stderr.strip()[:500]}; apply the ruleset again")
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["nftables"]
    except (ValueError, KeyError) as error:
        raise PartialReadingError(f"table {table}: nft's JSON is cut: {error}; read again") from None
    return found


def _apply_once(
    socket: NetlinkSocket, wanted: Compiled, keep: Collection[str], leave: Collection[str], owned: bool
) -> Applied:
    before = generation(socket)
    states = {content.table: tables.state_of(socket, content.table) for content in wanted.contents}
    ours = all(state is not None and state.owner == socket.port for state in states.values())
    flags = tables.OWNED if owned and (ours or tables.supports_owned_tables(socket)) else 0
    prepare: list[Request] = []
    flip: list[Request] = []
    clean: list[Request] = []
    reloaded: list[str] = []
    held: list[tuple[n.Table, Hold]] = []
    for content in wanted.contents:
        taking, hold = _taking(socket, content.table, states[content.table], flags)
        fresh = hold in (Hold.CREATED, Hold.LOOSE)
        if leave and (fresh or states[content.table] is None):
            raise ConflictError(
                f"table {content.table}: not there, or not ours to change in part; apply the whole"
            )
        found = _found(socket, content, _kept(content, keep), fresh=fresh)
        steps = transition(found, content, keep=_kept(content, keep), leave=leave, fresh=fresh)
        prepare += steps.prepare
        flip += (*taking, *steps.flip)
        clean += steps.clean
        reloaded += steps.reloaded
        held.append((content.table, Hold.CREATED if hold is Hold.LOOSE else hold))
    where = "ruleset of " + ", ".join(map(str, wanted.tables))
    if prepare and any(hold is Hold.ADOPTED for _, hold in held):
        # Owned first: what is made beside the old must not be flushed by another before the flip.
        taken = [request for table, hold in held if hold is Hold.ADOPTED for request in _adopting(table)]
        raise_refused(socket.transact(taken, generation=before), where)
        raise PreimageMovedError(f"{where}: adopted; read again")
    # What this socket owns already nobody else can have changed since it was read: then any generation will do.
    guarded = any(hold is not Hold.KEPT for _, hold in held)
    for step in (prepare, flip, clean):
        if step:
            raise_refused(socket.transact(step, generation=before if guarded else None), where)
            # Our commit made the next generation (net/netfilter/nf_tables_api.c: never 0).
            before = (before + 1) & 0xFFFFFFFF or 1
    return Applied(generation(socket), tuple(held), tuple(reloaded))


def _found(socket: NetlinkSocket, wanted: Content, kept: Collection[str], *, fresh: bool) -> Content:
    """Read what is there; the elements of kept sets only where their set must be made anew around them."""
    found = read_content(socket, wanted.table, without=kept)
    anew = {
        name: replace(which, elements=read_elements(socket, wanted.table, name))
        for name, which in found.sets.items()
        if name in kept
        and name in wanted.sets
        and (fresh or which.definition != wanted.sets[name].definition)
    }
    return replace(found, sets={**found.sets, **anew})


def _taking(
    socket: NetlinkSocket, table: n.Table, state: tables.TableState | None, flags: int
) -> tuple[list[Request], Hold]:
    """Return what makes, adopts or remakes the table, and how it is then held."""
    if state is None:
        return [tables.making(table, flags)], Hold.CREATED if flags else Hold.SHARED
    if state.flags & n.NFT_TABLE_F_OWNER and state.owner != socket.port:
        raise tables.owned_by_another(state)
    if state.owner == socket.port:
        return [], Hold.KEPT
    if not flags:
        return [], Hold.SHARED
    if state.is_orphan:
        return _adopting(table), Hold.ADOPTED
    # Persistence cannot be given later: the table is made anew around the elements that stay.
    return [tables.removing(table), tables.making(table, flags)], Hold.LOOSE


def _adopting(table: n.Table) -> list[Request]:
    return [tables.making(table, tables.OWNED, exclusive=False)]


def _kept(wanted: Content, keep: Collection[str]) -> frozenset[str]:
    dynamic = {name for name, which in wanted.sets.items() if which.flags & NFT_SET_EVAL}
    return frozenset(keep) | dynamic


def _differences(found: Content, wanted: Content, kept: Collection[str], leave: Collection[str]) -> list[str]:
    said: list[str] = []
    for chain in dict.fromkeys((*wanted.chains, *found.chains)):
        if chain not in found.chains or chain not in wanted.chains:
            said.append(f"chain {chain} is {'missing' if chain in wanted.chains else 'not wanted'}")
        elif found.chains[chain] != wanted.chains[chain]:
            said.append(f"chain {chain} hooks or decides otherwise")
        elif chain not in leave:
            said += _rules_differ(chain, found, wanted)
    left = found.named_by(leave) - wanted.sets.keys()
    named_found = {name: one for name, one in found.sets.items() if not one.is_anonymous and name not in left}
    named_wanted = {name: one for name, one in wanted.sets.items() if not one.is_anonymous}
    for name in dict.fromkeys((*named_wanted, *named_found)):
        if name not in named_found or name not in named_wanted:
            said.append(f"set {name} is {'missing' if name in named_wanted else 'not wanted'}")
        elif found.sets[name].definition != wanted.sets[name].definition:
            said.append(f"set {name} is declared otherwise")
        elif name not in kept:
            said += _elements_differ(found.sets[name], wanted.sets[name])
    for key in wanted.objects.keys() ^ found.objects.keys():
        said.append(f"object {key[0]} is {'missing' if key in wanted.objects else 'not wanted'}")
    return said


def _rules_differ(chain: str, found: Content, wanted: Content) -> list[str]:
    there, should = found.signature(chain), wanted.signature(chain)
    if there == should:
        return []
    if len(there) != len(should):
        return [f"chain {chain} has {len(there)} rules instead of {len(should)}"]
    first = next(at for at, (one, other) in enumerate(zip(there, should, strict=True), 1) if one != other)
    return [f"chain {chain}: rule {first} is another"]


def _elements_differ(found: SetContent, wanted: SetContent) -> list[str]:
    missing = len(wanted.elements.keys() - found.elements.keys())
    extra = len(found.elements.keys() - wanted.elements.keys())
    return [f"set {found.name} lacks {missing} elements and has {extra} too many"] if missing or extra else []
