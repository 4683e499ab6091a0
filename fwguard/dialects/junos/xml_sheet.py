"""A change in Junos XML: elements in their place, and out again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lxml import etree

from fwguard.dialects.junos.xml_form import EXPECTED, KEYS, entry_words, find_configuration
from fwguard.dialects.markup import (
    indent_subtree,
    insert_element,
    is_element,
    local_name,
    parse_markup,
    remove_element,
    show_markup,
    text_of,
)
from fwguard.dialects.statements import Addition, Statement, forest
from fwguard.errors import InputError, UnreadableError
from fwguard.model.change import TextEdit

# Entries of lists: their second word is a key. Others with two words are leaves with a value.
LISTS: Final = frozenset(
    {"policy", "application", "address", "rule-set", "rule", "pool", "security-zone", "address-book"}
)
_NAMESPACES: Final = re.compile(r' xmlns(?::\w+)?="[^"]*"')
NAT_KEYS: Final = {"destination-address": "dst-addr", "destination-port": "name", "pool": "pool-name"}


def write_xml(additions: list[Addition], text: str) -> TextEdit:
    """Return the text with the elements, and the elements as they came in."""
    root, configuration = _open(text)
    shown: list[str] = []
    _into(configuration, [_with_books(one) for one in forest(additions)], (), shown)
    return TextEdit(after=show_markup(root, text), shown="\n".join(shown))


def _with_books(statement: Statement) -> Statement:
    """In XML a book is an entry of the list `address-book`, in set lines a word below it."""
    if statement.words != ("security",):
        return statement
    children: list[Statement] = []
    for child in statement.children:
        if child.words == ("address-book",):
            children += [Statement((*child.words, *book.words), book.children) for book in child.children]
        else:
            children.append(child)
    return Statement(statement.words, children)


def drop_xml(text: str, is_ours: Callable[[str], bool]) -> TextEdit:
    """Take out every entry of ours, and what holds nothing else then. Raises InputError when there is none."""
    root, configuration = _open(text)
    shown: list[str] = []
    entries = [
        key.getparent()
        for key in configuration.iter()
        if is_element(key) and local_name(key) == "name" and is_ours(text_of(key))
    ]
    if not entries:
        raise InputError(
            "nothing of that tag stands in the text", expected="a change that was written before"
        )
    for entry in entries:
        if entry is None or not _is_below(entry, configuration):
            continue
        shown += [f"- {line}" for line in _lines(entry)]
        _remove(entry, configuration)
    return TextEdit(after=show_markup(root, text), shown="\n".join(shown))


def _open(text: str) -> tuple[etree._Element, etree._Element]:
    root, _ = parse_markup(text, EXPECTED, with_comments=True)
    configuration = find_configuration(root)
    if configuration is None:
        raise UnreadableError(f"<{local_name(root)[:60]}>", line=1, expected="<configuration>")
    return root, configuration


def _is_below(element: etree._Element, top: etree._Element) -> bool:
    return any(one is top for one in element.iterancestors())


def _remove(entry: etree._Element, top: etree._Element) -> None:
    parent = entry.getparent()
    remove_element(entry)
    while parent is not None and parent is not top:
        rest = [child for child in parent if is_element(child)]
        if any(local_name(child) not in (*KEYS, "from-zone-name", "to-zone-name") for child in rest):
            return
        above = parent.getparent()
        remove_element(parent)
        parent = above


def _into(
    container: etree._Element, statements: list[Statement], path: tuple[str, ...], shown: list[str]
) -> None:
    for statement in statements:
        existing = _find(container, statement, path)
        inner = (*path, *statement.words)
        if existing is not None and statement.children:
            _into(existing, statement.children, inner, shown)
            continue
        before = None
        if statement.before:
            neighbour = Statement((*statement.words[:-1], statement.before))
            before = _find(container, neighbour, path)
        namespace = etree.QName(container).namespace
        element = _element(statement, path, namespace)
        insert_element(container, element, before)
        shown += [f"+ {line}" for line in _lines(element)]


def _find(container: etree._Element, statement: Statement, path: tuple[str, ...]) -> etree._Element | None:
    for child in container:
        if is_element(child) and entry_words(child, path)[0] == list(statement.words):
            return child
    return None


def _lines(element: etree._Element) -> list[str]:
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    indent_subtree(copy, "", "  ")
    return _NAMESPACES.sub("", etree.tostring(copy, encoding="unicode")).splitlines()


def _element(statement: Statement, path: tuple[str, ...], namespace: str | None) -> etree._Element:
    words = statement.words
    head = words[0]
    nat = "nat" in path

    def leaf(parent: etree._Element, name: str, value: str = "") -> etree._Element:
        child = etree.SubElement(parent, _tag(name, namespace))
        child.text = value or None
        return child

    if head == "from-zone":
        element = etree.Element(_tag("policy", namespace))
        leaf(element, "from-zone-name", words[1])
        leaf(element, "to-zone-name", words[3])
    elif head == "range-address":
        element = etree.Element(_tag(head, namespace))
        leaf(element, "name", words[1])
        leaf(leaf(element, "to"), "range-high", words[3])
    elif head == "match" and nat:
        element = etree.Element(_tag("dest-nat-rule-match", namespace))
    else:
        element = etree.Element(_tag(head, namespace))
        is_leaf = not statement.children and not (head in LISTS and "match" not in path)
        if head == "address" and nat:
            leaf(element, "ipaddr", words[1])
            leaf(element, "port", words[3])
        elif nat and head in NAT_KEYS and is_leaf | ("then" in path):
            leaf(element, NAT_KEYS[head], words[1])
        elif len(words) > 1 and is_leaf:
            element.text = words[1]
        elif len(words) > 1:
            leaf(element, "name", words[1])
            if len(words) > 2:
                leaf(element, "ip-prefix", words[2])
    for child in statement.children:
        element.append(_element(child, (*path, *words), namespace))
    return element


def _tag(name: str, namespace: str | None) -> str:
    return f"{{{namespace}}}{name}" if namespace else name
