"""FortiOS as a dialect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from fwguard.dialects.fortios.canonical import canonical
from fwguard.dialects.fortios.reader import NAME, read_policy
from fwguard.dialects.fortios.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
_HEADER: Final = re.compile(r"#config-version=")
_CONFIG: Final = re.compile(
    r"^\s*config (?:system|firewall|router|vpn|vdom|global|user|log|antivirus|webfilter)\b[\w -]*$",
    re.MULTILINE,
)
_EDIT: Final = re.compile(r"^\s*edit \S", re.MULTILINE)
_SET: Final = re.compile(r"^\s*(?:set|append|unset|rename|move|delete) \S", re.MULTILINE)
_END: Final = re.compile(r"^\s*(?:end|next)\s*$", re.MULTILINE)
_FIRST: Final = re.compile(r"(?:\s*(?:#[^\n]*)?\n)*\s*config \w")


@dataclass(frozen=True, slots=True)
class FortiOs:
    """Reads and writes a configuration as a FortiGate writes it."""

    name: ClassVar[str] = NAME

    def sniff(self, text: str) -> int:
        """Return how surely the text is of FortiOS, 0 to 100."""
        head = text[:SNIFFED]
        if _HEADER.match(head):
            return 95
        if not (_FIRST.match(head) and _CONFIG.search(head)):
            return 0
        return 50 + sum(15 for sign in (_EDIT, _SET, _END) if sign.search(head))

    def read(self, text: str) -> Policy:
        """Read a whole text. Raises UnreadableError with the line for half a one and for others."""
        return read_policy(text)

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change: objects and policies of its own, before what drops the opening.

        Raises InputError where the text does not tell which interfaces are on the way.
        """
        return write_change(change, text)

    def canonical(self, text: str) -> str:
        """Return what the commands of the text leave behind, without comments and order without meaning."""
        return canonical(text)


FORTIOS: Final = FortiOs()
