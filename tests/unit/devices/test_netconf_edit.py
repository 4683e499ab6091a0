"""What a device is told, and what is left alone."""

from __future__ import annotations

from fwguard.devices.netconf_edit import differing_subtrees, edit_of, whole_startup
from fwguard.dialects.rfc8519 import RFC8519, parse

Y = "urn:ietf:params:xml:ns:yang:"
NAT = f'<nat xmlns="{Y}ietf-nat"><instances><instance><id>1</id></instance></instances></nat>'
ACLS = f'<acls xmlns="{Y}ietf-access-control-list"><acl><name>a</name></acl></acls>'
OTHER = f'<system xmlns="{Y}ietf-system"><hostname>fw</hostname></system>'


def config(*nodes: str) -> str:
    """Return a datastore."""
    return f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{"".join(nodes)}</config>'


def test_only_what_differs_is_told() -> None:
    """Whole subtrees; one that goes is removed, one that is spelled otherwise is left."""
    before, after = config(ACLS, NAT), config(ACLS.replace("<acl>", "\n<acl>\n"))
    found = differing_subtrees(before, after)
    assert {("ietf-nat", "nat"): None} == found
    assert 'operation="remove"' in edit_of(found)


def test_a_replacement_holds_the_whole_subtree() -> None:
    """With the operation of RFC 6241 section 7.2 on its top node."""
    text = edit_of(differing_subtrees(config(), config(ACLS)))
    (top,) = parse(text)
    assert "acls" == top.name
    assert [("{urn:ietf:params:xml:ns:netconf:base:1.0}operation", "replace")] == list(top.attributes)
    assert "a" == top.value("acl", "name")


def test_startup_keeps_what_is_not_ours() -> None:
    """Other modules' data stay as the device holds them."""
    request = whole_startup(config(OTHER, NAT), config(ACLS))
    inner = request[request.index("<config") : request.index("</source>")]
    assert ["acls", "system"] == [top.name for top in parse(inner)]
    assert RFC8519.canonical(config(ACLS, OTHER)) == RFC8519.canonical(inner)
