"""XML that a firewall's owner wrote: parsed without entities, DTDs or network, in bounded size and depth."""

from __future__ import annotations

from typing import Final, cast

from lxml import etree

from fwguard.dialects.config_tree import check_text
from fwguard.errors import UnreadableError

MAX_ELEMENTS: Final = 2_000_000
MAX_DEPTH: Final = 100
DECLARATION: Final = '<?xml version="1.0"?>'


def parse_markup(text: str, expected: str, *, with_comments: bool = False) -> tuple[etree._Element, int]:
    """Return the root element, and how many lines stand before it. Raises UnreadableError with the line."""
    check_text(text, expected)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableError("a document type declaration", line=1, expected="XML without a DTD")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=not with_comments, remove_pis=not with_comments,
    )  # fmt: skip
    body = text.lstrip()
    shift = text[: len(text) - len(body)].count("\n")
    try:
        root = etree.fromstring(body.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableError(
            f"no XML: {error.msg}", line=(error.lineno or 1) + shift, expected=expected
        ) from None
    except ValueError as error:
        raise UnreadableError(f"no XML: {error}", line=1, expected=expected) from None
    _check_shape(root, shift)
    return root, shift


def _check_shape(root: etree._Element, shift: int) -> None:
    count = depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        count, depth = count + 1, depth + 1
        if depth > MAX_DEPTH or count > MAX_ELEMENTS:
            raise UnreadableError(
                "too many elements, or too deep", line=line_of(element) + shift, expected=f"depth {MAX_DEPTH}"
            )


def line_of(element: etree._Element) -> int:
    """Return the line of an element within what was parsed."""
    return cast("int | None", element.sourceline) or 0


def local_name(element: etree._Element) -> str:
    """Return the name without its namespace."""
    return etree.QName(element).localname


def text_of(element: etree._Element) -> str:
    """Return the text of a leaf."""
    return (element.text or "").strip()


def is_element(item: object) -> bool:
    """Tell elements from comments and processing instructions."""
    return isinstance(item, etree._Element) and isinstance(item.tag, str)


def show_markup(root: etree._Element, before: str) -> str:
    """Write a document again; what stood before its root in the text `before` stays."""
    head = before[: max(before.find("<" + _raw_name(root)), 0)]
    tail = "\n" if before.endswith("\n") else ""
    return head + etree.tostring(root, encoding="unicode", with_tail=False) + tail


def _raw_name(root: etree._Element) -> str:
    return f"{root.prefix}:{local_name(root)}" if root.prefix else local_name(root)


def insert_element(parent: etree._Element, new: etree._Element, before: etree._Element | None) -> None:
    """Put an element in, indented as its neighbours are, or as its place in the tree says."""
    step = _step(parent)
    outer = _indent_of(parent)
    indent_subtree(new, outer + step, step)
    if before is not None:
        place = parent.index(before)
        new.tail = "\n" + outer + step
        parent.insert(place, new)
        return
    if len(parent):
        parent[-1].tail = "\n" + outer + step
    else:
        parent.text = "\n" + outer + step
    new.tail = "\n" + outer
    parent.append(new)


def remove_element(element: etree._Element) -> None:
    """Take an element out together with the blank before it."""
    parent = element.getparent()
    if parent is None:
        return
    previous = element.getprevious()
    if element.getnext() is None:  # the end of its parent must stand where it stood
        if previous is not None:
            previous.tail = element.tail
        else:
            parent.text = element.tail if (parent.text or "").strip() == "" else parent.text
    parent.remove(element)


def indent_subtree(element: etree._Element, own: str, step: str) -> None:
    """Lay out an element and what is below it, one a line."""
    if not len(element):
        return
    element.text = "\n" + own + step
    for child in element:
        indent_subtree(child, own + step, step)
        child.tail = "\n" + own + step
    element[-1].tail = "\n" + own


def _indent_of(element: etree._Element) -> str:
    previous = element.getprevious()
    parent = element.getparent()
    blank = previous.tail if previous is not None else parent.text if parent is not None else ""
    return (blank or "").rpartition("\n")[2] if (blank or "").strip() == "" else ""


def _step(element: etree._Element) -> str:
    own = _indent_of(element)
    inner = (element.text or "").rpartition("\n")[2] if len(element) else ""
    if inner.strip() == "" and len(inner) > len(own) and inner.startswith(own):
        return inner[len(own) :]
    parent = element.getparent()
    return _step(parent) if parent is not None else "  "
