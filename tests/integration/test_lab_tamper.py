"""Each way to tamper does to a real firewall what its words say."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from fwguard.lab import plan as p
from fwguard.lab.platform import Lab
from fwguard.lab.tamper import FAULTS, SCRIPTS, UNCHANGED

pytestmark = pytest.mark.integration

FIREWALLS = ("fw-acme", "fw-globex", "fw-initech")
SHOWN = """\
nft list ruleset; iptables-save; ip6tables-save; iptables-legacy-save; ip6tables-legacy-save; ipset save
ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; sysctl -a -r forwarding
cat /etc/nftables.conf /etc/iptables/* /etc/network/static-routes /etc/netconf/startup.xml
"""


def eventually(holds: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    """Tell whether it comes to hold: what renders NETCONF's lists follows a commit a moment later."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def own_lab() -> Iterator[Lab]:
    """A platform to spoil."""
    lab = Lab.up(f"t{secrets.token_hex(3)}", bound=True)
    yield lab
    lab.down()


@pytest.mark.parametrize(
    ("firewall", "way"),
    [
        (firewall, way)
        for firewall, kind in zip(FIREWALLS, ("nftables", "iptables", "netconf"), strict=True)
        for way in SCRIPTS[kind]  # type: ignore[index]
    ],
)
def test_a_way_runs_and_changes_something_unless_it_says_so(own_lab: Lab, firewall: str, way: str) -> None:
    """Something of what a guard reads."""
    before = own_lab.run(firewall, ["sh"], text=SHOWN, check=False).stdout
    own_lab.tamper(firewall, way)

    def changed() -> bool:
        return before != own_lab.run(firewall, ["sh"], text=SHOWN, check=False).stdout

    assert way in UNCHANGED | FAULTS or eventually(changed)


@pytest.mark.parametrize("firewall", FIREWALLS)
def test_an_opened_port_carries_traffic_and_a_reboot_closes_it(own_lab: Lab, firewall: str) -> None:
    """The boot files know nothing of it."""
    public4, public6 = own_lab.firewall(firewall).public4[0], own_lab.firewall(firewall).public6[0]
    own_lab.tamper(firewall, "open-port")
    assert eventually(lambda: own_lab.connect("internet", public4, 8080))
    assert eventually(lambda: own_lab.connect("internet", public6, 8080))
    own_lab.tamper(firewall, "reboot")
    assert eventually(lambda: not own_lab.connect("internet", public4, 8080, timeout_s=0.4))


@pytest.mark.parametrize("firewall", FIREWALLS)
def test_reordering_lets_the_scanner_in(own_lab: Lab, firewall: str) -> None:
    """Order has a meaning."""
    public = own_lab.firewall(firewall).public4[0]
    assert not own_lab.connect("internet", public, 80, source=p.SCANNER4, timeout_s=0.4)
    own_lab.tamper(firewall, "reorder")
    assert eventually(lambda: own_lab.connect("internet", public, 80, source=p.SCANNER4))


@pytest.mark.parametrize("firewall", FIREWALLS)
def test_a_deleted_rule_closes_the_web(own_lab: Lab, firewall: str) -> None:
    """Over IPv4, and not over IPv6."""
    public4, public6 = own_lab.firewall(firewall).public4[0], own_lab.firewall(firewall).public6[0]
    own_lab.tamper(firewall, "delete-rule")
    assert eventually(lambda: not own_lab.connect("internet", public4, 80, timeout_s=0.4))
    assert own_lab.connect("internet", public6, 80, timeout_s=5)


def test_a_firewall_that_is_off_does_not_answer_until_it_is_on(own_lab: Lab) -> None:
    """Nor does one that hangs: it takes the connection and says nothing."""
    own_lab.tamper("fw-acme", "off")
    assert not own_lab.connect("controller", "172.30.1.1", 22, timeout_s=0.4)
    own_lab.tamper("fw-acme", "on")
    assert own_lab.connect("controller", "172.30.1.1", 22, timeout_s=5)
    assert own_lab.connect("controller", "fd30::1:1", 22, timeout_s=5)
