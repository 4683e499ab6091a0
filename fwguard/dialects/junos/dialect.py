"""The dialect of Junos on SRX firewalls, in any of its three forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.collector import collector_at_rest
from fwguard.dialects.junos.canonical import canonical
from fwguard.dialects.junos.reader import NAME, read_policy
from fwguard.dialects.junos.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
_CONFIGURATION: Final = re.compile(r"<configuration[\s>]")
_XML_PARTS: Final = re.compile(r"<(?:security|interfaces|applications|routing-options|firewall|system)[\s>]")
_COMMAND: Final = re.compile(
    r"^[ \t]*(?:set|deactivate|activate|delete|insert)[ \t]+(\S+)(?:[ \t]+(\S+))?", re.MULTILINE
)
_OWN_TOPS: Final = frozenset(
    {"security", "applications", "routing-options", "routing-instances", "policy-options", "groups",
     "apply-groups", "version", "class-of-service", "chassis", "event-options"}
)  # fmt: skip
_SHARED_TOPS: Final = frozenset({"system", "interfaces", "protocols", "snmp", "firewall", "vlans", "access"})
_UNIT: Final = re.compile(
    r"[a-z]{2,3}-\d+/\d+/\d+\S*|(?:reth|lo|st|irb|ae|fxp|em|vlan)\d+\S*|irb|vlan|interface-range"
)
_BLOCK: Final = re.compile(
    r"^(?:security|applications|routing-options|routing-instances|policy-options|groups|chassis|firewall|system"
    r"|interfaces|protocols|snmp)\s*\{", re.MULTILINE,
)  # fmt: skip
_OWN_BLOCK: Final = re.compile(
    r"^\s*(?:security-zone|from-zone|address-book|policies|rule-set|host-inbound-traffic|family inet6?)\b.*\{",
    re.MULTILINE,
)
_STATEMENT: Final = re.compile(r"^\s+[^\s{};#][^{};]*;\s*(?:##.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Junos:
    """Reads and writes SRX configurations: zones, policies, NAT, filters of interfaces, static routes.

    Zones are the interfaces of the model. Policies are judged after static and destination NAT and before
    source NAT, as in the model. A configuration of several logical systems is read for the main one.
    """

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is Junos, 0 to 100."""
        head = text[:SNIFFED]
        if head.lstrip()[:1] == "<":
            if not _CONFIGURATION.search(head):
                return 0
            return 90 if _XML_PARTS.search(head) or "junos" in head else 50
        commands = _COMMAND.findall(head)
        if commands:
            own: int = sum(
                first in _OWN_TOPS or (first == "interfaces" and bool(_UNIT.fullmatch(second)))
                or (first == "firewall" and second in ("family", "filter"))
                for first, second in commands
            )  # fmt: skip
            shared: int = sum(first in _SHARED_TOPS for first, _ in commands)
            if own:
                return 55 + 40 * min(own + shared, len(commands)) // len(commands)
            return 0
        if not _BLOCK.search(head) or not _STATEMENT.search(head):
            return 0
        return 90 if _OWN_BLOCK.search(head) else 40

    def read(self, text: str) -> Policy:
        """Read a whole configuration. Raises UnreadableError with the line for other or half texts."""
        with collector_at_rest():
            return read_policy(text)

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change, in its own form: policies before what denies, NAT rules first.

        Raises InputError where no zones can be told, or the tag stands already.
        """
        with collector_at_rest():
            return write_change(change, text)

    def canonical(self, text: str) -> str:
        """Return the text as set lines without comments, layout, and order without meaning."""
        with collector_at_rest():
            return canonical(text)


JUNOS: Final = Junos()
