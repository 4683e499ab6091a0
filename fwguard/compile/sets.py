"""Every set and map of the edge's tables, here and nowhere else: what its keys are and what it maps to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.model.controls import Controls


class Field(StrEnum):
    """One field of a key, by the words that nft's `typeof` knows; its value in Python beside it."""

    IIF = "iifname"  # str
    OIF = "oifname"  # str
    ETHER = "ether saddr"  # "02:00:…"
    V4_SOURCE = "ip saddr"  # int
    V4_TARGET = "ip daddr"  # int
    V6_SOURCE = "ip6 saddr"  # int
    V6_TARGET = "ip6 daddr"  # int
    ARP_ETHER = "arp saddr ether"  # "02:00:…"
    ARP_IP = "arp saddr ip"  # int
    ND_TARGET = "@th,64,128"  # int: the target of a neighbour message (RFC 4861 sections 4.3, 4.4)
    ND_ETHER = "@th,208,48"  # "02:00:…": the address in its first option
    PROTOCOL = "meta l4proto"  # int
    SPORT = "th sport"  # int
    DPORT = "th dport"  # int
    TCP_SPORT = "tcp sport"  # int
    TCP_DPORT = "tcp dport"  # int
    ZONE = "ct zone"  # int
    PRIORITY = "meta priority"  # int: major << 16 | minor
    VERDICT = "verdict"  # "accept", "drop", "jump CHAIN", "goto CHAIN"


F = Field


# As many as an edge has ports: it is never full. No control changes it, for then its cuts would be lost.
MOST_CUT: Final = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSpec:
    """One set, or map where `data` is given. In an interval set each key field is a (first, last) pair.

    `is_local` marks what packets and the edge itself write: no new generation touches it.
    """

    family: str
    name: str
    key: tuple[Field, ...]
    data: Field | None = None
    is_interval: bool = False
    has_timeout: bool = False
    is_dynamic: bool = False
    is_local: bool = False
    has_counter: bool = False
    size: int = 0
    timeout_s: int = 0

    def declaration(self) -> str:
        """Return it as nft text."""
        flags = [
            *(["interval"] if self.is_interval else []),
            *(["timeout"] if self.has_timeout else []),
            *(["dynamic"] if self.is_dynamic else []),
        ]
        kind = " . ".join(self.key) + (f" : {self.data}" if self.data else "")
        lines = [
            f"typeof {kind}",
            *([f"flags {','.join(flags)}"] if flags else []),
            *([f"size {self.size}"] if self.size else []),
            *([f"timeout {self.timeout_s}s"] if self.timeout_s else []),
            *(["counter"] if self.has_counter else []),
        ]
        body = "".join(f"\t\t{line}\n" for line in lines)
        return f"\t{'map' if self.data else 'set'} {self.name} {{\n{body}\t}}\n"


def set_table(controls: Controls) -> Mapping[tuple[str, str], SetSpec]:
    """Return every set by (family, name). Sizes and times of the kernel's memory come from the controls."""
    specs = (
        *_INET,
        *_memory(controls),
        *_identity("inet"),
        *_cuts("inet"),
        SetSpec(family="arp", name="arp_ports", key=(F.IIF,)),
        SetSpec(family="arp", name="arp_true", key=(F.IIF, F.ARP_ETHER, F.ARP_IP)),
        SetSpec(family="arp", name="arp_true_span", key=(F.IIF, F.ARP_ETHER, F.ARP_IP), is_interval=True),
        SetSpec(family="netdev", name="arp_true", key=(F.IIF, F.ARP_ETHER, F.ARP_IP)),
        SetSpec(family="netdev", name="arp_true_span", key=(F.IIF, F.ARP_ETHER, F.ARP_IP), is_interval=True),
        *_identity("netdev"),
        *_cuts("netdev"),
    )
    return {(spec.family, spec.name): spec for spec in specs}


