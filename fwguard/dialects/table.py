"""Every dialect and every kind of whole firewall by name: the literal tables, and which one a text is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final, Generic, TypeVar, cast

from fwguard.dialects.platforms import SnapshotReader
from fwguard.dialects.protocol import Dialect
from fwguard.errors import InputError, UnreadableError
from fwguard.model.inventory import Platform

Key = TypeVar("Key")
Value = TypeVar("Value")
SURE: Final = 25  # below, a text is of no dialect that we know


class Imported(Mapping[Key, Value], Generic[Key, Value]):
    """A table of "module:object", each imported when it is first asked for: a reader of one language
    does not load the libraries of another."""

    def __init__(self, places: Mapping[Key, str]) -> None:
        self._places = dict(places)
        self._loaded: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        if key not in self._loaded:
            module, _, name = self._places[key].partition(":")
            self._loaded[key] = cast(Value, getattr(import_module(module), name))
        return self._loaded[key]

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


DIALECTS: Final[Mapping[str, Dialect]] = Imported(
    {
        "nftables": "fwguard.dialects.nftables:NFTABLES",
        "iptables": "fwguard.dialects.iptables:IPTABLES",
        "rfc8519": "fwguard.dialects.rfc8519:RFC8519",
        "asa": "fwguard.dialects.asa:ASA",
        "ios": "fwguard.dialects.ios:IOS",
        "frr": "fwguard.dialects.frr:FRR",
        "fortios": "fwguard.dialects.fortios:FORTIOS",
        "vyos": "fwguard.dialects.vyos:VYOS",
        "junos": "fwguard.dialects.junos:JUNOS",
        "panos": "fwguard.dialects.panos:PANOS",
        "pfsense": "fwguard.dialects.pf:PFSENSE",
        "opnsense": "fwguard.dialects.pf:OPNSENSE",
    }
)
PLATFORMS: Final[Mapping[Platform, SnapshotReader]] = Imported(
    {
        Platform.LINUX: "fwguard.dialects.linux:LINUX",
        Platform.IETF: "fwguard.dialects.ietf:IETF",
        Platform.ASA: "fwguard.dialects.one_language:ASA",
        Platform.IOS: "fwguard.dialects.one_language:IOS",
        Platform.FORTIOS: "fwguard.dialects.one_language:FORTIOS",
        Platform.VYOS: "fwguard.dialects.one_language:VYOS",
        Platform.JUNOS: "fwguard.dialects.one_language:JUNOS",
        Platform.PANOS: "fwguard.dialects.one_language:PANOS",
        Platform.PFSENSE: "fwguard.dialects.one_language:PFSENSE",
        Platform.OPNSENSE: "fwguard.dialects.one_language:OPNSENSE",
        Platform.FRR: "fwguard.dialects.one_language:FRR",
    }
)


def dialect(name: str) -> Dialect:
    """Return a dialect by name. Raises InputError that lists the known ones."""
    if name not in DIALECTS:
        raise InputError(f"dialect {name[:40]!r}", expected=", ".join(sorted(DIALECTS)))
    return DIALECTS[name]


def detect(text: str) -> Dialect:
    """Return the dialect that recognises the text best. Raises UnreadableError when none does."""
    ranked = sorted(((one.sniff(text), name) for name, one in DIALECTS.items()), reverse=True)
    sureness, name = ranked[0]
    if sureness < SURE:
        raise UnreadableError(
            "no dialect recognises this text", line=1, expected=f"one of {', '.join(sorted(DIALECTS))}"
        )
    return DIALECTS[name]
