"""The text of a file and what is changed in it, by the places of its elements: all else stays byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from fwguard.dialects.pf.tree import Node

Element = tuple[str, "str | list[Element]"]


def lines_of(element: Element, indent: str, step: str) -> list[str]:
    """Lay an element out, one line each."""
    tag, content = element
    if isinstance(content, str):
        return [f"{indent}<{tag}>{escape(content)}</{tag}>" if content else f"{indent}<{tag}/>"]
    inner = [line for child in content for line in lines_of(child, indent + step, step)]
    return [f"{indent}<{tag}>", *inner, f"{indent}</{tag}>"]


@dataclass(slots=True)
class Sheet:
    """Edits of the UTF-8 text: (from, to, new bytes), none overlapping another."""

    data: bytes
    root: Node
    edits: list[tuple[int, int, bytes]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    behind: dict[tuple[str, ...], list[Element]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was changed."""
        return not self.edits and not self.behind

    def text(self) -> str:
        """Return the text with all edits; those at one place in the order in which they were made."""
        for path, elements in self.behind.items():
            self._append(path, elements)
        self.behind = {}
        parts: list[bytes] = []
        place = 0
        for start, end, new in sorted(self.edits, key=lambda edit: edit[:2]):
            parts += [self.data[place:start], new]
            place = max(place, end)
        return b"".join((*parts, self.data[place:])).decode("utf-8", "surrogatepass")

    def before(self, node: Node, element: Element) -> None:
        """Put an element before another."""
        indent = self._indent(node)
        lines = lines_of(element, indent, self._step(node))
        self.shown += [f"+ {line}" for line in lines]
        self.edits.append((node.start, node.start, ("\n".join(lines).lstrip() + "\n" + indent).encode()))

    def inside(self, path: tuple[str, ...], element: Element) -> None:
        """Put an element at the end of the one down a path, which is made where it is missing."""
        self.behind.setdefault(path, []).append(element)

    def _append(self, path: tuple[str, ...], elements: list[Element]) -> None:
        holder, depth = self.root, 0
        while depth < len(path) and (found := holder.child(path[depth])) is not None:
            holder, depth = found, depth + 1
        for tag in reversed(path[depth:]):
            elements = [(tag, elements)]
        step = self._step(holder)
        indent = self._indent(holder)
        lines = [line for element in elements for line in lines_of(element, indent + step, step)]
        self.shown += [f"+ {line}" for line in lines]
        block = "\n".join(lines)
        close = self.data.rfind(b"</", holder.start, holder.end)
        last = holder.children[-1] if holder.children else None
        if last is not None:
            self.edits.append((last.end, last.end, f"\n{block}".encode()))
        elif close > holder.start:
            start = len(self.data[:close].rstrip())
            self.edits.append((start, close, f"\n{block}\n{indent}".encode()))
        else:  # <filter/>
            new = f"<{holder.tag}>\n{block}\n{indent}</{holder.tag}>"
            self.edits.append((holder.start, holder.end, new.encode()))

    def remove(self, node: Node) -> None:
        """Take an element out, with the line that it began."""
        start = node.start
        while start and self.data[start - 1 : start] in (b" ", b"\t"):
            start -= 1
        if start and self.data[start - 1 : start] == b"\n":
            start -= 1
        text = self.data[node.start : node.end].decode("utf-8", "replace")
        self.shown += [f"- {line.rstrip()}" for line in text.split("\n")]
        self.edits.append((start, node.end, b""))

    def _indent(self, node: Node) -> str:
        start = self.data.rfind(b"\n", 0, node.start) + 1
        lead = self.data[start : node.start]
        return lead.decode() if not lead.strip() else ""

    def _step(self, node: Node) -> str:
        """Return what one level is indented by, as the text has it."""
        return "\t" if b"\n\t" in self.data[:4096] else "  " if node.line else "\t"
