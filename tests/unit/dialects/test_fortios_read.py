"""What a FortiGate passes: policies in order, zones, virtual IPs, both IP versions, virtual domains."""

from __future__ import annotations

import pytest

from fwguard.analysis.query import verdict
from fwguard.dialects.fortios import FORTIOS
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Action, Hook, NatKind

FACES = """config system interface
    edit "wan1"
        set ip 203.0.113.2 255.255.255.248
        set allowaccess ping
    next
    edit "dmz"
        set ip 192.0.2.1 255.255.255.0
    next
    edit "lan1"
        set ip 10.1.0.1 255.255.0.0
        set allowaccess ssh
    next
    edit "lan2"
        set ip 10.2.0.1 255.255.0.0
    next
end
config firewall address
    edit "web"
        set subnet 192.0.2.10 255.255.255.255
    next
    edit "bad"
        set subnet 198.51.100.0 255.255.255.0
    next
end
"""
DEFAULTS = {
    "srcintf": "wan1", "dstintf": "dmz", "srcaddr": "all", "dstaddr": "web", "service": "HTTPS",
    "schedule": "always", "action": "accept",
}  # fmt: skip


def policy(number: int, **settings: str) -> str:
    """Write one policy; "" leaves a setting out."""
    given = DEFAULTS | {key.replace("_", "-"): value for key, value in settings.items()}
    lines = "".join(f"        set {key} {value}\n" for key, value in given.items() if value)
    return f"    edit {number}\n{lines}    next\n"


def policies(*texts: str, before: str = FACES) -> str:
    """Write a table of policies."""
    return f"{before}config firewall policy\n{''.join(texts)}end\n"


def answer(
    text: str,
    target: str = "192.0.2.10",
    *,
    source: str = "198.51.100.9",
    proto: int = 6,
    dport: int = 443,
    way: tuple[str, str] = ("wan1", "dmz"),
    hook: Hook = Hook.FORWARD,
) -> Answer:
    """Ask about one packet."""
    packet = Packet(
        source=source, target=target, protocol=proto, sport=40000, dport=dport, ingress=way[0],
        egress=way[1] if hook is Hook.FORWARD else "", hook=hook,
    )  # fmt: skip
    return verdict(FORTIOS.read(text), packet).answer


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, Answer.ACCEPT),
        ({"action": ""}, Answer.DROP),
        ({"action": "deny", "send_deny_packet": "enable"}, Answer.REJECT),
        ({"status": "disable"}, Answer.DROP),
        ({"srcintf": "lan1"}, Answer.DROP),
        ({"srcintf": "any", "dstintf": "any"}, Answer.ACCEPT),
        ({"service": "HTTP SSH"}, Answer.DROP),
        ({"service": "ALL"}, Answer.ACCEPT),
        ({"srcaddr": "bad"}, Answer.ACCEPT),
        ({"srcaddr": "bad", "srcaddr_negate": "enable"}, Answer.DROP),
        ({"schedule": "nights"}, Answer.UNKNOWN),
        ({"groups": "staff"}, Answer.UNKNOWN),
        ({"application": "15893"}, Answer.UNKNOWN),
        ({"dstaddr": "missing"}, Answer.UNKNOWN),
        ({"service": "MISSING"}, Answer.UNKNOWN),
        ({"av_profile": "default", "utm_status": "enable"}, Answer.ACCEPT),
        ({"hyperdrive": "on"}, Answer.UNKNOWN),
        ({"service": ""}, Answer.UNKNOWN),
        ({"dstaddr": ""}, Answer.UNKNOWN),
        ({"action": "ipsec", "vpntunnel": "x"}, Answer.UNKNOWN),
        ({"internet_service": "enable", "dstaddr": "", "service": ""}, Answer.UNKNOWN),
    ],
)
def test_a_policy_says(settings: dict[str, str], wanted: Answer) -> None:
    """One policy, then the implicit deny, and a packet to a web server."""
    assert wanted == answer(policies(policy(1, **settings)))


