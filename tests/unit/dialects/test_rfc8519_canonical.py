"""What is no difference, and what is one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.dialects.rfc8519 import RFC8519, lay_out

Y = "urn:ietf:params:xml:ns:yang:"
TEXT = f"""<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">
<acls xmlns="{Y}ietf-access-control-list">
<acl><name>a</name><aces>
<ace><name>x</name><matches><ipv4><source-ipv4-network>10.0.0.0/8</source-ipv4-network><protocol>6</protocol></ipv4>
<tcp><destination-port><port>22</port></destination-port></tcp></matches>
<actions><forwarding>accept</forwarding></actions></ace>
<ace><name>y</name><actions><forwarding>drop</forwarding></actions></ace>
</aces></acl>
<acl><name>b</name></acl>
</acls></data>"""

COUNTED = "<statistics><matched-packets>9</matched-packets></statistics>"


def test_it_is_stable() -> None:
    """The canonical text, and the laid out one, are their own."""
    once = RFC8519.canonical(TEXT)
    assert once == RFC8519.canonical(once)
    assert lay_out(TEXT) == lay_out(lay_out(TEXT))
    assert once == RFC8519.canonical(lay_out(TEXT))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n", "  \n\t"),
        ("<acls", "<!-- by hand --><acls"),
        ("10.0.0.0/8", "10.1.2.3/8"),
        ("<port>22</port>", "<operator>eq</operator><port>0022</port>"),
        (">drop<", f' xmlns:q="{Y}ietf-access-control-list">q:drop<'),
        ("</actions></ace>\n<ace>", f"</actions>{COUNTED}</ace><ace>"),
        ("<forwarding>drop</forwarding>", "<forwarding>drop</forwarding><logging>log-none</logging>"),
        ("<acl><name>b</name></acl>\n", ""),
    ],
)  # fmt: skip
def test_spelling_is_no_difference(old: str, new: str) -> None:
    """Whitespace, comments, host bits, defaults, prefixes, counters; the last case is a difference."""
    assert old in TEXT
    same = RFC8519.canonical(TEXT) == RFC8519.canonical(TEXT.replace(old, new))
    assert same == (new != "")


def test_the_order_of_lists_and_leaves_is_none_and_that_of_entries_is_one() -> None:
    """`ordered-by user` decides (RFC 7950 section 7.7.7)."""
    lists = re.sub(r"(?s)(<acl><name>a.*?</acl>)\n(<acl>.*?</acl>)", r"\2\1", TEXT)
    leaves = TEXT.replace("<name>x</name>", "").replace(
        "accept</forwarding></actions>", "accept</forwarding></actions><name>x</name>"
    )
    entries = re.sub(r"(?s)(<ace><name>x.*?</ace>)\n(<ace>.*?</ace>)", r"\2\1", TEXT)
    found = [RFC8519.canonical(text) == RFC8519.canonical(TEXT) for text in (lists, leaves, entries)]
    assert [True, True, False] == found


@pytest.mark.parametrize("element", ["ace", "acls", "matches", "tcp"])
def test_something_unknown_is_a_difference_wherever_it_stands(element: str) -> None:
    """Nothing that a client adds is lost in comparing."""
    text = TEXT.replace(f"</{element}>", f'<more xmlns="urn:vendor">1</more></{element}>')
    assert RFC8519.canonical(TEXT) != RFC8519.canonical(text)


@given(st.sampled_from(["nc", "a", "acl", "x-1"]), st.sampled_from([" ", "\n", "\t\n  "]))
def test_prefixes_and_spaces_between_elements_mean_nothing(prefix: str, space: str) -> None:
    """Every element of the module written with a prefix instead of a default namespace."""
    inner = TEXT[TEXT.index("<acls") : TEXT.index("</data>")].replace(
        f' xmlns="{Y}ietf-access-control-list"', ""
    )
    spelled = re.sub(r"<(/?)([a-z])", rf"<\1{prefix}:\2", inner).replace("><", f">{space}<")
    text = f'<data xmlns:{prefix}="{Y}ietf-access-control-list">{spelled}</data>'
    assert RFC8519.canonical(TEXT) == RFC8519.canonical(text)
