"""The dialect of PAN-OS, of a firewall or of Panorama, in any of its three forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.canonical_paths import canonical_lines
from fwguard.dialects.collector import collector_at_rest
from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.forms import parse
from fwguard.dialects.panos.reader import NAME, read_policy
from fwguard.dialects.panos.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
# Below `rules` the order acts.
ORDERED: Final = frozenset({"rules"})
# What says when and by whom a text was made, and numbers that the device gives.
NO_DIFFERENCE: Final = ("uuid", "loc")
_CONFIG: Final = re.compile(r"<config[\s>]")
_XML_PARTS: Final = re.compile(
    r"<(?:mgt-config|deviceconfig|rulebase|vsys|device-group|devices)[\s>]|<entry name="
)
_COMMAND: Final = re.compile(r"^[ \t]*set[ \t]+(\S+)(?:[ \t]+(\S+))?", re.MULTILINE)
_OWN_TOPS: Final = frozenset(
    {"deviceconfig", "rulebase", "vsys", "device-group", "mgt-config", "template", "template-stack", "shared",
     "address-group", "service-group", "application-group", "network", "readonly", "log-collector", "zone"}
)  # fmt: skip
_SHARED_TOPS: Final = frozenset(
    {"address", "service", "application", "tag", "profiles", "policy", "config", "import", "external-list"}
)
_BLOCKS: Final = re.compile(
    r"^\s*(?:deviceconfig|rulebase|localhost\.localdomain|vsys|mgt-config|device-group|panorama)\s*\{",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Panos:
    """Reads and writes firewalls (one or more virtual systems) and device groups of Panorama.

    Zones are the interfaces of the model (`vsys/zone` where several virtual systems have one name). Security
    rules see the addresses as a connection comes, before NAT, and the zone that it leaves by after NAT: a
    packet is asked about with its original addresses and its real zones; see nat.py.
    """

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is PAN-OS, 0 to 100."""
        head = text[:SNIFFED]
        if head.lstrip()[:1] == "<":
            if _CONFIG.search(head) and _XML_PARTS.search(head):
                return 90 if "urldb=" in head or "<entry name=" in head else 60
            return 0
        commands = _COMMAND.findall(head)
        if commands:
            own = sum(
                first in _OWN_TOPS or (first, second) == ("policy", "panorama") for first, second in commands
            )
            other = sum(first in _SHARED_TOPS for first, _ in commands)
            return 55 + 40 * min(own + other, len(commands)) // len(commands) if own else 0
        return 85 if len(set(_BLOCKS.findall(head))) >= 2 else 0

    def read(self, text: str) -> Policy:
        """Read a whole configuration. Raises UnreadableError with the line for other or half texts."""
        with collector_at_rest():
            return read_policy(text)

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change: rules before what denies, NAT rules first, in XML or set lines.

        Raises InputError for several firewalls in one text, braces, and where Panorama's rules deny before.
        """
        with collector_at_rest():
            return write_change(change, text)

    def canonical(self, text: str) -> str:
        """Return the text as paths without comments, attributes, and order without meaning."""
        with collector_at_rest():
            root, unread = parse(text)
            _without_numbers(root)
            lines = canonical_lines(root, ORDERED)
            lines.extend(f"unread {one.text}" for one in unread)
            return "\n".join(lines) + ("\n" if lines else "")


def _without_numbers(root: Node) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.word == "rules":
            for rule in node.children.values():
                for word in NO_DIFFERENCE:
                    rule.children.pop(word, None)
        waiting.extend(node.children.values())


PANOS: Final = Panos()