def test_the_order_is_that_of_the_table_not_of_the_numbers() -> None:
    """Until `move` changes it."""
    deny, accept = policy(9, action="deny"), policy(1)
    assert (Answer.DROP, Answer.ACCEPT) == (
        answer(policies(deny, accept)),
        answer(policies(deny, accept, "    move 1 before 9\n")),
    )


def test_a_zone_stands_for_its_interfaces() -> None:
    """Between them traffic needs no policy where the zone allows it."""
    zone = "config system zone\n    edit inside\n        set interface lan1 lan2\n    next\nend\n"
    text = policies(policy(1, srcintf="inside"), before=FACES + zone)
    assert [Answer.ACCEPT, Answer.ACCEPT, Answer.DROP] == [
        answer(text, way=("lan2", "dmz")),
        answer(text, way=("inside", "dmz")),
        answer(text, way=("lan1", "lan2")),
    ]
    assert Answer.ACCEPT == answer(
        text.replace("        set interface", "        set intrazone allow\n        set interface"),
        way=("lan1", "lan2"),
    )


VIP = """config firewall vip
    edit "public"
        set extip 203.0.113.3
        set mappedip "192.0.2.10"
        set extintf "wan1"
        set portforward enable
        set extport 8443
        set mappedport 443
    next
end
"""


def test_a_policy_that_names_a_virtual_ip_sees_the_servers_port() -> None:
    """The destination is translated before the policies."""
    text = policies(policy(1, dstaddr="public"), before=FACES + VIP)
    assert (Answer.ACCEPT, Answer.DROP) == (
        answer(text, "203.0.113.3", dport=8443),
        answer(text, "203.0.113.3", dport=443),
    )
    assert Answer.DROP == answer(
        policies(policy(1, dstaddr="public", service="HTTP"), before=FACES + VIP), "203.0.113.3", dport=8443
    )


@pytest.mark.parametrize(
    ("version", "said", "wanted"),
    [
        ("7.2.5", "", Answer.DROP),
        ("7.0.9", "", Answer.UNKNOWN),
        ("7.0.9", "enable", Answer.DROP),
        ("7.2.5", "disable", Answer.UNKNOWN),
    ],
)
def test_a_denial_may_not_match_what_is_redirected(version: str, said: str, wanted: Answer) -> None:
    """`match-vip`: off until 7.2.4; a later policy then lets it pass all the same."""
    head = f"#config-version=FGT60F-{version}-FW-build1517-230606:opmode=0:vdom=0\n"
    deny = policy(1, action="deny", srcaddr="bad", dstaddr="all", service="ALL", match_vip=said)
    text = head + policies(deny, policy(2, dstaddr="public"), before=FACES + VIP)
    assert wanted == answer(text, "203.0.113.3", dport=8443)
    assert Answer.DROP == answer(text, "192.0.2.11", dport=22)


def test_with_central_nat_policies_see_servers_alone() -> None:
    """Virtual IPs then redirect for all, and denials match."""
    central = "config system settings\n    set central-nat enable\nend\n"
    text = policies(policy(1), before=FACES + VIP + central)
    assert Answer.ACCEPT == answer(text, "203.0.113.3", dport=8443)
    deny = policy(2, action="deny", dstaddr="all", service="ALL")
    assert Answer.DROP == answer(
        policies(deny, policy(1), before=FACES + VIP + central), "203.0.113.3", dport=8443
    )


def test_source_nat_by_policies() -> None:
    """By the interface's address, or by a pool."""
    pool = (
        "config firewall ippool\n    edit p\n        set startip 203.0.113.4\n"
        "        set endip 203.0.113.5\n    next\nend\n"
    )
    text = policies(
        policy(1, nat="enable"), policy(2, nat="enable", ippool="enable", poolname="p"), before=FACES + pool
    )
    first, second = FORTIOS.read(text).nat
    assert (NatKind.MASQUERADE, NatKind.SNAT, "203.0.113.4/31") == (first.kind, second.kind, str(second.to))


