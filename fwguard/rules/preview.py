"""What a changed folder `rules/` would change, and for whom, before a second person approves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from fwguard.errors import InputError
from fwguard.model.controls import Controls
from fwguard.model.edge import EdgePort, EdgeState, PortKind, Template
from fwguard.model.inventory import Role
from fwguard.model.ports import show_protocol
from fwguard.rules.addresses import read_address_rules
from fwguard.rules.clauses import digest_of, read_clauses
from fwguard.rules.controls import CONTROLS_BY_CLAUSE, read_controls
from fwguard.rules.detectors import read_detectors
from fwguard.rules.services import read_services

_CLAUSE_OF: Final = {name: clause for clause, name in CONTROLS_BY_CLAUSE.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The whole folder, read: every value under the path that names it, and the digest to approve."""

    digest: str
    values: Mapping[tuple[str, str], str]  # (clause or file, path) -> value in words
    controls: Controls


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One value that would change. `before` or `after` is empty where it is new or gone."""

    clause: str
    path: str
    before: str
    after: str


def check_rules(folder: Path) -> list[str]:
    """Return one complaint a reader: empty when the whole folder can be approved."""
    complaints: list[str] = []
    for read in (read_services, read_clauses, read_controls, read_address_rules, read_detectors):
        try:
            read(folder)
        except InputError as error:
            if str(error) not in complaints:
                complaints.append(str(error))
    return complaints


def read_rules(folder: Path) -> Rules:
    """Read the whole folder. Raises InputError with file, line and what was expected."""
    controls = read_controls(folder)
    values: dict[tuple[str, str], str] = {}
    for clause in read_clauses(folder).values():
        for where, texts in (("title", clause.title), ("says", clause.says)):
            for language, text in texts.items():
                values[clause.number, f"{where}.{language}"] = text
    for name in (one.name for one in fields(Controls)):
        for path, text in _flat(name, getattr(controls, name)):
            values[_CLAUSE_OF[name], path] = text
    for path, text in _flat("address", read_address_rules(folder)):
        values["4", path] = text
    for path, text in _flat("detectors", read_detectors(folder)):
        values["detectors.yaml", path] = text
    for service, ports in read_services(folder).items():
        values["services.yaml", service] = ", ".join(_ports(*one) for one in ports)
    return Rules(digest=digest_of(folder), values=values, controls=controls)


def moves(before: Rules, after: Rules) -> list[Move]:
    """Return every value that differs, in a stable order."""
    keys = sorted(before.values.keys() | after.values.keys())
    return [
        Move(clause=clause, path=path, before=old, after=new)
        for clause, path in keys
        if (old := before.values.get((clause, path), "")) != (new := after.values.get((clause, path), ""))
    ]


def touched(move: Move, state: EdgeState) -> tuple[str, ...]:
    """Return the servers of an edge that a move is about, sorted; empty for words that only people read."""
    if move.path.startswith(("title.", "says.")) or move.clause in ("services.yaml",):
        return ()
    return tuple(
        sorted({port.server for port in state.ports if port.is_started and _concerns(move, port, state)})
    )


def _concerns(move: Move, port: EdgePort, state: EdgeState) -> bool:
    """Tell whether a control acts on a port at all."""
    architecture = next(one for one in state.architectures if one.name == port.architecture)
    isolated = {one.port for one in state.isolations} | {
        other.number
        for one in state.isolations
        for other in state.ports
        if one.architecture and other.architecture == one.architecture
    }
    is_server = port.kind is PortKind.SERVER
    by_clause = {
        "6.1": is_server,
        "7.1": is_server,
        "7.1.1": port.kind is PortKind.FIREWALL_OUT,
        "7.4": is_server and port.role is not Role.MAIL,
        "7.5": is_server and port.number not in {one.port for one in state.registrations},
        "8": port.number in isolated,
        "13.2": architecture.template is Template.RETRIEVAL,
        "annex-2": architecture.template is Template.DEVELOPMENT,
        "annex-3": architecture.template is Template.VPN,
    }
    return by_clause.get(move.clause, True)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Return every leaf of a value with its path."""
    if is_dataclass(value):
        for one in fields(value):
            yield from _flat(f"{path}.{one.name}", getattr(value, one.name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(f"{path}.{key}", one)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        yield path, ", ".join(sorted(_known(one) for one in value))
    elif isinstance(value, tuple | frozenset):
        words = [str(one) for one in value]
        yield path, ", ".join(words if isinstance(value, tuple) else sorted(words))
    else:
        yield path, str(value.value if isinstance(value, StrEnum) else value)


def _known(one: Any) -> str:
    return f"{one.kind} {_ports(one.protocol, one.first_port, one.last_port)}"


def _ports(protocol: int, first: int, last: int) -> str:
    return f"{show_protocol(protocol)}/{first}" + (f"-{last}" if last > first else "")
