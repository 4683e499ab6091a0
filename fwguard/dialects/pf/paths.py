"""Where the traffic of an opening comes in and goes out: by the interfaces' own networks and the routes."""

from __future__ import annotations

from fwguard.dialects.pf.reader import Configuration
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Opening

DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")


class Paths:
    """Networks and the interfaces behind which they lie, of one IP version."""

    def __init__(self, config: Configuration, family: Family) -> None:
        self.config = config
        self.version = 4 if family is Family.V4 else 6
        self.rows: list[tuple[int, int, str]] = []
        for name, one in config.interfaces.by_name.items():
            if one.is_enabled:
                for low, high in one.networks.v4 if family is Family.V4 else one.networks.v6:
                    self.rows.append((low, high, name))
        for route in config.policy.routes:
            if route.prefix in DEFAULT_ROUTES or not route.interface:
                continue
            try:
                version, low, high = parse_span(route.prefix)
            except InputError:
                continue
            if version == self.version:
                self.rows.append((low, high, route.interface))
        own = [name for name in config.interfaces.by_name if config.interfaces.by_name[name].is_enabled]
        leading = [name for name in own if config.interfaces.by_name[name].has_gateway(family)]
        named = [route.interface for route in config.policy.routes if route.prefix in DEFAULT_ROUTES]
        self.outside = leading or [name for name in own if name in named] or config.interfaces.outside()

    def towards(self, addresses: AddressSet) -> list[str]:
        """Return the interfaces behind which the addresses lie; what no network holds lies outside."""
        found: dict[str, None] = {}
        for low, high in addresses.v4 if self.version == 4 else addresses.v6:
            holding = [(end - start, name) for start, end, name in self.rows if start <= low and high <= end]
            found.update({min(holding)[1]: None} if holding else dict.fromkeys(self.outside))
        return list(found)

    def ways(self, opening: Opening) -> tuple[list[str], list[str]]:
        """Return the interfaces that the opening comes in on, and those that it leaves by.

        Raises InputError when the file has no interface for its source.
        """
        inner = self.towards(opening.target)
        outer = [name for name in self.towards(opening.source) if name not in inner]
        if not outer:
            outer = [name for name in self.outside if name not in inner]
        if not outer:
            raise InputError(
                f"no interface on which {opening.source} comes in", expected="an interface with a gateway"
            )
        return outer, inner
