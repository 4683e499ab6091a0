"""A change finds its rule set, opens what was asked and nothing else, and goes without a trace."""

from __future__ import annotations

import pytest

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.analysis.what_if import Coverage, Outcome, what_if
from fwguard.dialects.vyos import VYOS
from fwguard.dialects.vyos.tree import parse
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.ports import ICMP, ICMPV6, SCTP, TCP, UDP, icmp_types

INTERFACES = """interfaces {
    ethernet eth0 {
        address 203.0.113.2/30
        address 2001:db8:f::2/64
        %s
    }
    ethernet eth1 {
        address 10.0.0.1/24
        address 2001:db8:1::1/64
    }
}
protocols {
    static {
        route 0.0.0.0/0 {
            next-hop 203.0.113.1 {
            }
        }
        route6 ::/0 {
            next-hop 2001:db8:f::1 {
            }
        }
    }
}
"""
BOUND = """firewall {
    ipv6-name IN6 {
        default-action drop
    }
    name IN4 {
        default-action drop
        rule 10 {
            action drop
            source {
                address 198.51.100.0/24
            }
        }
        rule 11 {
            action accept
            destination {
                address 10.0.0.10
                port 80
            }
            protocol tcp
        }
    }
}
"""
ZONES = """zone-policy {
    zone wan {
        interface eth0
    }
    zone lan {
        from wan {
            firewall {
                ipv6-name IN6
                name IN4
            }
        }
        interface eth1
    }
}
"""
AT_INTERFACE = """firewall {
            in {
                ipv6-name IN6
                name IN4
            }
        }"""
FOOTER = '/* === vyatta-config-version: "firewall@5" === */\n/* Release version: 1.2.6 */\n'
NEW = """firewall {
    ipv4 {
        forward {
            filter {
                default-action drop
                rule 10 {
                    action drop
                    source {
                        address 198.51.100.0/24
                    }
                }
                rule 11 {
                    action accept
                    destination {
                        address 10.0.0.10
                        port 80
                    }
                    protocol tcp
                }
            }
        }
    }
    ipv6 {
        forward {
            filter {
                default-action drop
            }
        }
    }
}
// vyos-config-version: "firewall@15"
"""
LAYOUTS = {
    "at an interface": INTERFACES % AT_INTERFACE + BOUND + FOOTER,
    "between zones": INTERFACES % "" + BOUND + ZONES + FOOTER,
    "base chain": INTERFACES % "" + NEW,
}


def as_commands(text: str) -> str:
    """Return a boot file as set commands."""
    return "".join(f"set {' '.join(path[:-1])} '{path[-1]}'\n" for path in parse(text).root.leaves())


TEXTS = dict(LAYOUTS)
TEXTS |= {f"{name}, commands": as_commands(text) for name, text in LAYOUTS.items()}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
HTTPS = Intervals.single(443)


def opening(ports: Intervals = HTTPS, *, protocol: int = TCP, source: str = "any") -> Opening:
    """Open ports of the server, v4 and v6 where both make sense."""
    return Opening(
        protocol=protocol, source=AddressSet.parse(source), target=AddressSet.parse("10.0.0.10", "2001:db8:1::10"),
        ports=ports,
    )  # fmt: skip


def of_v4(one: Opening) -> Opening:
    """Return the IPv4 part."""
    return Opening(
        protocol=one.protocol,
        source=AddressSet(one.source.v4),
        target=AddressSet(one.target.v4),
        ports=one.ports,
    )


OPENINGS = [
    opening(Intervals.of((22, 22), (8000, 8010))),
    opening(Intervals.single(53), protocol=UDP, source="198.51.100.7-198.51.100.12"),
    of_v4(opening(icmp_types(8, 8), protocol=ICMP)),
    of_v4(opening(Intervals.single(8 << 8), protocol=ICMP, source="192.0.2.1")),
    Opening(
        protocol=ICMPV6, source=AddressSet.parse("2001:db8:9::/48"), target=AddressSet.parse("2001:db8:1::10"),
        ports=Intervals.of((128 << 8, 128 << 8), (129 << 8, (129 << 8) + 255)),
    ),
    opening(Intervals(), protocol=47),
    opening(Intervals(), protocol=SCTP),
]  # fmt: skip


@each_text
@pytest.mark.parametrize("one", OPENINGS, ids=range(len(OPENINGS)))
def test_a_change_opens_what_was_asked_and_nothing_else(text: str, one: Opening) -> None:
    """Before the rule that drops a part of it; removed, the firewall is as before."""
    edit = VYOS.write(Change(tag="CHG-1", openings=(one,)), text)
    before, after = VYOS.read(text), VYOS.read(edit.after)
    answer = what_if(before, after, [one])
    assert Coverage.ALL is answer.then
    assert Outcome.EXACT is answer.outcome
    assert () == after.unread
    gone = VYOS.write(Change(tag="CHG-1", remove=True), edit.after)
    difference = compare(before, VYOS.read(gone.after))
    assert not (difference.opens or difference.closes or difference.undecided)
    assert "fwguard:" not in gone.after