def _identity(family: str) -> tuple[SetSpec, ...]:
    return (
        SetSpec(family=family, name="true4", key=(F.IIF, F.ETHER, F.V4_SOURCE)),
        SetSpec(family=family, name="true6", key=(F.IIF, F.ETHER, F.V6_SOURCE)),
        SetSpec(family=family, name="true4_span", key=(F.IIF, F.ETHER, F.V4_SOURCE), is_interval=True),
        SetSpec(family=family, name="true6_span", key=(F.IIF, F.ETHER, F.V6_SOURCE), is_interval=True),
        SetSpec(family=family, name="true_mac", key=(F.IIF, F.ETHER)),
        SetSpec(family=family, name="nd_target", key=(F.IIF, F.ND_TARGET)),
        SetSpec(family=family, name="nd_target_span", key=(F.IIF, F.ND_TARGET), is_interval=True),
        SetSpec(family=family, name="nd_ether", key=(F.IIF, F.ND_ETHER)),
    )


def _cuts(family: str) -> tuple[SetSpec, ...]:
    local = {"family": family, "is_local": True}
    return (
        SetSpec(**local, name="cut_local_port", key=(F.IIF,), is_dynamic=True, size=MOST_CUT),  # type: ignore[arg-type]
        SetSpec(**local, name="cut_local_mac", key=(F.ETHER,)),  # type: ignore[arg-type]
        SetSpec(family=family, name="cut_ordered_from", key=(F.IIF,), data=F.VERDICT, has_timeout=True),
        SetSpec(family=family, name="cut_ordered_to", key=(F.OIF,), data=F.VERDICT, has_timeout=True),
        SetSpec(family=family, name="cut_ordered_mac", key=(F.ETHER,), data=F.VERDICT, has_timeout=True),
        *(
            SetSpec(family=family, name=f"{passage}_peers{v}", key=(field,), is_interval=True)
            for passage in ("console", "remediation")
            for v, field in ((4, F.V4_SOURCE), (6, F.V6_SOURCE))
        ),
        *(
            SetSpec(family=family, name=f"{passage}_ports", key=(F.TCP_DPORT,))
            for passage in ("console", "remediation")
        ),
    )


def _memory(controls: Controls) -> tuple[SetSpec, ...]:
    """Return what packets write: bounded, forgotten by itself, never ours to delete."""
    most, window_s = controls.intrusion.memory_most, controls.intrusion.window_s
    shared = {"family": "inet", "is_local": True, "is_dynamic": True, "has_timeout": True, "size": most}
    return tuple(
        SetSpec(**shared, name=name, key=key, timeout_s=window_s)  # type: ignore[arg-type]
        for name, key in (
            ("tried4", (F.IIF, F.V4_TARGET, F.DPORT)),
            ("tried6", (F.IIF, F.V6_TARGET, F.DPORT)),
            ("scan_rate", (F.IIF,)),
            ("mail_scan_rate", (F.IIF,)),
            ("flood_rate", (F.IIF,)),
        )
    )


_FLOW4: Final = (F.IIF, F.V4_TARGET, F.PROTOCOL, F.SPORT, F.DPORT)
_FLOW6: Final = (F.IIF, F.V6_TARGET, F.PROTOCOL, F.SPORT, F.DPORT)

