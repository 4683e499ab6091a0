"""A change in PAN-OS XML: entries in their place, and out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lxml import etree

from fwguard.dialects.markup import (
    indent_subtree,
    insert_element,
    is_element,
    parse_markup,
    remove_element,
    show_markup,
    text_of,
)
from fwguard.dialects.panos.forms import EXPECTED
from fwguard.dialects.statements import Addition, Statement
from fwguard.errors import InputError
from fwguard.model.change import TextEdit

# Lists of names within a rule.
MEMBERS: Final = frozenset({"from", "to", "source", "destination", "application", "service"})
# Their children are entries with names.
LISTS: Final = frozenset({"devices", "vsys", "device-group", "rules", "service", "address"})


def write_xml(additions: list[Addition], text: str) -> TextEdit:
    """Return the text with the entries, and the entries as they came in."""
    root, _ = parse_markup(text, EXPECTED, with_comments=True)
    shown: list[str] = []
    for addition in additions:
        container = _top(root)
        listed = False
        for words in addition.way:
            if words == ("config",):
                continue
            container = _below(container, words[0], listed)
            listed = not listed and words[0] in LISTS
        statement = addition.statement
        element = etree.Element("entry", name=statement.words[0])
        nat = ("nat",) in addition.way
        for child in _children(statement, nat):
            element.append(child)
        before = next((one for one in container if one.get("name") == statement.before), None)
        insert_element(container, element, before if statement.before else None)
        shown += [f"+ {line}" for line in _lines(element)]
    return TextEdit(after=show_markup(root, text), shown="\n".join(shown))


def drop_xml(text: str, is_ours: Callable[[str], bool]) -> TextEdit:
    """Take out every entry of ours, and what holds nothing else then. Raises InputError when there is none."""
    root, _ = parse_markup(text, EXPECTED, with_comments=True)
    entries = [one for one in root.iter("entry") if is_ours(one.get("name") or "")]
    if not entries:
        raise InputError(
            "nothing of that tag stands in the text", expected="a change that was written before"
        )
    shown: list[str] = []
    for entry in entries:
        shown += [f"- {line}" for line in _lines(entry)]
        parent = entry.getparent()
        remove_element(entry)
        while parent is not None and parent.getparent() is not None and parent.tag != "entry":
            if any(is_element(child) for child in parent) or text_of(parent):
                break
            above = parent.getparent()
            remove_element(parent)
            parent = above
    return TextEdit(after=show_markup(root, text), shown="\n".join(shown))


def _top(root: etree._Element) -> etree._Element:
    """Return the element that holds the configuration, within the envelopes of the API."""
    if root.tag == "config":
        return root
    return next(root.iter("config"), root)


def _below(container: etree._Element, word: str, listed: bool) -> etree._Element:
    """Return the child for one word of a path, made where there is none."""
    for child in container:
        if is_element(child) and (child.get("name") if listed else child.tag) == word:
            return child
    made = etree.Element("entry", name=word) if listed else etree.Element(word)
    insert_element(container, made, None)
    return made


def _children(statement: Statement, nat: bool) -> list[etree._Element]:
    found: dict[str, etree._Element] = {}
    out: list[etree._Element] = []
    for child in statement.children:
        name = child.words[0]
        if name in MEMBERS and not (nat and name == "service"):
            if name not in found:
                found[name] = etree.Element(name)
                out.append(found[name])
            etree.SubElement(found[name], "member").text = child.words[1]
            continue
        element = etree.Element(name)
        if len(child.words) > 1:
            element.text = child.words[1]
        for inner in _children(child, nat):
            element.append(inner)
        out.append(element)
    return out


def _lines(element: etree._Element) -> list[str]:
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    indent_subtree(copy, "", "  ")
    return etree.tostring(copy, encoding="unicode").splitlines()