def test_ipv6_is_judged_by_its_own_addresses_of_a_policy() -> None:
    """In one table since 6.4, in a table of its own before."""
    six = "config firewall address6\n    edit web6\n        set ip6 2001:db8::10/128\n    next\nend\n"
    one = policies(policy(1, srcaddr6="all", dstaddr6="web6"), before=FACES + six)
    apart = policies(policy(1), before=FACES + six) + (
        "config firewall policy6\n" + policy(1, dstaddr="web6") + "end\n"
    )
    for text in (one, apart):
        assert [Answer.ACCEPT, Answer.ACCEPT, Answer.DROP] == [
            answer(text),
            answer(text, "2001:db8::10", source="2001:db8:5::1"),
            answer(text, "2001:db8::11", source="2001:db8:5::1"),
        ]


def test_each_virtual_domain_judges_its_own_interfaces() -> None:
    """One firewall in the other's text."""
    text = (
        "config vdom\nedit A\nnext\nedit B\nnext\nend\nconfig global\nconfig system interface\n"
        '    edit "a1"\n        set vdom A\n    next\n    edit "a2"\n        set vdom A\n    next\n'
        '    edit "b1"\n        set vdom B\n    next\nend\nend\nconfig vdom\nedit A\n'
        + policies(policy(1, srcintf="any", dstintf="any", dstaddr="all"), before="")
        + "next\nedit B\nend\n"
    )
    assert (Answer.ACCEPT, Answer.DROP) == (answer(text, way=("a1", "a2")), answer(text, way=("b1", "a2")))


def test_what_is_for_the_firewall_itself() -> None:
    """Local-in policies, then what interfaces allow, from trusted hosts where every administrator has some."""
    local = (
        "config firewall local-in-policy\n    edit 1\n        set intf lan1\n        set srcaddr web\n"
        "        set dstaddr all\n        set service ALL\n        set schedule always\n    next\nend\n"
    )
    admins = "config system admin\n    edit a\n        set trusthost1 10.1.0.0 255.255.0.0\n    next\nend\n"
    text = FACES + local + admins
    own = {"target": "10.1.0.1", "dport": 22, "hook": Hook.INPUT}
    assert [Answer.ACCEPT, Answer.DROP, Answer.DROP, Answer.DROP] == [
        answer(text, way=("lan1", ""), source="10.1.0.9", **own),  # type: ignore[arg-type]
        answer(text, way=("lan1", ""), source="192.0.2.10", **own),  # type: ignore[arg-type]
        answer(text, way=("lan1", ""), source="10.7.0.9", **own),  # type: ignore[arg-type]
        answer(text, way=("wan1", ""), source="10.1.0.9", **own),  # type: ignore[arg-type]
    ]


def test_multicast_policies_leave_what_is_sent_to_many_in_doubt() -> None:
    """And nothing else."""
    many = (
        "config firewall multicast-policy\n    edit 1\n        set srcintf wan1\n"
        "        set dstintf dmz\n    next\nend\n"
    )
    text = policies(policy(1), before=FACES + many)
    assert (Answer.UNKNOWN, Answer.ACCEPT) == (answer(text, "224.0.0.9", proto=17), answer(text))


def test_a_disabled_policy_keeps_its_line() -> None:
    """It is in the model, and does nothing."""
    read = FORTIOS.read(policies(policy(1, status="disable"), policy(2)))
    assert [Action.CONTINUE, Action.ACCEPT] == [rule.action for rule in read.chains["policy"].rules]


def test_a_quote_may_go_on_over_lines() -> None:
    """And holds no commands."""
    text = 'config system replacemsg mail x\n    set buffer "<p>\nconfig firewall policy\n    edit 7\n\\"</p>"\nend\n'
    read = FORTIOS.read(text + policies(policy(1)))
    assert (1, ()) == (len(read.chains["policy"].rules), read.unread)


def test_another_kind_forgets_what_the_old_one_was_given() -> None:
    """As on the device: the number of a protocol goes with the protocol."""
    service = (
        "config firewall service custom\n    edit x\n        set protocol IP\n        set protocol-number 47\n"
        "        set protocol ICMP\n        set protocol IP\n    next\nend\n"
    )
    assert Answer.ACCEPT == answer(policies(policy(1, service="x"), before=FACES + service))
