"""From one snapshot of a Linux firewall to another: the steps that the gate runs, and those that undo them.

The order keeps a firewall closed rather than open: sets before the rules that match them, filters before
routes and forwarding, boot files last (the gate only stages those until the write is confirmed).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from fwguard.devices import frame
from fwguard.devices.ipset_steps import set_steps
from fwguard.devices.protocol import Flow
from fwguard.devices.routing_steps import route_lines, rule_lines
from fwguard.errors import InputError
from fwguard.model.address import parse_span
from fwguard.model.snapshot import LINUX_PARTS, Snapshot

Section = Literal["forward", "whole", "backward", "close"]
Table = tuple[str, str]  # family, name
HOLD: Final = ("inet", "fwguard-hold")
BOOT_PARTS: Final = tuple(name for name in LINUX_PARTS if name.startswith("boot/"))
UNREADABLE_FILE: Final = "# fwguard: "  # what the gate says in place of what is no plain file
_HEAD: Final = re.compile(r"table (ip|ip6|inet|arp|bridge|netdev) ([A-Za-z_.][\w./-]*) \{", re.ASCII)
_XTABLES: Final = (("iptables", "ip"), ("ip6tables", "ip6"))
_PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 132: "sctp", 136: "udplite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing for the gate to do: `kind` names the tool or the boot part, `body` is its input."""

    section: Section
    kind: str
    body: str


def build_bundle(before: Snapshot, after: Snapshot, end: Iterable[Flow] = ()) -> tuple[Step, ...]:
    """Return the steps from `before` to `after`, back, and the connections to end once it is confirmed.

    Where `before` holds tables that `after` does not know, a section `whole` comes along, which the gate
    runs if `forward` fails (a table may bear a name that nft cannot say): it flushes everything and writes
    all of `after`, with the firewall shut for the moment between.
    """
    forward = _steps("forward", before, after)
    whole: list[Step] = []
    if forward and _foreign_tables(before, after):
        whole = _steps("whole", before, after, flush=True)
    backward = _steps("backward", after, before)
    if any(HOLD[1] in step.body for step in (*forward, *whole)):
        backward.append(Step(section="backward", kind="nft", body=_gone(HOLD)))
    flows = "".join(_flow_line(flow) for flow in end)
    close = [Step(section="close", kind="conntrack", body=flows)] if flows else []
    return (*forward, *whole, *backward, *close)


def write_bundle(steps: Iterable[Step]) -> bytes:
    """Return the bytes that the gate's `apply` reads."""
    return frame.bundle_bytes((step.section, step.kind, step.body) for step in steps)


def _steps(section: Section, now: Snapshot, wanted: Snapshot, *, flush: bool = False) -> list[Step]:
    sets = set_steps(now.get("ipset"), wanted.get("ipset"))
    old, new = split_nft(now.get("nft")), split_nft(_without_iptables(wanted))
    shut = flush or old is None or new is None or bool(sets.retyped)  # every table goes away and comes again
    restores = {part: split_iptables(wanted.get(part)) for part, _ in _XTABLES}
    gone: list[Table] = []
    rewritten: dict[str, dict[str, str]] = {}
    for part, family in _XTABLES:
        runs = split_iptables(now.get(part))
        native = {name for kind, name in old or () if kind == family and (kind, name) not in (new or ())}
        gone += [(family, name) for name in runs if name not in restores[part]]
        rewritten[part] = {
            name: text
            for name, text in restores[part].items()
            if shut or name in native or runs.get(name) != text
        }
    opened = [
        (family, name)
        for part, family in _XTABLES
        for name in rewritten[part]
        if shut or (family, name) in (old or {})
    ]
    if flush or old is None or new is None:
        nft = "flush ruleset\n" + (_hold() if opened else "") + _without_iptables(wanted)
    else:
        nft = _nft_transaction(old, new, gone)
        if opened:  # a table goes before iptables-restore makes it again: shut until then
            emptied = "".join(_gone(table) for table in opened) if sets.retyped else ""
            nft = _hold() + emptied + nft
    found: list[tuple[str, str]] = []
    found.append(("ipset", sets.before_rules))
    found.append(("nft", nft))
    found.append(("ipset-drop", sets.retyped))
    found.append(("ipset", sets.after_retyping))
    found += [(part, "".join(rewritten[part].values())) for part, _ in _XTABLES]
    for part in ("iptables-legacy", "ip6tables-legacy"):
        found.append((part, _legacy(now.get(part), wanted.get(part))))
    found.append(("nft", _gone(HOLD) if opened else ""))
    found.append(("ipset-drop", sets.unwanted))
    for version in "46":
        routes = route_lines(now.get(f"routes{version}"), wanted.get(f"routes{version}"))
        rules = rule_lines(now.get(f"rules{version}"), wanted.get(f"rules{version}"))
        found.append((f"ip{version}", "".join(f"{line}\n" for line in (*routes, *rules))))
    running = set(now.get("sysctl").split("\n"))
    found.append(
        ("sysctl", "".join(f"{line}\n" for line in wanted.get("sysctl").split("\n") if line not in running))
    )
    steps = [Step(section=section, kind=kind, body=body) for kind, body in found if body.strip()]
    for part in BOOT_PARTS:
        text = wanted.get(part)
        if now.get(part) != text and not text.startswith(UNREADABLE_FILE):
            steps.append(Step(section=section, kind=part, body=text))
    return steps


