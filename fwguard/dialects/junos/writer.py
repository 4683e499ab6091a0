"""A change in a Junos configuration, in the form that the text has.

Source: Junos CLI User Guide (set, insert), Junos Security User Guide (reordering policies).
"""

from __future__ import annotations

from fwguard.dialects.config_tree import Node, quoted
from fwguard.dialects.junos.plan import Plan, ours
from fwguard.dialects.junos.reader import form_of, parse, read_tree
from fwguard.dialects.junos.xml_sheet import drop_xml, write_xml
from fwguard.dialects.set_lines import split_words
from fwguard.dialects.statements import Words, drop_braces, drop_set_lines, write_braces, write_set_lines
from fwguard.errors import InputError
from fwguard.model.change import Change, TextEdit


def write_change(change: Change, text: str) -> TextEdit:
    """Return the text with the change. Raises InputError when it has no place, or its tag stands already."""
    form = form_of(text)
    raw, _ = parse(text)
    is_ours = ours(change.tag)
    if change.remove:
        if form == "xml":
            return drop_xml(text, is_ours)
        if form == "set":
            return drop_set_lines(text, is_ours, split_words)
        return drop_braces(text, raw, is_ours)
    if any(is_ours(node.word) for node in _all(raw)):
        raise InputError(f"something named fw_{change.tag} exists", expected="an unused tag")
    root, unread = parse(text)
    reading = read_tree(root, unread, text)
    additions = Plan(change, reading, root).make()
    if form == "xml":
        edit = write_xml(additions, text)
    elif form == "set":
        edit = write_set_lines(additions, text, raw, insert_before)
    else:
        edit = write_braces(additions, text, raw, insert_before)
    _check(change, edit)
    return edit


def insert_before(path: Words, neighbour: str) -> str:
    """Return the command that moves an entry before another of its list."""
    return f"insert {' '.join(quoted(word) for word in path)} before {path[-2]} {quoted(neighbour)}"


def _all(root: Node) -> list[Node]:
    found: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node.children.values())
    return found


def _check(change: Change, edit: TextEdit) -> None:
    """A rule that came to stand in an inactive part would do nothing."""
    is_ours = ours(change.tag)
    root, unread = parse(edit.after)
    policies = read_tree(root, unread, edit.after).policies
    if change.openings and not any(is_ours(entry.node.word) for entry in policies.entries):
        raise InputError("the policies of these zones are inactive", expected="an active part to stand in")
