"""Behind which zone addresses lie: by the prefixes of interfaces and static routes, the longest deciding."""

from __future__ import annotations

from collections.abc import Iterable

from fwguard.errors import InputError
from fwguard.model.address import AddressSet


class Towards:
    """Built from (prefix, zone); `of` takes addresses apart by zone."""

    def __init__(self, table: Iterable[tuple[str, str]]) -> None:
        rows: list[tuple[int, AddressSet, str]] = []
        for prefix, zone in table:
            try:
                addresses = AddressSet.parse(prefix)
            except InputError:
                continue
            bits = addresses.v4.size.bit_length() + 96 if addresses.v4 else addresses.v6.size.bit_length()
            rows.append((bits, addresses, zone))
        self.rows = sorted(rows, key=lambda row: row[0])

    def of(self, addresses: AddressSet) -> tuple[dict[str, AddressSet], AddressSet]:
        """Return what lies behind each zone, and what lies behind none that is known."""
        found: dict[str, AddressSet] = {}
        left = addresses
        for _, prefix, zone in self.rows:
            hit = left & prefix
            if hit:
                found[zone] = found.get(zone, AddressSet()) | hit
                left = left - prefix
        return found, left
