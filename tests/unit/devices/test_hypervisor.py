"""Sources of server states: what they say, and what is no answer."""

from __future__ import annotations

import pytest

from fwguard.devices.hypervisor import HYPERVISORS, open_hypervisor
from fwguard.devices.libvirt import parse_domstats
from fwguard.devices.state_file import parse_states
from fwguard.errors import InputError, PartialReadingError
from fwguard.model.machine_state import MachineState


@pytest.mark.parametrize(
    "source",
    ["", "libvirt", "libvirt:", "vmware:host", "libvirt:no uri", "libvirt:--help", "libvirt:qemu:\n"],
)
def test_a_source_has_a_kind_and_a_place(source: str) -> None:
    """And nothing that `virsh` would take for an option."""
    with pytest.raises(InputError, match="expected"):
        open_hypervisor(source)


def test_every_kind_of_the_table_opens() -> None:
    """The table is all there is."""
    assert {"file", "libvirt"} == set(HYPERVISORS)
    for source in ("file:/x.yaml", "libvirt:qemu+ssh://root@host/system"):
        assert open_hypervisor(source) is not None


def _text(number: int) -> str:
    return f"Domain: 'web1'\n  state.state={number}\n  state.reason=1\n\n"


@pytest.mark.parametrize(
    ("number", "state"), [(1, "running"), (3, "running"), (5, "stopped"), (6, "stopped")]
)
def test_libvirts_numbers_are_states(number: int, state: str) -> None:
    """A paused server is started; one that is shut off or crashed is not."""
    [one] = parse_domstats(_text(number), "test:///")
    assert ("web1", MachineState(state)) == (one.name, one.state)


@pytest.mark.parametrize("text", [_text(0), _text(9), "Domain: 'web1'\n\n", _text(1) + "Domain: 'web2'\n"])
def test_a_domain_without_a_known_state_is_no_answer(text: str) -> None:
    """Nothing is concluded from half of it."""
    with pytest.raises(PartialReadingError, match="no state that we know"):
        parse_domstats(text, "test:///")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("servers: 3\n", "f:1: servers: is no list"),
        ("servers: [{name: a}]\n", r"f:1: servers\[0\]: lacks state"),
        ("servers:\n- {name: a, state: running}\n- {name: a, state: stopped}\n", "f:3: .* stands twice"),
        ("servers: [{name: a, state: running, colour: red}]\n", "colour: is not known"),
        ("servers: [{name: a, state: stopped, since: now}]\n", "is no time"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, words: str) -> None:
    """The whole of it."""
    with pytest.raises(InputError, match=words):
        parse_states(text, "f")
