"""The platform reader of firewalls with one language: nothing that a client writes switches the guard off."""

from __future__ import annotations

import pytest

from fwguard.dialects.table import DIALECTS, PLATFORMS
from fwguard.errors import UnreadableError
from fwguard.flows.drift import describe, differing_parts
from fwguard.model.inventory import Language, Platform
from fwguard.model.policy import Action, Hook
from fwguard.model.snapshot import Snapshot

RING = {
    Platform.ASA: "ASA Version 9.12(3)\nobject-group network A\n group-object A\n",
    Platform.IOS: "version 15.2\nobject-group network A\n group-object A\nend\n",
    Platform.JUNOS: "set security address-book global address-set A address-set A\n",
    Platform.VYOS: "set firewall group address-group A include 'A'\n",
    Platform.FORTIOS: "config firewall addrgrp\nedit A\nset member A\nnext\nend\n",
    Platform.PANOS: "set address-group A static A\nset zone t\n",
    Platform.PFSENSE: "<pfsense>\n<aliases><alias><name>A</name><type>host</type><address>A</address></alias></aliases>"
    "</pfsense>\n",
    Platform.OPNSENSE: "<opnsense>\n<aliases><alias><name>A</name><type>host</type><address>A</address></alias>"
    "</aliases></opnsense>\n",
}  # fmt: skip


@pytest.mark.parametrize("platform", RING)
def test_what_its_dialect_refuses_is_unknown_everywhere_and_said(platform: Platform) -> None:
    """With the line, in every hook; the dialect by itself refuses the same text."""
    with pytest.raises(UnreadableError):
        DIALECTS[platform.value].read(RING[platform])
    policy = PLATFORMS[platform].policy(Snapshot({"running": RING[platform]}))
    assert set(Hook) == set(policy.hooks)
    for keys in policy.hooks.values():
        assert [Action.UNKNOWN] == [rule.action for key in keys for rule in policy.chains[key].rules]
    (unread,) = policy.unread
    assert "A holds itself: A > A" in unread.why
    assert unread.line > 0


@pytest.mark.parametrize("platform", RING)
def test_a_text_that_is_refused_still_differs_and_can_be_put_back(platform: Platform) -> None:
    """Drift is seen and told as changed lines, so that the approved text is written whole."""
    broken = RING[platform]
    sound = broken.replace("include 'A'", "include 'B'").replace("group-object A", "group-object B")
    sound = sound.replace("address-set A address-set A", "address-set A address-set B")
    sound = sound.replace("member A", "member B").replace("static A", "static B")
    sound = sound.replace("<address>A", "<address>192.0.2.1")
    assert sound != broken
    approved, reading = Snapshot({"running": sound}), Snapshot({"running": broken})
    parts = differing_parts(platform, approved, reading)
    assert ("running",) == parts
    drift = describe(platform, approved, reading, parts, lambda _: None)
    assert "[running]" in drift.text and "\n+" in drift.text
    assert all(drift.words[language] for language in Language)
    assert () == differing_parts(platform, reading, reading)


@pytest.mark.parametrize("platform", RING)
def test_a_text_of_another_kind_is_compared_as_it_stands(platform: Platform) -> None:
    """No dialect reads it: each byte counts, and the other parts are compared as always."""
    reader = PLATFORMS[platform]
    one, other = (
        Snapshot({"running": text, "startup": RING[platform]}) for text in ("}} one\n", "}} other\n")
    )
    assert reader.canonical(one)["running"] != reader.canonical(other)["running"]
    assert reader.canonical(one)["startup"] == reader.canonical(other)["startup"]
    assert reader.policy(one).unread


@pytest.mark.parametrize("platform", RING)
def test_what_was_not_read_is_no_policy(platform: Platform) -> None:
    """Nothing is concluded from an empty part."""
    with pytest.raises(UnreadableError):
        PLATFORMS[platform].policy(Snapshot({"startup": RING[platform]}))
