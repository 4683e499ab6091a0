"""Fair shares of the uplinks (clause 7.7): HTB classes, up on each uplink, down through one shared ifb.

`meta priority` picks the class by port, with no filter; only classes change when clients do. HTB halves
segmented TCP, so it stands on the uplinks and the ifb alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.model.edge import EdgeState, Link

IFB: Final = "fwg-down"
DEFAULT_CLASS: Final = 2  # what is no client's: the operator's own traffic
_ROOT: Final = 1
_ANY_BYTECODE: Final = (
    "1,6 0 0 4294967295"  # `ret -1`: every packet (tc-bpf(8)); other classifiers may be absent
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficClass:
    """One client's class on every shaped device: `rate_bps` is assured, `ceil_bps` may be borrowed."""

    number: int
    rate_bps: int
    ceil_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """Traffic control of an edge. `shrunk` is what part of the assured rates the uplink can hold (1.0: all)."""

    uplinks: tuple[str, ...]
    outer: tuple[str, ...]
    classes: tuple[TrafficClass, ...]
    link_bps: int
    assured_sum_bps: int
    quantum_bytes: int
    queue_bytes: int

    @property
    def shrunk(self) -> float:
        """Return the factor by which assured rates were shrunk to fit the uplink (clause 7.7)."""
        return min(1.0, self.link_bps / self.assured_sum_bps) if self.assured_sum_bps else 1.0

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the devices that bear the classes."""
        return *self.uplinks, IFB


def shape(state: EdgeState) -> Shaping:
    """Return the classes; where the assured rates exceed the uplink they shrink in proportion."""
    total = sum(share.assured_bps for share in state.shares)
    link = state.uplink_bps
    return Shaping(
        uplinks=state.uplinks,
        outer=tuple(p.interface for p in state.outer_ports if p.is_started and p.link is Link.ROUTED),
        classes=tuple(
            TrafficClass(
                number=share.number,
                rate_bps=share.assured_bps if total <= link else max(1000, share.assured_bps * link // total),
                ceil_bps=link,
            )
            for share in sorted(state.shares, key=lambda share: share.number)
        ),
        link_bps=link,
        assured_sum_bps=total,
        quantum_bytes=state.controls.bandwidth.quantum_bytes,
        queue_bytes=state.controls.bandwidth.queue_bytes,
    )


def first_tc_text(shaping: Shaping) -> str:
    """Return `tc -batch` lines for devices without our queues; the ifb must exist and be up."""
    return "".join(f"{line}\n" for line in _first(shaping))


def _first(shaping: Shaping) -> Iterator[str]:
    link = shaping.link_bps
    for device in shaping.devices:
        yield f"qdisc replace dev {device} root handle 1: htb default {DEFAULT_CLASS:x} r2q 1000"
        head = f"class replace dev {device} parent 1: classid 1:{_ROOT} htb rate {link}bit ceil {link}bit "
        yield head + f"burst {_burst(link)}b cburst {_burst(link)}b quantum 60000"
        default = TrafficClass(number=DEFAULT_CLASS, rate_bps=max(1000, link // 100), ceil_bps=link)
        yield from _class(shaping, device, default)
        for one in shaping.classes:
            yield from _class(shaping, device, one)
    for port in shaping.outer:
        yield from port_lines(port)


def port_lines(port: str) -> Iterator[str]:
    """Return what sends a port's download through the ifb (mirred keeps the priority)."""
    yield f"qdisc replace dev {port} clsact"
    yield (
        f"filter replace dev {port} egress protocol all prio 1 handle 1 bpf bytecode '{_ANY_BYTECODE}' "
        f"action mirred egress redirect dev {IFB}"
    )


def _burst(rate_bps: int) -> int:
    """Return what a class may send at once: 1 ms of its rate, two full frames at least."""
    return max(3200, rate_bps // 8000)


def _class(shaping: Shaping, device: str, one: TrafficClass) -> Iterator[str]:
    yield (
        f"class replace dev {device} parent 1:{_ROOT} classid 1:{one.number:x} htb rate {one.rate_bps}bit "
        f"ceil {one.ceil_bps}bit burst {_burst(one.rate_bps)}b cburst {_burst(one.ceil_bps)}b "
        f"quantum {shaping.quantum_bytes}"
    )
    yield f"qdisc replace dev {device} parent 1:{one.number:x} bfifo limit {shaping.queue_bytes}"


def tc_change_text(before: Shaping, after: Shaping) -> str:
    """Return `tc -batch` lines that lead from one shaping to another of the same devices."""
    if before.uplinks != after.uplinks or before.link_bps != after.link_bps:
        return first_tc_text(after)
    lines: list[str] = []
    old = {one.number: one for one in before.classes}
    new = {one.number: one for one in after.classes}
    for device in after.devices:
        for one in _changed(old.values(), new):
            lines.append(f"class del dev {device} classid 1:{one.number:x}")
        for number, one in new.items():
            if number not in old:
                lines += _class(after, device, one)
            elif old[number] != one:
                lines.append(next(_class(after, device, one)))
    lines += [f"qdisc del dev {port} clsact" for port in before.outer if port not in set(after.outer)]
    for port in after.outer:
        if port not in set(before.outer):
            lines += port_lines(port)
    return "".join(f"{line}\n" for line in lines)


def _changed(old: Iterable[TrafficClass], new: dict[int, TrafficClass]) -> Iterator[TrafficClass]:
    return (one for one in old if one.number not in new)
