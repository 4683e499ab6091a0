"""The ways to tamper."""

from __future__ import annotations

import subprocess

import pytest

from fwguard.errors import InputError
from fwguard.lab.plan import FirewallPlan, plan
from fwguard.lab.tamper import FAULTS, SCRIPTS, UNCHANGED, WAYS, script, ways_of

FIREWALLS = {
    firewall.kind: firewall
    for firewall in plan("t", kinds=frozenset({"nftables", "iptables", "netconf"})).firewalls
}


def test_every_way_has_words() -> None:
    """The table for people and the tables for machines name the same."""
    assert set(WAYS) == {way for scripts in SCRIPTS.values() for way in scripts}
    assert set(WAYS) >= UNCHANGED | FAULTS


@pytest.mark.parametrize("kind", sorted(SCRIPTS))
def test_every_script_is_one_for_a_shell(kind: str) -> None:
    """`sh -n` reads it; no variable is left unset."""
    firewall: FirewallPlan = FIREWALLS[kind]  # type: ignore[index]
    for way in ways_of(firewall.kind):
        subprocess.run(["sh", "-n"], input=script(firewall, way), text=True, check=True)


def test_an_unknown_way_names_the_known() -> None:
    """The message is the list."""
    with pytest.raises(InputError, match="add-rule, add-redirection"):
        script(FIREWALLS["nftables"], "no-such")
