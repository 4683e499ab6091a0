"""Traffic control: a text of tc lines applied, read back and compared; what each class has carried.

tc has no transactions: `tc -batch` stops at the first line that the kernel refuses, and what stood before it
holds. So the text is written to be applied again (`class replace`), and nothing counts as applied until every class
was read back. Source: tc(8), tc-htb(8); DESIGN.md section 5 for why lines are applied by tc and read here.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from fwguard.errors import CommitRefusedError, ConflictError, DeviceError, InputError
from fwguard.kernel.links import Links
from fwguard.kernel.namespaces import inside

MAX_TEXT_BYTES: Final = 16 << 20
_BATCH_S: Final = 60.0
_ROOT: Final = 0xFFFFFFFF  # TC_H_ROOT
# tc(8), PARAMETERS, RATES: bit per second with SI or IEC factors, or with `bps` bytes per second.
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(bit|bps)?", re.IGNORECASE)
_EXPONENT: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True, slots=True, order=True)
class ShapedClass:
    """One HTB class: `handle` and `parent` as tc writes them (`1:2a`; parent `root`), rates in bit/s."""

    port: str
    handle: str
    parent: str
    rate_bps: int
    ceil_bps: int


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What a class has carried since it was made, what it threw away, and what waits in it."""

    bytes: int
    packets: int
    drops: int
    backlog_bytes: int


def wanted_classes(text: str) -> tuple[ShapedClass, ...]:
    """Return the HTB classes that a batch text makes; other lines say nothing of classes.

    Raises InputError with the line for a class line that cannot be read.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise InputError(f"a tc text of {len(text)} bytes", expected=f"at most {MAX_TEXT_BYTES}")
    found: dict[tuple[str, str], ShapedClass] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if words[:2] not in (["class", "add"], ["class", "replace"], ["class", "change"]):
            continue
        said = dict(pairwise(words))
        if "htb" not in words or not {"dev", "classid", "rate"} <= said.keys():
            where = f"tc line {number}"
            raise InputError(
                line[:200], where=where, expected="class … dev PORT parent … classid … htb rate …"
            )
        rate = rate_bps(said["rate"], where=f"tc line {number}")
        ceil = rate_bps(said["ceil"], where=f"tc line {number}") if "ceil" in said else rate
        handle = _handle(said["classid"])
        parent = _handle(said.get("parent", "root"))
        # A class directly below its qdisc is shown with parent root.
        parent = "root" if parent == "root" or parent.endswith(":0") else parent
        found[said["dev"], handle] = ShapedClass(said["dev"], handle, parent, rate, ceil)
    return tuple(found.values())


def rate_bps(word: str, *, where: str = "") -> int:
    """Return a rate of tc's in bit/s. Raises InputError."""
    matched = _RATE.fullmatch(word)
    if matched is None:
        raise InputError(
            f"rate {word!r}", where=where, expected="as tc(8) writes it: 101mbit, 1gbit, 500kbps"
        )
    number, factor, binary, unit = matched.groups()
    factored: int = (1024 if binary else 1000) ** _EXPONENT[factor.lower()]
    return round(float(number) * factored * (8 if (unit or "").lower() == "bps" else 1))


def apply(text: str, *, netns: str | None = None) -> tuple[ShapedClass, ...]:
    """Apply a batch text and return its classes, once the kernel holds each of them as written.

    Raises:
        InputError: a class line that cannot be read; nothing was applied.
        CommitRefusedError: a line was refused; those before it hold: correct it and apply the whole again.
        ConflictError: an interface of the text vanished.
        DeviceError: what was read back is another.
    """
    wanted = wanted_classes(text)
    _batch(_without_roots(text, netns), netns)
    found = differences(wanted, netns=netns)
    if found:
        raise DeviceError(
            f"tc took the text and the kernel holds another: {'; '.join(found[:5])}; apply it again"
        )
    return wanted


def differences(wanted: Iterable[ShapedClass], *, netns: str | None = None) -> tuple[str, ...]:
    """Return in words where the kernel's HTB classes differ from these, on the ports that these name."""
    should = {(one.port, one.handle): one for one in wanted}
    there = {(one.port, one.handle): one for one in read_classes({port for port, _ in should}, netns=netns)}
    said = [f"{port} class {handle} is missing" for port, handle in should.keys() - there.keys()]
    said += [f"{port} class {handle} is not wanted" for port, handle in there.keys() - should.keys()]
    for key in should.keys() & there.keys():
        one, other = should[key], there[key]
        # The kernel keeps bytes per second: a rate may come back up to 8 bit/s lower.
        same = one.rate_bps - other.rate_bps < 8 and one.ceil_bps - other.ceil_bps < 8
        if (
            one.parent != other.parent
            or not same
            or other.rate_bps > one.rate_bps
            or other.ceil_bps > one.ceil_bps
        ):
            said.append(
                f"{key[0]} class {key[1]} under {other.parent} has {other.rate_bps}/{other.ceil_bps} bit/s "
                f"instead of {one.rate_bps}/{one.ceil_bps} under {one.parent}"
            )
    return tuple(sorted(said))


