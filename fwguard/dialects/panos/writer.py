"""A change in a PAN-OS configuration, as set lines or as XML.

Source: PAN-OS CLI Quick Start (set, move), PAN-OS XML API guide (set, move of rules).
"""

from __future__ import annotations

from fwguard.dialects.config_tree import Node, quoted
from fwguard.dialects.panos.forms import form_of, parse, parse_raw
from fwguard.dialects.panos.plan import Plan, ours, prefix_of
from fwguard.dialects.panos.reader import read_tree
from fwguard.dialects.panos.xml_sheet import drop_xml, write_xml
from fwguard.dialects.set_lines import split_words
from fwguard.dialects.statements import Words, drop_set_lines, write_set_lines
from fwguard.errors import InputError
from fwguard.model.change import Change, TextEdit


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError when it has no place, or its tag stands already."""
    form = form_of(text)
    raw, _ = parse_raw(text)
    is_ours = ours(change.tag)
    if form == "braces":
        raise InputError("PAN-OS loads no text with braces", expected="the configuration as XML or set lines")
    if change.remove:
        return drop_xml(text, is_ours) if form == "xml" else drop_set_lines(text, is_ours, split_words)
    if any(is_ours(word) for word in _words(raw)):
        raise InputError(f"something named fw_{change.tag} exists", expected="an unused tag")
    root, unread = parse(text)
    reading = read_tree(root, unread, text)
    prefix = prefix_of(raw, reading.found.found[0], of_group=reading.found.choices)
    additions = Plan(change, reading, prefix).make()
    if form == "xml":
        return write_xml(additions, text)
    return write_set_lines(additions, text, raw, move_before)


def move_before(path: Words, neighbour: str) -> str:
    """Return the command that moves a rule before another of its list."""
    return f"move {' '.join(quoted(word) for word in path)} before {quoted(neighbour)}"


def _words(root: Node) -> list[str]:
    found: list[str] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node.word)
        waiting.extend(node.children.values())
    return found