@each_text
def test_the_commands_shown_do_the_same_as_the_text(text: str) -> None:
    """And end in a commit that undoes itself unless it is confirmed."""
    edit = VYOS.write(Change(tag="CHG-1", openings=(opening(source="192.0.2.0/24"),)), text)
    lines = edit.shown.split("\n")
    assert ["commit-confirm 5", "confirm", "save"] == lines[-3:]
    commands = "".join(line.removeprefix("+ ") + "\n" for line in lines[:-3])
    assert VYOS.canonical(edit.after) == VYOS.canonical(as_commands(text) + commands)


@each_text
def test_rules_move_up_where_there_is_no_number_between(text: str) -> None:
    """Rule 1 is taken, two rules must stand before it."""
    text = text.replace("rule 10", "rule 1").replace("rule 11", "rule 2")
    edit = VYOS.write(Change(tag="CHG-1", openings=(opening(Intervals.of((22, 22), (25, 25))),)), text)
    assert (
        Coverage.ALL is what_if(VYOS.read(text), VYOS.read(edit.after), [opening(Intervals.single(22))]).then
    )
    assert "+ rename rule 1 to rule 2" in edit.shown
    assert "+ rename rule 2 to rule 3" in edit.shown


@each_text
def test_a_redirection_leads_to_the_server(text: str) -> None:
    """In front of a rule that would send it elsewhere; in its own part of the text when there was none."""
    change = Change(
        tag="CHG-1", openings=(opening(),),
        redirections=(
            Redirection(protocol=TCP, public="203.0.113.2", public_port=8443, inner="10.0.0.10", inner_port=443),
            Redirection(protocol=TCP, public="2001:db8:f::2", public_port=8443, inner="2001:db8:1::10", inner_port=443),
        ),
    )  # fmt: skip
    edit = VYOS.write(change, text)
    policy = VYOS.read(edit.after)
    for source, target in (("8.8.8.8", "203.0.113.2"), ("2606::1", "2001:db8:f::2")):
        packet = Packet(source=source, target=target, protocol=TCP, dport=8443, ingress="eth0", egress="eth1")
        assert Answer.ACCEPT is verdict(policy, packet).answer
    gone = VYOS.write(Change(tag="CHG-1", remove=True), edit.after)
    assert VYOS.canonical(text) == VYOS.canonical(gone.after)
    other = VYOS.write(
        Change(tag="CHG-2", redirections=(
            Redirection(protocol=TCP, public="203.0.113.2", public_port=8443, inner="10.0.0.11", inner_port=443),
        )), edit.after,
    )  # fmt: skip
    assert ["10.0.0.11", "10.0.0.10"] == [str(rule.to) for rule in VYOS.read(other.after).nat[:2]]


def test_what_passes_already_still_gets_its_rule() -> None:
    """In front, so that it stays when others go."""
    edit = VYOS.write(
        Change(tag="CHG-1", openings=(of_v4(opening(Intervals.single(80), source="192.0.2.1")),)),
        LAYOUTS["base chain"],
    )
    assert "+ set firewall ipv4 forward filter rule 5 action 'accept'" in edit.shown


def test_both_sides_of_an_interface_are_opened() -> None:
    """A rule set on the way in, another on the way out."""
    text = as_commands(LAYOUTS["at an interface"]) + (
        "set interfaces ethernet eth1 firewall out name OUT4\nset firewall name OUT4 default-action drop\n"
    )
    one = of_v4(opening())
    edit = VYOS.write(Change(tag="CHG-1", openings=(one,)), text)
    assert Outcome.EXACT is what_if(VYOS.read(text), VYOS.read(edit.after), [one]).outcome
    assert "firewall name OUT4 rule 10 action" in edit.shown


WITHOUT = LAYOUTS["between zones"].replace("                name IN4\n", "")
GRE = Redirection(protocol=47, public="203.0.113.2", public_port=1, inner="10.0.0.1", inner_port=1)


@pytest.mark.parametrize(
    ("text", "change", "why"),
    [
        ("set interfaces ethernet eth0 address 10.0.0.1/24\n", Change(tag="a", openings=(opening(),)), "no rule set"),
        (LAYOUTS["base chain"], Change(tag="a", remove=True), "no rule has"),
        (LAYOUTS["base chain"], Change(tag="a"), "nothing to write"),
        (LAYOUTS["base chain"], Change(tag="a", openings=(opening(HTTPS, protocol=SCTP),)), "ports of sctp"),
        (LAYOUTS["base chain"], Change(tag="a", openings=(opening(Intervals(), protocol=ICMP),)), "icmp in V6"),
        (WITHOUT, Change(tag="a", openings=(of_v4(opening()),)), "has no ipv4"),
        (LAYOUTS["base chain"], Change(tag="a", redirections=(GRE,)), "redirection of gre"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_refused(text: str, change: Change, why: str) -> None:
    """With what is missing."""
    with pytest.raises(InputError, match=why):
        VYOS.write(change, text)


def test_a_tag_stands_once() -> None:
    """A change is not written twice."""
    change = Change(tag="a", openings=(opening(),))
    edit = VYOS.write(change, LAYOUTS["base chain"])
    with pytest.raises(InputError, match="stands already"):
        VYOS.write(change, edit.after)