_INET: Final = (
    # who is where
    SetSpec(family="inet", name="ports", key=(F.IIF,)),
    SetSpec(family="inet", name="servers", key=(F.OIF,)),  # inner ones: what detectors see
    SetSpec(family="inet", name="arriving", key=(F.IIF,), data=F.VERDICT),
    SetSpec(family="inet", name="sent_by", key=(F.IIF,), data=F.VERDICT),
    SetSpec(family="inet", name="new_to", key=(F.OIF,), data=F.VERDICT),
    SetSpec(family="inet", name="zone_inside", key=(F.IIF,), data=F.ZONE),
    SetSpec(family="inet", name="zone_outside", key=(F.IIF,), data=F.ZONE),
    SetSpec(family="inet", name="zone_of4", key=(F.V4_TARGET,), data=F.ZONE),
    SetSpec(family="inet", name="zone_of6", key=(F.V6_TARGET,), data=F.ZONE),
    SetSpec(family="inet", name="zone_of4_span", key=(F.V4_TARGET,), data=F.ZONE, is_interval=True),
    SetSpec(family="inet", name="zone_of6_span", key=(F.V6_TARGET,), data=F.ZONE, is_interval=True),
    SetSpec(family="inet", name="public4", key=(F.V4_TARGET,)),
    SetSpec(family="inet", name="public6", key=(F.V6_TARGET,)),
    SetSpec(family="inet", name="public4_span", key=(F.V4_TARGET,), is_interval=True),
    SetSpec(family="inet", name="public6_span", key=(F.V6_TARGET,), is_interval=True),
    SetSpec(family="inet", name="inside_of_zone", key=(F.ZONE, F.OIF)),
    # what is forbidden, and to whom it is not
    SetSpec(family="inet", name="mail_ports", key=(F.TCP_DPORT,)),
    SetSpec(family="inet", name="mail_senders", key=(F.IIF,)),
    SetSpec(family="inet", name="known_services", key=(F.PROTOCOL, F.DPORT), is_interval=True),
    SetSpec(family="inet", name="registered", key=(F.IIF, F.PROTOCOL, F.DPORT), has_timeout=True),
    SetSpec(family="inet", name="approved_scans4", key=(F.IIF, F.V4_TARGET), is_interval=True, has_timeout=True),
    SetSpec(family="inet", name="approved_scans6", key=(F.IIF, F.V6_TARGET), is_interval=True, has_timeout=True),
    # what is open
    SetSpec(family="inet", name="open4", key=(F.V4_TARGET, F.PROTOCOL, F.DPORT), has_timeout=True),
    SetSpec(family="inet", name="open6", key=(F.V6_TARGET, F.PROTOCOL, F.DPORT), has_timeout=True),
    SetSpec(family="inet", name="open_whole4", key=(F.V4_TARGET, F.PROTOCOL), has_timeout=True),
    SetSpec(family="inet", name="open_whole6", key=(F.V6_TARGET, F.PROTOCOL), has_timeout=True),
    SetSpec(family="inet", name="ranged4", key=(F.V4_TARGET,), data=F.VERDICT),
    SetSpec(family="inet", name="ranged6", key=(F.V6_TARGET,), data=F.VERDICT),
    SetSpec(family="inet", name="monitoring4", key=(F.V4_SOURCE,), is_interval=True),
    SetSpec(family="inet", name="monitoring6", key=(F.V6_SOURCE,), is_interval=True),
    SetSpec(family="inet", name="own_sources4", key=(F.OIF, F.V4_SOURCE), is_interval=True),
    SetSpec(family="inet", name="own_sources6", key=(F.OIF, F.V6_SOURCE), is_interval=True),
    SetSpec(family="inet", name="observed", key=(F.OIF,)),
    # what is cut besides ports
    SetSpec(family="inet", name="cut_local_v4", key=(F.V4_SOURCE,), is_local=True),
    SetSpec(family="inet", name="cut_local_v6", key=(F.V6_SOURCE,), is_local=True),
    SetSpec(family="inet", name="cut_ordered_v4", key=(F.V4_SOURCE,), has_timeout=True),
    SetSpec(family="inet", name="cut_ordered_v6", key=(F.V6_SOURCE,), has_timeout=True),
    SetSpec(family="inet", name="cut_local_some", key=(F.IIF,), is_local=True),  # ports of the next three
    SetSpec(family="inet", name="cut_local_flow4", key=_FLOW4, is_local=True, has_timeout=True),
    SetSpec(family="inet", name="cut_local_flow6", key=_FLOW6, is_local=True, has_timeout=True),
    SetSpec(family="inet", name="cut_local_service", key=(F.IIF, F.PROTOCOL, F.DPORT), is_local=True),
    SetSpec(family="inet", name="cut_ordered_service", key=(F.IIF, F.PROTOCOL, F.DPORT), has_timeout=True),
    # what is shared fairly, and counted
    SetSpec(family="inet", name="class_up", key=(F.IIF,), data=F.PRIORITY, has_counter=True),  # sent
    SetSpec(family="inet", name="class_down", key=(F.OIF,), data=F.PRIORITY, has_counter=True),  # received
)  # fmt: skip
