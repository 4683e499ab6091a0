"""Static routes of FortiOS. Source: FortiOS CLI reference, `router static`, `router static6`."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.fortios.objects import Book, subnet
from fwguard.dialects.fortios.tree import Entry
from fwguard.errors import InputError
from fwguard.model.address import Family, parse_span
from fwguard.model.policy import Route

KNOWN: Final = frozenset({
    "status", "dst", "src", "gateway", "distance", "weight", "priority", "device", "comment", "blackhole",
    "dynamic-gateway", "sdwan-zone", "dstaddr", "link-monitor-exempt", "vrf", "bfd", "tag", "devindex", "sdwan",
    "virtual-wan-link", "preferred-source",
})  # fmt: skip


def read_routes(domain_name: str, domain: Entry, book: Book, only: bool) -> list[Route]:
    """Return the enabled static routes of a domain; its name is the table where there are several."""
    routes: list[Route] = []
    for path, family in (("router static", Family.V4), ("router static6", Family.V6)):
        for entry in domain.table(path).values():
            if entry.value("status") == "disable":
                continue
            try:
                routes += _route(entry, family, book, "main" if only else domain_name)
            except InputError as error:
                book.note(entry.line, f"edit {entry.name}", str(error))
    return routes


def _route(entry: Entry, family: Family, book: Book, table: str) -> list[Route]:
    for key, setting in entry.settings.items():
        if key not in KNOWN:
            raise InputError(f"line {setting.line}: {key[:40]} is not known in a route")
    if entry.values("src") and entry.values("src")[0] not in ("0.0.0.0/0", "0.0.0.0", "::/0"):  # noqa: S104
        raise InputError("a route for some sources")
    via = entry.value("gateway")
    if via in ("0.0.0.0", "::"):  # noqa: S104 - "not set"
        via = ""
    if via:
        parse_span(via)
    distance = entry.value("distance", "10")
    metric = int(distance) if distance.isdecimal() and len(distance) < 6 else 0
    kind = "blackhole" if entry.value("blackhole") == "enable" else "unicast"
    interface = entry.value("device") or " ".join(entry.values("sdwan-zone")[:1])
    if entry.values("dstaddr"):
        known = book.addresses(entry.values("dstaddr"), family)
        if known.why:
            raise InputError(known.why)
        prefixes = known.sure.texts()
    elif "dst" not in entry.settings:
        prefixes = ("0.0.0.0/0" if family is Family.V4 else "::/0",)
    else:
        prefixes = subnet(entry.values("dst")).texts()
    return [
        Route(
            prefix=prefix, via=via, interface=interface if kind == "unicast" else "", metric=metric, table=table,
            kind=kind, line=entry.line,
        )
        for prefix in prefixes
    ]  # fmt: skip
