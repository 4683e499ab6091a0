"""How the lab's device walks its own datastore: by local names, identities without their prefix."""

from __future__ import annotations

from lxml import etree


def name_of(element: etree._Element) -> str:
    """Return an element's local name."""
    return etree.QName(element).localname


def child(element: etree._Element | None, name: str) -> etree._Element | None:
    """Return the first child of that local name."""
    return next(iter(all_of(element, name)), None)


def all_of(element: etree._Element | None, name: str) -> list[etree._Element]:
    """Return the children of that local name, in order."""
    return [] if element is None else [one for one in element if name_of(one) == name]


def leaf_text(element: etree._Element | None, name: str) -> str:
    """Return a leaf's value; `acl:accept` is `accept`, an address keeps its colons."""
    node = child(element, name)
    text = (node.text or "").strip() if node is not None else ""
    prefix, colon, rest = text.partition(":")
    return rest if node is not None and colon and prefix in node.nsmap else text
