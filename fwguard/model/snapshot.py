"""The native text of one firewall at one moment: what is read, approved, compared and put back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fwguard.errors import InputError

# Parts of a Linux firewall, in the order that they are read and written. `boot/…` is what the next
# start would load; the others are what runs.
LINUX_PARTS = (
    "nft",  # every table of every family that iptables-nft does not manage
    "iptables", "ip6tables",  # iptables-save of the nft variant
    "iptables-legacy", "ip6tables-legacy",
    "ipset",
    "routes4", "routes6",  # static ones of every table: not kernel, RA, DHCP or daemons
    "rules4", "rules6",  # ip rule
    "sysctl",  # forwarding and rp_filter
    "boot/nftables.conf", "boot/rules.v4", "boot/rules.v6", "boot/ipsets", "boot/routes", "boot/sysctl",
)  # fmt: skip
NETCONF_PARTS = ("running", "startup")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Parts of a configuration by name; a part that the device does not have is absent."""

    parts: Mapping[str, str] = field(default_factory=dict)
    # SHA-256 of the canonical JSON of all parts, as hex; made once, since readings are compared by it
    digest: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for name, text in self.parts.items():
            if name not in LINUX_PARTS and name not in NETCONF_PARTS:
                raise InputError(f"unknown part {name!r} of a snapshot")
            if "\0" in text:
                raise InputError(f"part {name!r} holds a NUL byte")
        object.__setattr__(self, "parts", MappingProxyType(dict(self.parts)))
        object.__setattr__(self, "digest", hashlib.sha256(self.to_json().encode()).hexdigest())

    def __hash__(self) -> int:
        return hash(self.digest)

    def get(self, name: str) -> str:
        """Return the text of a part, empty when it is absent."""
        return self.parts.get(name, "")

    def with_parts(self, texts: Mapping[str, str]) -> Snapshot:
        """Return a copy with these parts replaced; an empty text removes the part."""
        merged = {**self.parts, **texts}
        return Snapshot({name: text for name, text in merged.items() if text})

    def to_json(self) -> str:
        """Write as canonical JSON: sorted keys, no spaces, UTF-8 as it is."""
        return json.dumps(dict(self.parts), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read what `to_json` wrote."""
        return cls(json.loads(text))
