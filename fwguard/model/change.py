"""A change of a firewall in no vendor's words, and the same in the device's own text."""

from __future__ import annotations

from dataclasses import dataclass

from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """New connections of `protocol` from `source` to `ports` of `target` shall pass.

    `target` is the server as the filter sees it: after the firewall's own destination NAT.
    `ports` is empty for protocols without ports (and for "any type" of ICMP).
    """

    protocol: int
    source: AddressSet
    target: AddressSet
    ports: Intervals = Intervals()

    def __post_init__(self) -> None:
        if not self.source or not self.target:
            raise InputError("an opening needs a source and a target")
        if not self.families:
            raise InputError(f"{self.source} and {self.target} share no IP version")

    @property
    def families(self) -> Family:
        """Return the IP versions in which the opening means something."""
        return self.source.families & self.target.families


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirection:
    """Connections to `public` address and `public_port` go to `inner` address and `inner_port` (DNAT).

    Addresses as text, both of one IP version.
    """

    protocol: int
    public: str
    public_port: int
    inner: str
    inner_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to add to a firewall, or to take away again when `remove`.

    `tag` marks every rule that the change makes (in its comment, or its name), and is how `remove`
    finds them again: letters, digits, `-`; at most 24 characters.
    """

    tag: str
    openings: tuple[Opening, ...] = ()
    redirections: tuple[Redirection, ...] = ()
    remove: bool = False

    def __post_init__(self) -> None:
        if not self.tag or len(self.tag) > 24 or not self.tag.replace("-", "").isalnum():
            raise InputError(f"tag {self.tag!r}", expected="letters, digits and -, at most 24")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change as the device will be told: the whole native text after it, and what to show a person.

    `shown` holds the lines added (`+ `) and taken away (`- `) in the device's own language.
    """

    after: Snapshot
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEdit:
    """The same for one text in one dialect (offline what-if)."""

    after: str
    shown: str
