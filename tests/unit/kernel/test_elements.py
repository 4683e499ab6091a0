"""Set elements to and from netlink."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwguard.errors import InputError
from fwguard.kernel import attributes as a
from fwguard.kernel import keys as k
from fwguard.kernel import nf_tables as n
from fwguard.kernel.elements import (
    Element,
    Verdict,
    decode,
    encode,
    encode_key,
    plain_interval,
    read_comment,
    requests,
)

_TABLE = n.Table("inet", "edge")
_DATA = st.one_of(
    st.none(),
    st.binary(min_size=1, max_size=16),
    st.sampled_from([Verdict("drop"), Verdict("accept"), Verdict("return"), Verdict("jump", "passage")]),
)
_ELEMENTS = st.builds(
    Element,
    key=st.binary(min_size=1, max_size=64),
    timeout_ms=st.integers(0, 1 << 40),
    comment=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=25),
    data=_DATA,
    ends_interval=st.booleans(),
)


def _payload(packed: bytes) -> memoryview:
    [(kind, payload)] = a.walk(packed)
    assert kind == n.NFTA_LIST_ELEM
    return payload


@given(_ELEMENTS)
def test_what_is_encoded_is_decoded(element: Element) -> None:
    """Key, time, comment, data and flag come back as they were."""
    assert element == decode(_payload(encode(element)))


@given(st.binary(min_size=8, max_size=64), st.integers(1, 1 << 40), st.integers(1, 1 << 40))
def test_a_concatenated_interval_and_its_times_come_back(key: bytes, timeout: int, left: int) -> None:
    """NFTA_SET_ELEM_KEY_END and EXPIRATION stand beside the key."""
    element = Element(key, key[::-1], timeout, left)
    assert element == decode(_payload(encode(element)))


@given(_ELEMENTS)
def test_a_removal_names_keys_alone(element: Element) -> None:
    """No time, data or comment is sent for it."""
    assert Element(element.key, ends_interval=element.ends_interval) == decode(_payload(encode_key(element)))


@given(st.lists(_ELEMENTS, max_size=300), st.integers(1, 40))
def test_messages_hold_all_elements_in_order_below_the_limit(elements: list[Element], times: int) -> None:
    """However many there are, each message stays below the 16-bit length and none is lost."""
    encoded = [encode(element) for element in elements] * times
    listed: list[bytes] = []
    for request in requests(n.NFT_MSG_NEWSETELEM, _TABLE, "openings", encoded):
        body = request.body[4:]
        inner = a.first(body, n.NFTA_SET_ELEM_LIST_ELEMENTS)
        assert inner is not None and 0 < len(inner) <= a.MAX_PAYLOAD_BYTES
        listed += [a.attribute(kind | a.NLA_F_NESTED, payload) for kind, payload in a.walk(inner)]
    assert encoded == listed


def test_every_message_names_table_set_and_family() -> None:
    """nfgenmsg bears the family; without it the kernel looks in another table."""
    [request] = requests(n.NFT_MSG_DELSETELEM, _TABLE, "openings", [encode_key(Element(b"1234"))])
    parts = a.table_of(request.body[4:])
    named = [a.read_text(parts[kind]) for kind in (n.NFTA_SET_ELEM_LIST_TABLE, n.NFTA_SET_ELEM_LIST_SET)]
    assert (10 << 8 | 14, 1, ["edge", "openings"]) == (request.kind, request.body[0], named)


def test_an_interval_has_its_end_behind_its_last_key() -> None:
    """192.0.2.0-192.0.2.255 ends where 192.0.3.0 begins."""
    start, end = plain_interval(k.ipv4("192.0.2.0"), k.ipv4("192.0.2.255"), comment="t-7")
    assert (k.ipv4("192.0.3.0"), True, "t-7") == (end.key, end.ends_interval, start.comment)


def test_an_interval_up_to_the_last_key_has_no_end() -> None:
    """There is no key behind 255.255.255.255."""
    assert 1 == len(plain_interval(k.ipv4("240.0.0.0"), k.ipv4("255.255.255.255")))


def test_a_reversed_interval_is_refused() -> None:
    """It would hold everything but what was meant."""
    with pytest.raises(InputError, match="reversed"):
        plain_interval(k.port(90), k.port(80))


def test_a_comment_that_is_too_long_is_refused() -> None:
    """nft could not show it."""
    with pytest.raises(InputError, match="127"):
        encode(Element(b"1234", comment="x" * 128))


def test_a_comment_is_found_behind_other_userdata() -> None:
    """Userdata of kinds that we do not write is passed over."""
    assert "t-9" == read_comment(bytes((5, 2)) + b"zz" + bytes((0, 4)) + b"t-9\0")


def test_the_counter_of_an_element_is_read() -> None:
    """As the kernel shows it: name and data of one expression."""
    counter = a.be64(n.NFTA_COUNTER_BYTES, 1500) + a.be64(n.NFTA_COUNTER_PACKETS, 3)
    expression = a.nested(
        n.NFTA_SET_ELEM_EXPR, a.text(n.NFTA_EXPR_NAME, "counter"), a.nested(n.NFTA_EXPR_DATA, counter)
    )
    found = decode(_payload(encode(Element(b"1234"))).tobytes() + expression)
    assert (3, 1500) == (found.packets, found.bytes)


def test_an_end_of_another_length_and_a_negative_time_are_refused() -> None:
    """What exists is valid."""
    for bad in ({"key_end": b"123"}, {"timeout_ms": -1}):
        with pytest.raises(InputError):
            Element(b"1234", **bad)


def test_a_verdict_has_a_chain_exactly_when_it_jumps() -> None:
    """`drop` goes nowhere, `jump` goes somewhere."""
    for name, chain in (("drop", "x"), ("jump", ""), ("sink", "")):
        with pytest.raises(InputError):
            Verdict(name, chain)


def test_the_length_of_a_list_is_what_its_header_says() -> None:
    """The flat writer counts what it writes."""
    packed = encode(Element(k.ether("02:00:5e:10:00:01"), timeout_ms=5, comment="é"))
    assert len(packed) == struct.unpack_from("=H", packed)[0]