def read_classes(ports: Iterable[str], *, netns: str | None = None) -> tuple[ShapedClass, ...]:
    """Return the HTB classes of these ports. Raises ConflictError when one vanished."""
    return tuple(_shaped(port, one) for port, one in _listed(ports, netns))


def read_counts(ports: Iterable[str], *, netns: str | None = None) -> dict[tuple[str, str], ClassCount]:
    """Return what each class has carried, by port and handle: one listing a port."""
    return {(port, _shown(one["handle"])): _count(one) for port, one in _listed(ports, netns)}


def _batch(text: str, netns: str | None) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["tc", "-batch", "-"], input=text, capture_output=True, text=True, timeout=_BATCH_S
            )
        except FileNotFoundError:
            raise CommitRefusedError("tc is not installed: apt-get install iproute2") from None
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"tc took more than {_BATCH_S:g} s; how far it came is unknown: apply it again"
            ) from None

    done = run() if netns is None else inside(netns, run)
    if not done.returncode:
        return
    said = [line for line in done.stderr.splitlines() if not line.startswith("Warning:")]
    number = done.stderr.strip().rpartition("-:")[2]
    lines = text.splitlines()
    line = lines[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(lines) else ""
    message = f"tc line {number}: {'; '.join(said)[:500]} ({line}); the lines before it hold"
    if "Cannot find device" in done.stderr:
        raise ConflictError(
            f"{message} (expected an existing interface; read the links, compile anew, apply again)"
        )
    raise CommitRefusedError(
        f"{message} (expected a line that this kernel takes; correct it, apply the whole again)"
    )


def _without_roots(text: str, netns: str | None) -> str:
    """Return the text without the lines that make a root HTB which is there: it can be neither made again nor
    changed, and to remove it would let everything pass unshaped. Lines keep their numbers."""
    lines = text.splitlines()
    made: dict[int, tuple[str, str]] = {}
    for at, line in enumerate(lines):
        words = line.split("#", 1)[0].split()
        said = dict(pairwise(words))
        if words[:2] in (["qdisc", "add"], ["qdisc", "replace"]) and "root" in words and "htb" in words:
            made[at] = said.get("dev", ""), _handle(said.get("handle", "root"))
    if not made:
        return text
    there: set[tuple[str, str]] = set()
    with Links(netns=netns) as links:
        for port in {port for port, _ in made.values()}:
            there |= {
                (port, _shown(one["handle"]))
                for one in links.disciplines(port)
                if one["parent"] == _ROOT and one.get_attr("TCA_KIND") == "htb"
            }
    return "".join(f"{'' if made.get(at) in there else line}\n" for at, line in enumerate(lines))


def _listed(ports: Iterable[str], netns: str | None) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    with Links(netns=netns) as links:
        for port in sorted(ports):
            found += [(port, one) for one in links.classes(port) if one.get_attr("TCA_KIND") == "htb"]
    return found


def _shaped(port: str, one: Any) -> ShapedClass:
    options = one.get_attr("TCA_OPTIONS")
    parameters = options.get_attr("TCA_HTB_PARMS")
    # Above 2^32 bytes per second the 32-bit field is full and the true rate stands apart.
    rate = options.get_attr("TCA_HTB_RATE64") or parameters["rate"]
    ceil = options.get_attr("TCA_HTB_CEIL64") or parameters["ceil"]
    parent = "root" if one["parent"] == _ROOT else _shown(one["parent"])
    return ShapedClass(port, _shown(one["handle"]), parent, 8 * int(rate), 8 * int(ceil))


def _count(one: Any) -> ClassCount:
    stats = one.get_attr("TCA_STATS2")
    basic, queue = stats.get_attr("TCA_STATS_BASIC"), stats.get_attr("TCA_STATS_QUEUE")
    return ClassCount(basic["bytes"], basic["packets"], queue["drops"], queue["backlog"])


def _shown(handle: int) -> str:
    return f"{handle >> 16:x}:{handle & 0xFFFF:x}"


def _handle(word: str) -> str:
    """Return a handle in one form: `1:` is 1:0, and tc reads both halves as hexadecimal."""
    if word == "root":
        return word
    major, _, minor = word.partition(":")
    return f"{int(major or '0', 16):x}:{int(minor or '0', 16):x}"
