"""The three forms of a PAN-OS configuration as one tree: XML, set lines, and braces.

What stands under `config devices NAME` in one form stands at the top in another, and set lines of a
firewall with one virtual system leave `vsys vsys1` out: all become the same paths. Source: PAN-OS CLI Quick
Start (set format), PAN-OS XML API guide (location of objects).
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from fwguard.dialects.braces import read_braces
from fwguard.dialects.config_tree import Grower, Node
from fwguard.dialects.markup import is_element, line_of, local_name, parse_markup, text_of
from fwguard.dialects.set_lines import LISTING, read_set_lines
from fwguard.errors import UnreadableError
from fwguard.model.policy import Unread

EXPECTED: Final = "a PAN-OS configuration: <config>, set lines, or statements with braces"
DEFAULT_VSYS: Final = "vsys1"
# Of a virtual system; at the top they mean its only one.
OF_VSYS: Final = frozenset(
    {"rulebase", "zone", "address", "address-group", "service", "service-group", "application",
     "application-group", "application-filter", "tag", "import", "profiles", "profile-group", "region",
     "external-list", "schedule", "log-settings", "display-name", "group-mapping", "user-id-collector",
     "user-id-agent", "captive-portal", "ssl-decrypt", "dns-proxy", "global-protect", "authentication-object",
     "dynamic-user-group", "setting", "threats", "server-profile", "certificate", "botnet", "vm-info-source",
     "redistribution-agent", "redistribution-collector", "ts-agent", "device-object", "application-tag",
     "url-admin-override"}
)  # fmt: skip
TOPS: Final = OF_VSYS | {
    "deviceconfig", "network", "vsys", "shared", "device-group", "template", "template-stack", "mgt-config",
    "policy", "readonly", "log-collector", "log-collector-group", "panorama", "platform", "predefined", "plugins",
    "devices", "config", "global-protect-license",
}  # fmt: skip
# Envelopes of the API and of `show`.
OUTSIDE: Final = ("response", "result", "rpc-reply", "data")


def form_of(text: str) -> str:
    """Return which form a text has: "xml", "set" or "braces"."""
    if text.lstrip()[:1] == "<":
        return "xml"
    return "set" if LISTING.search(text[: 64 << 10]) else "braces"


def parse_raw(text: str) -> tuple[Node, list[Unread]]:
    """Return the tree as the text says it. Raises UnreadableError."""
    form = form_of(text)
    if form == "xml":
        return _read_xml(text), []
    if form == "set":
        return read_set_lines(text, EXPECTED)
    return read_braces(text, EXPECTED), []


def parse(text: str) -> tuple[Node, list[Unread]]:
    """Return the tree with every object at the one path that means it. Raises UnreadableError."""
    root, unread = parse_raw(text)
    if not any(word in TOPS for word in root.children):
        first = next(iter(root.children.values()), Node("", 1))
        raise UnreadableError(f"{first.word[:60]!r}", line=first.line, expected=EXPECTED)
    return normalised(root), unread


def normalised(root: Node) -> Node:
    """Return the same configuration with one path for everything."""
    tree = Node("")
    _lift_into(tree, root, 0)
    for template in tree.below("template"):
        own = template.at("config")
        if own is not None:
            inner = Node("config", own.line)
            _lift_into(inner, own, 0)
            template.children["config"] = inner
    loose = [word for word in tree.children if word in OF_VSYS]
    if loose:
        vsys = tree.children.setdefault("vsys", Node("vsys", tree.children[loose[0]].line))
        only = vsys.children.setdefault(DEFAULT_VSYS, Node(DEFAULT_VSYS, vsys.line))
        for word in loose:
            _merge(only, tree.children.pop(word))
    return tree


def _lift_into(tree: Node, node: Node, depth: int) -> None:
    for child in list(node.children.values()):
        if child.word == "config" and depth < 4:
            _lift_into(tree, child, depth + 1)
        elif child.word == "devices" and depth < 4 and all(one.children for one in child.children.values()):
            for device in child.children.values():
                _lift_into(tree, device, depth + 1)
        else:
            _merge(tree, child)


def _merge(parent: Node, node: Node) -> None:
    waiting = [(parent, node)]
    while waiting:
        above, one = waiting.pop()
        existing = above.children.get(one.word)
        if existing is None:
            above.children[one.word] = one
        else:
            existing.order = max(existing.order, one.order)
            waiting.extend((existing, child) for child in reversed(one.children.values()))


def _read_xml(text: str) -> Node:
    root, shift = parse_markup(text, EXPECTED)
    grower = Grower()
    waiting: list[tuple[etree._Element, Node]] = [(root, grower.root)]
    while waiting:
        element, below = waiting.pop()
        name = local_name(element)
        node = below
        if not (below is grower.root and name in (*OUTSIDE, "config")):
            word = (
                (element.get("name") or "")
                if name == "entry"
                else text_of(element)
                if name == "member"
                else name
            )
            node = grower.say([word], line_of(element) + shift, below) if word else below
        children = [child for child in element if is_element(child)]
        if not children and name not in ("entry", "member") and text_of(element):
            grower.say([text_of(element)], line_of(element) + shift, node)
        waiting.extend((child, node) for child in reversed(children))
    return grower.root
