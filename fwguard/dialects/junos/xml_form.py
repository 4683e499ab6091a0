"""Junos XML (`show configuration | display xml`, NETCONF get-config) as the tree that set lines make.

In XML every list entry is an element with its key inside; set lines say name and key as two words, leave
some element names out, and write some others differently. Source: Junos XML Management Protocol
Developer Guide, and the XML API reference of `security`, `interfaces`, `firewall`, `routing-options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lxml import etree

from fwguard.dialects.config_tree import Grower, Node
from fwguard.dialects.markup import is_element, line_of, local_name, parse_markup, text_of
from fwguard.errors import UnreadableError

EXPECTED: Final = "a Junos configuration: <configuration>, statements with braces, or set lines"
# Elements that hold the key of the entry they stand in: the key is the next word.
KEYS: Final = frozenset(
    {"name", "ipaddr", "dst-addr", "src-addr", "pool-name", "addr-prefix", "filter-name", "range-high",
     "source-end-user-profile-name", "data"}
)  # fmt: skip
# Elements whose value stands alone in set lines.
SILENT_LEAVES: Final = frozenset({"ip-prefix", "low", "high"})
RENAMED: Final[Mapping[str, str]] = {
    "src-nat-rule-match": "match", "dest-nat-rule-match": "match", "static-nat-rule-match": "match",
}  # fmt: skip
# Entries whose element name no set line says, by the path they stand at.
ENTRIES: Final[Mapping[tuple[str, ...], str]] = {
    ("interfaces",): "interface",
    ("routing-instances",): "instance",
    ("logical-systems",): "",
    ("tenants",): "",
}
OUTSIDE: Final = ("rpc-reply", "data", "config", "rpc", "load-configuration", "edit-config", "target")
INACTIVE: Final = "inactive"


def read_xml(text: str) -> Node:
    """Return the tree. Raises UnreadableError where no <configuration> stands in the text."""
    root, shift = parse_markup(text, EXPECTED)
    configuration = find_configuration(root)
    if configuration is None:
        raise UnreadableError(f"<{local_name(root)[:60]}>", line=shift + 1, expected="<configuration>")
    grower = Grower()
    for child in configuration:
        _grow(child, grower, grower.root, (), shift)
    return grower.root


def find_configuration(root: etree._Element) -> etree._Element | None:
    """Return the element that holds the configuration, within the envelopes of NETCONF."""
    waiting = [root]
    for _ in range(6):
        following: list[etree._Element] = []
        for element in waiting:
            if local_name(element) == "configuration":
                return element
            if local_name(element) in OUTSIDE:
                following.extend(child for child in element if is_element(child))
        waiting = following[:50]
    return None


def entry_words(element: etree._Element, path: tuple[str, ...]) -> tuple[list[str], list[etree._Element]]:
    """Return the words that a set line says for an element, and which of its children they speak for."""
    name = local_name(element)
    children = [child for child in element if is_element(child)]
    if name == "policy" and path[-1:] == ("policies",):
        ends = {local_name(child): child for child in children}
        if "from-zone-name" in ends and "to-zone-name" in ends:
            pair = (ends["from-zone-name"], ends["to-zone-name"])
            words = ["from-zone", text_of(pair[0]), "to-zone", text_of(pair[1])]
            return words, list(pair)
    words = [RENAMED.get(name, name)]
    if ENTRIES.get(path) == name:
        words = []
    keys = [child for child in children if local_name(child) in KEYS and not len(child)]
    if keys and (keys[0] is children[0] or local_name(keys[0]) == "name"):
        words.append(text_of(keys[0]))
        return words, [keys[0]]
    return words, []


def _grow(element: etree._Element, grower: Grower, below: Node, path: tuple[str, ...], shift: int) -> None:
    if not is_element(element):
        return
    line = line_of(element) + shift
    name = local_name(element)
    words, spoken = entry_words(element, path)
    if not len(element):
        value = text_of(element)
        if name in SILENT_LEAVES:
            words = []
        words = [*words, value] if value else words
    if not words:
        words = [name]
    node = grower.say(words, line, below)
    if element.get(INACTIVE) == INACTIVE:
        node.inactive = True
    inner = (*path, *words)
    for child in element:
        if not any(child is one for one in spoken):
            _grow(child, grower, node, inner, shift)
