"""From one content to another: which messages, in which order, in which step."""

from __future__ import annotations

from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.content import Chain, Content, Rule, SetContent
from fwguard.kernel.messages import Request
from fwguard.kernel.transition import transition

_EDGE = n.Table("inet", "edge")
_KEY = a.nested(n.NFTA_SET_ELEM_KEY, a.attribute(n.NFTA_DATA_VALUE, b"1234"))
_OTHER = a.nested(n.NFTA_SET_ELEM_KEY, a.attribute(n.NFTA_DATA_VALUE, b"5678"))


def _set(name: str, flags: int = 0, *, elements: tuple[bytes, ...] = (), size: int = 1) -> SetContent:
    definition = a.be32(n.NFTA_SET_FLAGS, flags) + a.be32(n.NFTA_SET_DESC, size)
    return SetContent(name, definition, flags, {one: one for one in elements})


def _content(rules: dict[str, list[tuple[str, ...]]], *sets: SetContent) -> Content:
    """A content whose rules are given by the sets that they name."""
    made = {
        chain: tuple(Rule(chain, b"", repr(names).encode(), names) for names in listed)
        for chain, listed in rules.items()
    }
    chains = {chain: Chain(chain, b"") for chain in rules}
    return Content(_EDGE, chains, made, {one.name: one for one in sets}, {})


def _words(requests: list[Request]) -> list[str]:
    return [request.what.split(" of ")[0] for request in requests]


def test_equal_contents_need_no_message() -> None:
    """Nothing is touched."""
    one = _content({"a": [("s",)]}, _set("s", elements=(_KEY,)))
    steps = transition(one, one)
    assert ([], [], []) == (steps.prepare, steps.flip, steps.clean)


def test_a_new_interval_set_is_made_before_and_the_old_removed_after() -> None:
    """The flip changes rules alone: no packet meets a set that is being filled."""
    old = _content({"a": [("s1",)]}, _set("s1", n.NFT_SET_INTERVAL, elements=(_KEY,)))
    new = _content({"a": [("s2",)]}, _set("s2", n.NFT_SET_INTERVAL, elements=(_KEY, _OTHER)))
    steps = transition(old, new)
    assert ["set s2", "elements"] == _words(steps.prepare)
    assert ["rules", "rule"] == _words(steps.flip)
    assert (["set s1"], []) == (_words(steps.clean), steps.reloaded)


def test_removals_come_first_and_who_refers_before_what_is_referred_to() -> None:
    """Rules, then elements, then sets, then chains; then what is new, rules last."""
    old = _content({"a": [("gone",)], "b": [()]}, _set("gone"), _set("s", elements=(_KEY,)))
    new = _content({"a": [("come",)], "c": [()]}, _set("come"), _set("s", elements=(_OTHER,)))
    kinds = [request.kind & 0xFF for request in transition(old, new).flip]
    removals = [
        n.NFT_MSG_DELRULE,
        n.NFT_MSG_DELRULE,
        n.NFT_MSG_DELSETELEM,
        n.NFT_MSG_DELSET,
        n.NFT_MSG_DELCHAIN,
    ]
    assert removals == kinds[:5]
    assert n.NFT_MSG_NEWCHAIN == kinds[5]
    assert sorted([n.NFT_MSG_NEWSET, n.NFT_MSG_NEWSETELEM]) == sorted(kinds[6:8])
    assert [n.NFT_MSG_NEWRULE, n.NFT_MSG_NEWRULE] == kinds[8:]


def test_kept_elements_are_not_touched() -> None:
    """Whatever the text says of them."""
    old, new = _content({}, _set("cut", elements=(_KEY,))), _content({}, _set("cut", elements=(_OTHER,)))
    assert [] == transition(old, new, keep=("cut",)).flip
    assert ["elements", "elements"] == _words(transition(old, new).flip)


def test_a_set_that_is_declared_otherwise_takes_its_kept_elements_along() -> None:
    """All rules are written anew around it, since they name it."""
    old = _content({"a": [("cut",)]}, _set("cut", elements=(_KEY,)))
    new = _content({"a": [("cut",)]}, _set("cut", size=2))
    flip = transition(old, new, keep=("cut",)).flip
    assert ["rules", "set cut", "set cut", "elements", "rule"] == _words(flip)


def test_left_chains_keep_rules_and_sets() -> None:
    """The text does not speak of them."""
    interval = n.NFT_SET_INTERVAL
    old = _content({"a": [("s1",)], "b": [("s2",)]}, _set("s1", interval), _set("s2", interval))
    new = _content({"a": [("s3",)], "b": []}, _set("s3", interval))
    steps = transition(old, new, leave=("b",))
    assert ["set s3"] == _words(steps.prepare)
    assert ["rules", "rule"] == _words(steps.flip)
    assert ["set s1"] == _words(steps.clean)


def test_a_fresh_table_gets_all_in_one_transaction() -> None:
    """Nothing is prepared beside what goes away in the same breath; kept elements come along."""
    old = _content({"a": [("s",)]}, _set("s", n.NFT_SET_INTERVAL), _set("cut", elements=(_KEY,)))
    new = _content({"a": [("s",)]}, _set("s", n.NFT_SET_INTERVAL), _set("cut"))
    steps = transition(old, new, keep=("cut",), fresh=True)
    assert ([], []) == (steps.prepare, steps.clean)
    assert ["chain a", "set s", "set cut", "elements", "rule"] == _words(steps.flip)