def split_nft(text: str) -> dict[Table, str] | None:
    """Return each table of a listing as its text, or None where its lines do not say plainly what is what."""
    tables: dict[Table, str] = {}
    block: list[str] = []
    key: Table | None = None
    for line in text.split("\n"):
        if key is None:
            head = _HEAD.fullmatch(line)
            if head is None:
                if line.strip() and not line.startswith("#"):
                    return None
                continue
            key, block = (head[1], head[2]), [line]
        elif line == "}":
            if key in tables:
                return None
            tables[key] = "\n".join((*block, "}\n"))
            key = None
        elif line and not line[0].isspace():
            return None
        else:
            block.append(line)
    return None if key is not None else tables


def split_iptables(text: str) -> dict[str, str]:
    """Return each table of an iptables-save text as its own text, from `*name` to COMMIT."""
    tables: dict[str, str] = {}
    name, block = "", [""]
    for line in text.split("\n"):
        if line.startswith("*"):
            name, block = line[1:].strip(), []
        if name:
            block.append(line)
        if line == "COMMIT" and name:
            tables[name] = "\n".join(block) + "\n"
            name = ""
    return tables


def _nft_transaction(old: Mapping[Table, str], new: Mapping[Table, str], gone: list[Table]) -> str:
    """One transaction: no packet meets a moment between the old tables and the new ones."""
    changed = [table for table in (*old, *new) if old.get(table) != new.get(table)]
    changed = list(dict.fromkeys([*changed, *(table for table in gone if table not in new)]))
    return "".join(map(_gone, changed)) + "".join(new[table] for table in changed if table in new)


def _gone(table: Table) -> str:
    """`add` first, so that it holds whether the table is there or not."""
    name = " ".join(table)
    return f"add table {name}\ndelete table {name}\n"


def _hold() -> str:
    chains = "".join(
        f"\tchain {hook} {{\n\t\ttype filter hook {hook} priority -500; policy drop;\n\t}}\n"
        for hook in ("input", "forward", "output")
    )
    return f"{_gone(HOLD)}table {' '.join(HOLD)} {{\n{chains}}}\n"


def _without_iptables(wanted: Snapshot) -> str:
    """The nft text without tables that the snapshot also has as iptables text, which is what makes them."""
    text = wanted.get("nft")
    tables = split_nft(text)
    if tables is None:
        return text
    doubled = {(family, name) for part, family in _XTABLES for name in split_iptables(wanted.get(part))}
    return "".join(body for table, body in tables.items() if table not in doubled)


def _legacy(now: str, wanted: str) -> str:
    """A legacy table cannot be removed, so one that is not wanted is emptied."""
    old, new = split_iptables(now), split_iptables(wanted)
    changed = [text for name, text in new.items() if old.get(name) != text]
    for name, text in old.items():
        if name not in new:
            chains = re.findall(r"^:(\S+) (?:ACCEPT|DROP) ", text, re.MULTILINE)
            changed.append(
                f"*{name}\n" + "".join(f":{chain} ACCEPT [0:0]\n" for chain in chains) + "COMMIT\n"
            )
    return "".join(changed)


def _foreign_tables(before: Snapshot, after: Snapshot) -> bool:
    old, new = split_nft(before.get("nft")), split_nft(after.get("nft"))
    return old is None or new is None or bool(old.keys() - new.keys())


def _flow_line(flow: Flow) -> str:
    version, _, _ = parse_span(flow.address)
    port = "-" if flow.port is None else str(flow.port)
    if flow.port is not None and not 0 < flow.port < 65536:
        raise InputError(f"port {flow.port} of a flow to end", expected="1 to 65535")
    protocol = _PROTOCOLS.get(flow.protocol, str(flow.protocol))
    return f"ipv{version} {protocol} {flow.address} {port} {flow.source or '-'}\n"
