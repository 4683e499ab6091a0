"""The dialects of pfSense and OPNsense."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.pf.canonical import canonical
from fwguard.dialects.pf.reader import read_root
from fwguard.dialects.pf.tree import parse
from fwguard.dialects.pf.writer import write_change
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy

SNIFFED: Final = 64 << 10
_ROOT: Final = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]{0,200}\?>)?(?:\s|<!--(?:(?!-->).){0,4000}-->)*<([\w.-]{1,40})[\s>/]", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class PfXml:
    """Reads and writes config.xml of one product.

    Interfaces have the names of the file (wan, lan, opt1). A forwarded packet is judged where it comes in
    (dropped by default) and where it goes out (passed by default), floating rules first. Redirections come
    before the filter, so rules see inner targets; outbound NAT comes before the rules for what goes out, so
    those that ask for a source are unknown where it applies. Tables that are filled while the firewall runs
    (lock-outs, bogons, URL aliases, looked-up names) are not in the file.
    """

    name: str

    def sniff(self, text: str) -> int:
        """Return how surely the text is of this product: by its root element."""
        root = _ROOT.match(text[:SNIFFED])
        return 95 if root is not None and root[1] == self.name else 0

    def read(self, text: str) -> Policy:
        """Read a whole file. Raises UnreadableError with the line for half files and other texts."""
        return read_root(parse(text, self.name), self.name).policy

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change: rules before what would drop the opening, on the interfaces that
        its source comes in on. Raises InputError when the file has no such interface, or nothing of the tag.
        """
        return write_change(change, text, self.name)

    def canonical(self, text: str) -> str:
        """Return one line an element, without times, users, descriptions and order without meaning."""
        return canonical(parse(text, self.name))


PFSENSE: Final = PfXml("pfsense")
OPNSENSE: Final = PfXml("opnsense")
