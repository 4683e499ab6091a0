"""config.xml as a tree that knows where each element stands in the text.

No document type, no entity, no network; size, depth and number of elements are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from fwguard.errors import UnreadableError

MAX_CHARACTERS: Final = 32 << 20
MAX_DEPTH: Final = 64
MAX_NODES: Final = 600_000
MAX_DIGITS: Final = 9
_SHOWN: Final = 200


@dataclass(slots=True)
class Node:
    """One element; `start` and `end` are its bytes in the UTF-8 text, `text` is stripped."""

    tag: str
    line: int = 0
    start: int = 0
    end: int = 0
    text: str = ""
    children: list[Node] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)

    def child(self, *path: str) -> Node | None:
        """Return the first element down a path."""
        node = self
        for tag in path:
            for child in node.children:
                if child.tag == tag:
                    node = child
                    break
            else:
                return None
        return node

    def all(self, *path: str) -> list[Node]:
        """Return every element with the last tag of a path, below the first of those before it."""
        holder = self.child(*path[:-1])
        return [child for child in holder.children if child.tag == path[-1]] if holder else []

    def has(self, *path: str) -> bool:
        """Tell whether an element is there, empty or not: how these files say yes."""
        return self.child(*path) is not None

    def says(self, *path: str) -> bool:
        """Tell whether an element is there and says anything but 0."""
        node = self.child(*path)
        return node is not None and node.text != "0"

    def value(self, *path: str) -> str:
        """Return the text of an element, empty when it is absent."""
        node = self.child(*path)
        return node.text if node else ""

    def number(self, *path: str) -> int:
        """Return the text of an element as a number, 0 when it is none."""
        text = self.value(*path)
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else 0

    def words(self) -> str:
        """Say the element on one line, bounded: for messages and for what is not read."""
        said: list[str] = []
        stack = [(self, "")]
        while stack and sum(map(len, said)) <= _SHOWN:
            node, above = stack.pop()
            if node.tag in ("created", "updated"):
                continue
            name = f"{above} {node.tag}".strip()
            if node.children:
                stack.extend((child, name if node is not self else "") for child in reversed(node.children))
            elif node is not self:
                said.append(f"{name} {node.text}".strip())
        text = f"{self.tag} {self.text or '; '.join(said)}".strip()
        text = " ".join(text.split())
        return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def parse(text: str, root: str) -> Node:
    """Return the root element. Raises UnreadableError with the line for half files and other texts."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"{len(text)} characters", line=1, expected=f"at most {MAX_CHARACTERS}")
    data = text.encode("utf-8", "surrogatepass")
    builder = _Builder(data)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise UnreadableError(
            f"no XML: {expat.ErrorString(error.code)}", line=error.lineno, expected=f"<{root}> … </{root}>"
        ) from None
    top = builder.top
    if top is None or top.tag != root:
        found = top.tag if top else "nothing"
        raise UnreadableError(f"<{found[:40]}>", line=top.line if top else 1, expected=f"<{root}>")
    return top


class _Builder:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.top: Node | None = None
        self.stack: list[Node] = []
        self.texts: list[list[str]] = []
        self.count = 0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise UnreadableError(
            "a document type declaration", line=self.parser.CurrentLineNumber, expected="XML without one"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        line = self.parser.CurrentLineNumber
        if len(self.stack) >= MAX_DEPTH or self.count > MAX_NODES:
            raise UnreadableError(
                "too deep or too many elements",
                line=line,
                expected=f"depth {MAX_DEPTH}, {MAX_NODES} elements",
            )
        node = Node(tag, line, self.parser.CurrentByteIndex, attributes=attributes)
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.top = node
        self.stack.append(node)
        self.texts.append([])

    def _characters(self, text: str) -> None:
        if self.texts:
            self.texts[-1].append(text)

    def _end(self, _tag: str) -> None:
        node = self.stack.pop()
        text = "".join(self.texts.pop())
        node.text = "" if node.children else text.strip()
        place = self.parser.CurrentByteIndex
        if not node.children and not text and self.data[place - 2 : place] == b"/>":
            node.end = place  # <tag/>: expat stands behind it, else before </tag>
        else:
            node.end = self.data.find(b">", place) + 1
