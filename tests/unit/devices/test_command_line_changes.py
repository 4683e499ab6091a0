"""Lines that make one state into another: carried out one by one, they do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.devices.command_line.indented import changed_lines, read_blocks
from fwguard.devices.command_line.lists import asa_lines, ios_lines
from fwguard.devices.command_line.paths import panos_lines, path_lines, vyos_lines
from fwguard.devices.command_line.plan import make_plan
from fwguard.devices.command_line.table import COMMAND_LINES
from fwguard.dialects.panos import PANOS
from fwguard.errors import CommitRefusedError, InputError
from fwguard.model.inventory import Platform
from fwguard.model.snapshot import Snapshot

CHATTER = re.compile(r"Building configuration\.*")
ENTRIES = st.lists(st.integers(0, 11), max_size=8, unique=True)


def entry(number: int) -> str:
    """Return an entry of a list."""
    return f"extended {'permit' if number % 2 else 'deny'} tcp any host 192.0.2.{number} eq www"


def asa_text(numbers: list[int]) -> str:
    """Return an ASA with one list."""
    return "".join(f"access-list in {entry(number)}\n" for number in numbers)


@settings(max_examples=200)
@given(ENTRIES, ENTRIES)
def test_an_asa_list_comes_into_its_order(before: list[int], after: list[int]) -> None:
    """`line N` puts an entry before the one that has that number, and no entry stands twice."""
    stands = [entry(number) for number in before]
    for line in asa_lines(asa_text(before), asa_text(after), CHATTER):
        hit = re.fullmatch(r"(no )?access-list in (?:line (\d+) )?(.+)", line)
        assert hit is not None
        if hit[1]:
            stands.remove(hit[3])
        else:
            assert hit[3] not in stands
            assert 1 <= int(hit[2]) <= len(stands) + 1
            stands.insert(int(hit[2]) - 1, hit[3])
    assert [entry(number) for number in after] == stands


def ios_text(numbers: list[int]) -> str:
    """Return an IOS with one list; without an entry there is no list."""
    head = "ip access-list extended in\n" if numbers else ""
    return "version 15.2\n" + head + "".join(f" {entry(n).removeprefix('extended ')}\n" for n in numbers)


@settings(max_examples=200)
@given(ENTRIES, ENTRIES)
def test_an_ios_list_comes_into_its_order(before: list[int], after: list[int]) -> None:
    """By its numbers after resequencing, and no entry stands twice."""
    stands = {1000 * (at + 1): entry(n).removeprefix("extended ") for at, n in enumerate(before)}
    for line in ios_lines(ios_text(before), ios_text(after), CHATTER):
        if line == "no ip access-list extended in":
            stands.clear()
        elif line.startswith("no "):
            del stands[int(line[3:])]
        elif hit := re.fullmatch(r"(\d+) (.+)", line):
            assert int(hit[1]) not in stands
            assert hit[2] not in stands.values()
            stands[int(hit[1])] = hit[2]
        elif line.startswith(("permit", "deny")):
            stands[max(stands, default=0) + 10] = line
    assert [entry(n).removeprefix("extended ") for n in after] == [stands[at] for at in sorted(stands)]


PATHS = st.lists(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(tuple), max_size=8, unique=True
).map(lambda paths: [p for p in paths if not any(q != p and q[: len(p)] == p for q in paths)])


@settings(max_examples=200)
@given(PATHS, PATHS)
def test_delete_and_set_make_one_tree_into_another(
    before: list[tuple[str, ...]], after: list[tuple[str, ...]]
) -> None:
    """A `delete` takes all below it, and nothing that stays."""
    stands = set(before)
    for line in path_lines(before, after, str):
        verb, *words = line.split()
        if verb == "set":
            stands.add(tuple(words))
        else:
            gone = {path for path in stands if path[: len(words)] == tuple(words)}
            assert gone
            stands -= gone
    assert set(after) == {
        path for path in stands if not any(q != path and q[: len(path)] == path for q in stands)
    }


@settings(max_examples=100)
@given(st.permutations(["r1", "r2", "r3", "r 4"]), st.permutations(["r1", "r3", "r 4", "r5", "r6"]))
def test_rules_of_panos_come_into_their_order(before: list[str], after: list[str]) -> None:
    """Carried out by the dialect, which moves rules as the firewall would."""
    one, other = (
        "".join(f'set rulebase security rules "{name}" action deny\n' for name in names)
        for names in (before, after)
    )
    done = one + "".join(f"{line}\n" for line in panos_lines(one, other))
    assert PANOS.canonical(other) == PANOS.canonical(done)


def test_a_route_stays_until_the_other_is_there() -> None:
    """Of one prefix by two gateways, the new one is entered first."""
    one, other = (
        read_blocks(f"ip route 10.0.0.0/8 {gateway}\n", CHATTER) for gateway in ("192.0.2.1", "192.0.2.2")
    )
    assert ["ip route 10.0.0.0/8 192.0.2.2", "no ip route 10.0.0.0/8 192.0.2.1"] == changed_lines(one, other)


def test_a_route_that_only_changes_its_tag_goes_first() -> None:
    """Else `no` with the old tag takes the new one away."""
    one, other = (read_blocks(f"ip route 10.0.0.0/8 192.0.2.1{tag}\n", CHATTER) for tag in (" tag 7", ""))
    assert ["no ip route 10.0.0.0/8 192.0.2.1 tag 7", "ip route 10.0.0.0/8 192.0.2.1"] == changed_lines(
        one, other
    )


def test_a_name_is_written_over() -> None:
    """`no hostname` would be another name for a moment, and the end of our session."""
    one, other = (read_blocks(f"hostname {name}\n", CHATTER) for name in ("evil", "fw"))
    assert ["hostname fw"] == changed_lines(one, other)


def test_nesting_without_end_is_refused() -> None:
    """A client writes what we read."""
    with pytest.raises(InputError, match="deep"):
        read_blocks("\n".join(" " * depth + "x" for depth in range(40)), CHATTER)


@pytest.mark.parametrize(
    ("platform", "running", "why"),
    [
        (Platform.IOS, "version 15.2\nhostname a\n", "no archive"),
        (Platform.FORTIOS, "config system global\n    set hostname a\nend\n", "cfg-save revert"),
    ],
)
def test_a_device_that_could_not_go_back_is_not_written(platform: Platform, running: str, why: str) -> None:
    """It is said what its owner has to set first."""
    row = COMMAND_LINES[platform]
    parts = ["running", *(["startup"] if row.startup else [])]
    before, after = (Snapshot(dict.fromkeys(parts, text)) for text in (running, running.replace(" a", " b")))
    with pytest.raises(CommitRefusedError, match=why):
        make_plan(row, before, after, id="w1", confirm_s=60)


@pytest.mark.parametrize("platform", [Platform.ASA, Platform.VYOS])
def test_a_restart_as_way_back_needs_a_saved_state(platform: Platform) -> None:
    """What starts must be what runs, or the restart goes somewhere else."""
    texts = {
        Platform.ASA: "ASA Version 9.8(2)\nhostname {}\n",
        Platform.VYOS: "set system host-name {}\nset system time-zone UTC\n",
    }
    one, other, third = (texts[platform].format(name) for name in "abc")
    before = Snapshot({"running": one, "startup": third})
    after = Snapshot({"running": other, "startup": other})
    with pytest.raises(CommitRefusedError, match="save or undo"):
        make_plan(COMMAND_LINES[platform], before, after, id="w1", confirm_s=60)


def test_control_characters_are_never_entered() -> None:
    """A terminal takes them for keys."""
    row = COMMAND_LINES[Platform.FRR]
    one, other = (
        Snapshot(dict.fromkeys(("running", "startup"), f"frr defaults traditional\nlog file {name}\n"))
        for name in ("a", "b\x03c")
    )
    with pytest.raises(CommitRefusedError, match="control characters"):
        make_plan(row, one, other, id="w1", confirm_s=60)


def test_several_virtual_systems_of_panos_are_not_written() -> None:
    """What `set` means there depends on the session."""
    text = (
        '<config version="10.1.0"><devices><entry name="localhost.localdomain"><vsys>'
        '<entry name="vsys1"><tag/></entry><entry name="vsys2"><display-name>{}</display-name></entry>'
        "</vsys></entry></devices></config>"
    )
    with pytest.raises(CommitRefusedError, match="several virtual systems"):
        panos_lines(text.format("a"), text.format("b"))


def test_words_of_vyos_are_quoted() -> None:
    """A shell reads them."""
    lines = vyos_lines("set system host-name a\n", "set system host-name a\nset system x 'y; reboot'\n")
    assert ["set system x 'y; reboot'"] == lines
