"""What a reader has to say besides the policy: lines that were not understood, each once."""

from __future__ import annotations

from dataclasses import dataclass, field

from fwguard.dialects.vyos.tree import Node
from fwguard.model.policy import Unread


@dataclass(slots=True)
class Notes:
    """Collects `unread`; `legacy` tells the layout of 1.2 and 1.3 (values may be written otherwise)."""

    legacy: bool = False
    unread: dict[tuple[int, str], Unread] = field(default_factory=dict)

    def add(self, node: Node, why: str, *, where: str = "") -> str:
        """Keep a node as not understood; return its words for `Match.unknown`."""
        text = f"{where} {node.words()}".strip()
        self.unread.setdefault((node.line, text), Unread(line=node.line, text=text, why=why))
        return f"{text}: {why}"

    def sorted(self) -> tuple[Unread, ...]:
        """Return all in the order of the text."""
        return tuple(sorted(self.unread.values(), key=lambda one: one.line))
