"""YANG instance data as a tree, whatever carries it: what XML and JSON have in common, and XML itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, cast
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from fwguard.errors import UnreadableError

MAX_CHARACTERS: Final = 16 << 20
MAX_DEPTH: Final = 48
MAX_NODES: Final = 500_000
BASE_NS: Final = "urn:ietf:params:xml:ns:netconf:base:1.0"
# Every IETF and IANA module that we name has this namespace before its own name (RFC 3688 registry).
YANG_NS: Final = "urn:ietf:params:xml:ns:yang:"
ENVELOPES: Final = frozenset({"rpc-reply", "data", "config"})
_QUALIFIED: Final = re.compile(r"([A-Za-z_][\w.-]*):([A-Za-z_][\w.-]*)")
_FOREIGN: Final = re.compile(r"\{([^{}\s]+)\}([A-Za-z_][\w.-]*)")
_XML_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(slots=True, kw_only=True)
class Node:
    """One data node. `module` is the YANG module's name, or its namespace where that is not an IETF one.

    `text` is a leaf's value; an identity of another module is written `module:name` (RFC 7951 section
    6.8) or `{namespace}name`. `listed` and `literal` remember how JSON wrote it: in an array, unquoted.
    """

    module: str
    name: str
    line: int = 0
    text: str = ""
    children: list[Node] = field(default_factory=list)
    attributes: tuple[tuple[str, str], ...] = ()
    listed: bool = False
    literal: bool = False

    def child(self, name: str) -> Node | None:
        """Return the first child of this name in our own module."""
        return next((c for c in self.children if c.name == name and c.module == self.module), None)

    def all(self, name: str) -> list[Node]:
        """Return the children of this name in our own module, in order."""
        return [c for c in self.children if c.name == name and c.module == self.module]

    def at(self, *path: str) -> Node | None:
        """Return the node down a path of first children."""
        node: Node | None = self
        for name in path:
            node = node.child(name) if node else None
        return node

    def value(self, *path: str) -> str:
        """Return the text of the leaf down a path, empty when there is none."""
        node = self.at(*path)
        return node.text if node else ""

    def leaves(self) -> Iterator[tuple[str, str]]:
        """Yield (name, value) of every leaf below, in order."""
        for child in self.children:
            if child.children:
                yield from child.leaves()
            else:
                yield child.name, child.text

    def words(self) -> str:
        """Say the node on one line, bounded: for messages and for what cannot be read."""
        inner = "; ".join(f"{name} {value}".strip() for name, value in self.leaves())
        said = " ".join(f"{self.name} {self.text or inner}".split())
        return said if len(said) <= 200 else said[:199] + "…"


def leaf(module: str, name: str, value: str | int) -> Node:
    """Build a leaf; a number is written unquoted in JSON (RFC 7951 section 6.1)."""
    return Node(module=module, name=name, text=str(value), literal=isinstance(value, int))


def branch(module: str, name: str, *children: Node, listed: bool = False) -> Node:
    """Build a container, or one entry of a list."""
    return Node(module=module, name=name, children=list(children), listed=listed)


def parse_xml(text: str) -> list[Node]:
    """Return the top-level nodes of `<config>`, `<data>`, `<rpc-reply>` or of a bare `<acls>`.

    No entity is expanded, no DTD read, no network asked; size, depth and number of nodes are bounded.
    Raises UnreadableError with the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"{len(text)} characters", expected=f"at most {MAX_CHARACTERS}")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableError("a document type declaration", expected="XML without a DTD (RFC 6241 3.1)")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text.strip().encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableError(f"no XML: {error.msg}", line=error.lineno or 1, expected="XML") from None
    except ValueError as error:
        raise UnreadableError(f"no XML: {error}", line=1, expected="XML") from None
    shift = text[: len(text) - len(text.lstrip())].count("\n")
    count = 0

    def convert(element: etree._Element, depth: int) -> Node:
        nonlocal count
        count += 1
        line = (cast("int | None", element.sourceline) or 0) + shift
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise UnreadableError("too deep or too many nodes", line=line, expected=f"depth {MAX_DEPTH}")
        name = etree.QName(element)
        children = [convert(child, depth + 1) for child in element]
        own = module_of(name.namespace or "")
        return Node(
            module=own,
            name=name.localname,
            line=line,
            text="" if children else _resolve((element.text or "").strip(), element, own),
            children=children,
            attributes=tuple(sorted((str(key), str(value)) for key, value in element.attrib.items())),
        )

    tops = [root]
    for _ in range(2):
        if len(tops) == 1 and _is_envelope(tops[0]):
            tops = list(tops[0])
    return [convert(element, 0) for element in tops]


def _is_envelope(element: etree._Element) -> bool:
    name = etree.QName(element)
    return name.namespace in (BASE_NS, None) and name.localname in ENVELOPES


def module_of(namespace: str) -> str:
    """Return the name of an IETF or IANA module, any other namespace as it is."""
    return namespace.removeprefix(YANG_NS) if namespace.startswith(YANG_NS) else namespace


def namespace_of(module: str) -> str:
    """Return the XML namespace of a module: the reverse of `module_of`."""
    return YANG_NS + module if _XML_NAME.fullmatch(module) else module


def _resolve(value: str, element: etree._Element, own: str) -> str:
    """Replace a bound prefix by what it stands for (RFC 7950 section 9.10.3)."""
    match = _QUALIFIED.fullmatch(value)
    namespace = element.nsmap.get(match[1]) if match else None
    if match is None or namespace is None:
        return value
    module = module_of(namespace)
    if module == own:
        return match[2]
    return f"{module}:{match[2]}" if namespace.startswith(YANG_NS) else f"{{{namespace}}}{match[2]}"


def show_xml(tops: list[Node]) -> str:
    """Write `<config>` with one node a line, two spaces a level, namespaces where they change."""
    if not tops:
        return f'<config xmlns="{BASE_NS}"/>\n'
    lines = [f'<config xmlns="{BASE_NS}">']
    for top in tops:
        _show(top, BASE_NS, 1, lines)
    return "\n".join([*lines, "</config>", ""])


def _show(node: Node, outer: str, depth: int, lines: list[str]) -> None:
    namespace = namespace_of(node.module)
    declared = f" xmlns={quoteattr(namespace)}" if namespace != outer else ""
    value = _NOT_XML.sub("\ufffd", node.text)
    match = _QUALIFIED.fullmatch(value) or _FOREIGN.fullmatch(value)
    if match and (match.re is _FOREIGN or match[1].startswith(("ietf-", "iana-"))):
        bound = match[1] if match.re is _FOREIGN else namespace_of(match[1])
        declared += f" xmlns:v={quoteattr(bound)}"
        value = f"v:{match[2]}"
    for index, (key, said) in enumerate(node.attributes):
        name = etree.QName(key)
        prefix = f"a{index}:" if name.namespace else ""
        if name.namespace:
            declared += f" xmlns:a{index}={quoteattr(name.namespace)}"
        declared += f" {prefix}{name.localname}={quoteattr(said)}"
    indent = "  " * depth
    if node.children:
        lines.append(f"{indent}<{node.name}{declared}>")
        for child in node.children:
            _show(child, namespace, depth + 1, lines)
        lines.append(f"{indent}</{node.name}>")
    elif value:
        lines.append(f"{indent}<{node.name}{declared}>{escape(value)}</{node.name}>")
    else:
        lines.append(f"{indent}<{node.name}{declared}/>")
