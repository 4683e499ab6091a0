"""Which product a file is of, and the lines that were not understood, each once."""

from __future__ import annotations

from dataclasses import dataclass, field

from fwguard.dialects.pf.tree import Node
from fwguard.model.policy import Unread


@dataclass(slots=True)
class Notes:
    """Collects `unread` of one file; `product` is pfsense or opnsense."""

    product: str
    unread: dict[tuple[int, str, str], Unread] = field(default_factory=dict)

    @property
    def is_opnsense(self) -> bool:
        """Tell which of the two it is."""
        return self.product == "opnsense"

    def add(self, node: Node, why: str) -> str:
        """Keep an element as not understood; return its words for `Match.unknown`."""
        text = node.words()
        self.unread.setdefault((node.line, text, why), Unread(line=node.line, text=text, why=why))
        return f"{text}: {why}"[:512]

    def sorted(self) -> tuple[Unread, ...]:
        """Return all in the order of the text."""
        return tuple(sorted(self.unread.values(), key=lambda one: one.line))
