"""What PAN-OS does with a packet, and what a change of it does: by the analysis, on our own configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.analysis.what_if import Coverage, what_if
from fwguard.dialects.panos import PANOS
from fwguard.dialects.panos.predefined import DEFAULT_PORTS, EXACT, SERVICES
from fwguard.dialects.service_words import services_of
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook, NatKind, Policy
from fwguard.model.ports import GRE, ICMP, ICMPV6, SCTP, TCP, UDP, icmp_types

GOLDEN = Path(__file__).parents[2] / "golden" / "panos"
FORMS = {name: next((GOLDEN / name).glob("input.*")).read_text() for name in ("office", "office-xml")}


def ask(text: str | Policy, target: str, *, dport: int = 80, ingress: str = "untrust", egress: str = "dmz",
        source: str = "198.51.100.7", protocol: int = TCP, hook: Hook = Hook.FORWARD) -> Answer:  # fmt: skip
    """Return what happens to a packet, with its original addresses and the zones that it comes and leaves by."""
    policy = PANOS.read(text) if isinstance(text, str) else text
    packet = Packet(
        source=source, target=target, protocol=protocol, dport=dport, sport=40000, ingress=ingress,
        egress=egress if hook is Hook.FORWARD else "", hook=hook,
    )  # fmt: skip
    return verdict(policy, packet).answer


def golden(name: str) -> str:
    return next((GOLDEN / name).glob("input.*")).read_text()


def rule(*more: str, name: str = "r", **values: str) -> str:
    """A rule that allows everything between two zones, with some values changed."""
    said = {"from": "a", "to": "b", "source": "any", "destination": "any", "application": "any", "service": "any",
            "action": "allow", **{key.replace("_", "-"): value for key, value in values.items()}}  # fmt: skip
    lines = [f"set rulebase security rules {name} {key} {value}" for key, value in said.items() if value]
    zones = ["set zone a network layer3 ethernet1/1", "set zone b network layer3 ethernet1/2"]
    return "\n".join([*zones, *lines, *more, ""])


@pytest.mark.parametrize("form", FORMS)
def test_rules_see_the_address_as_the_connection_comes(form: str) -> None:
    """The rule names the public address, and the zone where the server really is."""
    policy = PANOS.read(FORMS[form])
    assert Answer.ACCEPT == ask(policy, "203.0.113.5")
    assert Answer.DROP == ask(policy, "10.0.2.10")
    assert Answer.DROP == ask(policy, "203.0.113.5", dport=81)
    assert Answer.ACCEPT == ask(policy, "192.0.2.1", ingress="trust", egress="untrust", source="10.0.1.5")


def test_swapped_addresses_are_judged_as_they_come() -> None:
    """Two translations that exchange two addresses."""
    text = rule(destination="192.0.2.1") + "".join(
        f"set rulebase nat rules {name} {words}\n"
        for name, one, other in (("x", "192.0.2.1", "192.0.2.2"), ("y", "192.0.2.2", "192.0.2.1"))
        for words in ("from any", "to any", "source any", f"destination {one}", "service any",
                      f"destination-translation translated-address {other}")
    )  # fmt: skip
    assert Answer.ACCEPT == ask(text, "192.0.2.1", ingress="a", egress="b")
    assert Answer.DROP == ask(text, "192.0.2.2", ingress="a", egress="b")


def test_within_a_zone_all_is_allowed_and_between_zones_nothing() -> None:
    """Until the default rules say otherwise."""
    text = rule(destination="192.0.2.1")
    assert Answer.ACCEPT == ask(text, "192.0.2.9", ingress="a", egress="a")
    assert Answer.DROP == ask(text, "192.0.2.9", ingress="a", egress="b")
    other = "set rulebase default-security-rules rules {}-default action {}\n"
    assert Answer.DROP == ask(text + other.format("intrazone", "deny"), "192.0.2.9", ingress="a", egress="a")
    assert Answer.ACCEPT == ask(
        text + other.format("interzone", "allow"), "192.0.2.9", ingress="a", egress="b"
    )


def test_rule_types() -> None:
    """Universal is both, intrazone within, interzone between."""
    policy = PANOS.read(golden("rule-types"))
    wanted = {
        ("10.0.0.1", "a", "a"): Answer.ACCEPT, ("10.0.0.1", "a", "b"): Answer.ACCEPT,
        ("10.0.0.2", "c", "c"): Answer.ACCEPT, ("10.0.0.2", "a", "b"): Answer.DROP,
        ("10.0.0.3", "a", "b"): Answer.REJECT, ("10.0.0.3", "a", "a"): Answer.DROP,
        ("10.0.0.4", "c", "b"): Answer.ACCEPT, ("10.0.0.4", "c", "c"): Answer.DROP,
        ("10.0.0.9", "a", "b"): Answer.DROP,
    }  # fmt: skip
    assert wanted == {
        (to, start, end): ask(policy, to, ingress=start, egress=end) for to, start, end in wanted
    }


def test_a_disabled_rule_lets_nothing_in() -> None:
    """And is a difference all the same."""
    on, off = rule(), rule(disabled="yes")
    assert (Answer.ACCEPT, Answer.DROP) == tuple(
        ask(text, "192.0.2.1", ingress="a", egress="b") for text in (on, off)
    )
    assert PANOS.canonical(on) != PANOS.canonical(off)


@pytest.mark.parametrize(
    "values",
    [
        {"application": "facebook-base"},
        {"service": "application-default"},
        {"source_user": "corp\\alice"},
        {"category": "gambling"},
        {"schedule": "night"},
        {"source": "www"},
        {"source": "RU"},
        {"service": "nowhere"},
        {"hip_profiles": "patched"},
        {"action": "perhaps"},
        {"service": ""},
        {"moon": "full"},
    ],
)
def test_what_a_first_packet_does_not_show_is_unknown(values: dict[str, str]) -> None:
    """Never a silent permit."""
    text = rule("set address www fqdn www.example.com", **values)
    assert Answer.UNKNOWN == ask(text, "192.0.2.1", ingress="a", egress="b")


def test_an_application_that_the_packet_shows_is_certain() -> None:
    """Echo requests are `ping`; nothing else is."""
    policy = PANOS.read(rule(application="ping"))
    packet = Packet(
        source="10.0.0.1", target="10.0.0.2", protocol=ICMP, ingress="a", egress="b", icmp_type=8 << 8
    )
    assert Answer.ACCEPT == verdict(policy, packet).answer
    assert Answer.DROP == verdict(policy, replace(packet, icmp_type=13 << 8)).answer
    assert Answer.DROP == ask(policy, "10.0.0.2", ingress="a", egress="b")


def test_default_ports_are_the_most_that_an_application_uses() -> None:
    """Off its ports it surely does not pass; on them it may."""
    policy = PANOS.read(rule(application="ssh", service="application-default"))
    assert Answer.UNKNOWN == ask(policy, "10.0.0.2", dport=22, ingress="a", egress="b")
    assert Answer.DROP == ask(policy, "10.0.0.2", dport=23, ingress="a", egress="b")


def test_an_ipv6_prefix_that_holds_all_holds_ipv4() -> None:
    """As the vendor says; a narrower one does not."""
    assert Answer.ACCEPT == ask(rule(source="::/0"), "10.0.0.2", ingress="a", egress="b")
    assert Answer.DROP == ask(rule(source="2000::/3"), "10.0.0.2", ingress="a", egress="b")


def test_virtual_systems_both_judge_what_crosses_them() -> None:
    """Out by an external zone of one, in by an external zone of the other."""
    policy = PANOS.read(golden("virtual-systems"))
    over = {"ingress": "vsys1/inside", "egress": "vsys2/inside", "source": "10.1.0.5"}
    assert Answer.ACCEPT == ask(policy, "10.2.0.5", dport=443, **over)  # type: ignore[arg-type]
    assert Answer.DROP == ask(policy, "10.2.0.5", dport=80, **over)  # type: ignore[arg-type]
    assert Answer.DROP == ask(policy, "10.2.0.6", dport=443, **over)  # type: ignore[arg-type]
    assert Answer.DROP == ask(policy, "10.1.0.5", dport=443, ingress="vsys2/inside", egress="vsys1/inside")
    assert Answer.DROP == ask(policy, "10.1.0.5", dport=443, ingress="nowhere", egress="vsys1/inside")


def test_device_groups_are_several_firewalls() -> None:
    """What all of them do is certain; where they differ nobody knows which is asked about."""
    text = golden("device-groups")
    policy = PANOS.read(text)
    assert Answer.DROP == ask(policy, "10.0.0.9", ingress="Z1", egress="Z2")
    assert Answer.ACCEPT == ask(policy, "10.0.2.9", dport=443, ingress="Z1", egress="Z2")
    assert Answer.ACCEPT == ask(policy, "10.0.1.9", ingress="Z1", egress="Z2")
    other = text.replace("lyon pre-rulebase security rules own destination 10.0.2.9",
                         "lyon pre-rulebase security rules own destination 10.0.3.9")  # fmt: skip
    assert Answer.UNKNOWN == ask(other, "10.0.2.9", dport=443, ingress="Z1", egress="Z2")


def test_the_firewall_itself_is_reached_by_profile_and_rule() -> None:
    """From the sources of the profile, where the rules let it; the management port by its own list."""
    policy = PANOS.read(golden("management"))
    inside = {"ingress": "inside", "hook": Hook.INPUT}
    assert Answer.ACCEPT == ask(policy, "10.1.0.1", dport=22, source="10.1.0.5", **inside)  # type: ignore[arg-type]
    assert Answer.DROP == ask(policy, "10.1.0.1", dport=443, source="10.1.0.5", **inside)  # type: ignore[arg-type]
    assert Answer.DROP == ask(policy, "10.1.0.1", dport=22, source="10.9.0.5", **inside)  # type: ignore[arg-type]
    assert Answer.DROP == ask(policy, "10.1.0.1", dport=22, source="10.1.0.5", hook=Hook.INPUT)
    assert Answer.ACCEPT == ask(
        policy, "192.0.2.10", dport=22, source="192.0.2.3", ingress="management", hook=Hook.INPUT
    )


def test_translations_keep_their_order_and_say_what_they_do() -> None:
    """Pushed rules first; both directions of a static one; no-NAT; what goes between IP versions."""
    kinds = [(one.line, one.kind) for one in PANOS.read(golden("nat")).nat]
    assert [NatKind.DNAT, NatKind.EXEMPT, NatKind.DNAT, NatKind.DNAT, NatKind.UNKNOWN, NatKind.SNAT,
            NatKind.MASQUERADE, NatKind.SNAT] == [kind for _, kind in kinds]  # fmt: skip


@pytest.mark.parametrize("table", [SERVICES, EXACT], ids=["services", "applications"])
def test_every_built_in_name_means_something(table: dict[str, str]) -> None:
    """No entry of the tables is misspelt."""
    for name, words in table.items():
        assert services_of(words, name).sure, name
    assert all(words.split() for words in DEFAULT_PORTS.values())


def https(source: str = "198.51.100.0/24", target: str = "10.0.2.20", **others: object) -> Opening:
    """An opening of the office's inner server."""
    values = {"protocol": TCP, "ports": Intervals.single(443), **others}
    return Opening(source=AddressSet.parse(source), target=AddressSet.parse(target), **values)  # type: ignore[arg-type]


OPENINGS = [
    https(),
    https("any"),
    https("198.51.100.7-198.51.100.12", ports=Intervals.of((22, 22), (8000, 8010))),
    https("2001:db8:9::/64", "2001:db8:2::10"),
    https("any", "2001:db8:2::10", protocol=ICMPV6, ports=icmp_types(128, 128)),
    https("0.0.0.0/0", protocol=ICMP, ports=icmp_types(8, 8)),
    https(protocol=ICMP, ports=Intervals()),
    https(protocol=GRE, ports=Intervals()),
    https(protocol=SCTP, ports=Intervals.single(36412)),
    https("10.0.1.0/24", "10.0.2.20-10.0.2.22", protocol=UDP, ports=Intervals.of((1, 65535))),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("one", OPENINGS)
def test_a_change_opens_what_was_asked_and_nothing_wider(form: str, one: Opening) -> None:
    """Between the zones that the routes say, and it goes again without a trace."""
    text, change = FORMS[form], Change(tag="CHG-1", openings=(one,))
    edit = PANOS.write(change, text)
    found = what_if(PANOS.read(text), PANOS.read(edit.after), (one,))
    assert Coverage.ALL is not found.already
    assert found.opens and not found.wider_than_asked and not found.closes and not found.undecided
    assert {"dmz"} == {name for box in found.opens for name in box.egress.names}
    gone = PANOS.write(replace(change, remove=True), edit.after)
    assert PANOS.canonical(text) == PANOS.canonical(gone.after)


def test_the_forms_are_changed_alike() -> None:
    """The same change in two forms is one difference."""
    change = Change(tag="CHG-1", openings=tuple(OPENINGS[:3]), redirections=(REDIRECTION,))
    after = [PANOS.canonical(PANOS.write(change, text).after).split("\n") for text in FORMS.values()]
    assert {"mgt-config users admin", "shared"} == set(after[1]) - set(after[0])
    assert set(after[0]) <= set(after[1])


REDIRECTION = Redirection(
    protocol=TCP, public="203.0.113.9", public_port=8443, inner="10.0.2.20", inner_port=443
)


@pytest.mark.parametrize("form", FORMS)
def test_a_redirection_is_let_in_by_its_public_address(form: str) -> None:
    """Since that is what the rules see; the opening itself is there too."""
    change = Change(tag="CHG-2", openings=(https(),), redirections=(REDIRECTION,))
    edit = PANOS.write(change, FORMS[form])
    assert Answer.DROP == ask(FORMS[form], "203.0.113.9", dport=8443)
    assert Answer.ACCEPT == ask(edit.after, "203.0.113.9", dport=8443)
    assert Answer.ACCEPT == ask(edit.after, "10.0.2.20", dport=443)
    first = PANOS.read(edit.after).nat[0]
    assert ("10.0.2.20", "443") == (str(first.to), str(first.to_ports.first))
    gone = PANOS.write(replace(change, remove=True), edit.after)
    assert PANOS.canonical(FORMS[form]) == PANOS.canonical(gone.after)


def test_an_opening_of_a_public_address_leads_to_the_zone_of_its_server() -> None:
    """The zone that a connection leaves by is the one after NAT."""
    edit = PANOS.write(Change(tag="CHG-3", openings=(https(target="203.0.113.5"),)), FORMS["office"])
    assert "+ set rulebase security rules fw_CHG-3 to dmz" in edit.shown.split("\n")


def test_the_commands_shown_do_what_the_text_does() -> None:
    """Pasted at the end of the configuration, they make the same device."""
    change = Change(tag="CHG-4", openings=tuple(OPENINGS[:2]), redirections=(REDIRECTION,))
    edit = PANOS.write(change, FORMS["office"])
    pasted = FORMS["office"] + "".join(f"{line[2:]}\n" for line in edit.shown.split("\n"))
    assert PANOS.canonical(edit.after) == PANOS.canonical(pasted)


def test_an_address_that_is_the_name_of_an_object_gets_an_object_of_its_own() -> None:
    """The name would count, not the address."""
    text = FORMS["office"] + "set address 10.0.2.20 ip-netmask 192.0.2.99\n"
    edit = PANOS.write(Change(tag="CHG-5", openings=(https(),)), text)
    assert not what_if(PANOS.read(text), PANOS.read(edit.after), (https(),)).wider_than_asked
    assert "+ set address fw_CHG-5_a1 ip-netmask 10.0.2.20" in edit.shown.split("\n")


def test_a_device_group_is_changed_in_its_own_rules() -> None:
    """Of a Panorama with one; behind a rule of all it is refused."""
    text = "\n".join(line for line in golden("device-groups").split("\n") if "lyon" not in line)
    edit = PANOS.write(Change(tag="CHG-6", openings=(https(),)), text)
    assert "+ set device-group paris pre-rulebase security rules fw_CHG-6 action allow" in edit.shown.split(
        "\n"
    )
    assert Answer.ACCEPT == ask(edit.after, "10.0.2.20", dport=443, ingress="Z1", egress="Z2")
    with pytest.raises(InputError, match="denies it before"):
        PANOS.write(Change(tag="CHG-7", openings=(https(target="10.0.0.9"),)), text)


def test_a_change_that_has_no_place_is_refused() -> None:
    """A tag that stands, one that does not, braces, several firewalls, ports that no rule can say."""
    text = FORMS["office"]
    after = PANOS.write(Change(tag="A", openings=(https(),)), text).after
    six = Redirection(
        protocol=TCP, public="2001:db8:f::9", public_port=1, inner="2001:db8:2::9", inner_port=1
    )
    for change, where in [
        (Change(tag="A", openings=(https(),)), after),
        (Change(tag="B", remove=True), after),
        (Change(tag="C", openings=(https(),)), golden("nat")),
        (Change(tag="D", openings=(https(),)), golden("device-groups")),
        (Change(tag="E", openings=(https(protocol=ICMP, ports=icmp_types(13, 13)),)), text),
        (Change(tag="F", redirections=(six,)), text),
        (Change(tag="G", openings=(https("::/8", "2001:db8:2::9"),)), text),
    ]:
        with pytest.raises(InputError):
            PANOS.write(change, where)


@pytest.mark.parametrize(
    "text",
    ["", "hello world\n", "\x00\x01", "config {\n devices {\n", "<config><devices>", "<configuration/>", "{" * 10_000,
     "set " + "x" * 300_000, "set rulebase [ a b\n"],
)  # fmt: skip
def test_what_is_no_configuration_is_refused_with_a_line(text: str) -> None:
    """Wrong, half, binary, endless."""
    for act in (PANOS.read, PANOS.canonical):
        with pytest.raises(UnreadableError, match="line"):
            act(text)


WORDS = st.sampled_from(
    [
        "set", "move", "delete", "rulebase", "pre-rulebase", "security", "nat", "rules", "r", "s", "from", "to", "any",
        "source", "destination", "service", "application", "action", "allow", "address", "address-group", "static",
        "a", "b", "zone", "network", "layer3", "external", "vsys", "vsys1", "vsys2", "device-group", "devices",
        "shared", "template", "config", "static-ip", "source-translation", "translated-address", "10.0.0.0/8",
        "interface", "ethernet", "ip", "virtual-router", "routing-table", "static-route", "top", "before", "{", "}",
        ";", "[", "]", "rule-type", "intrazone", "disabled", "yes", "readonly", "parent-dg",
    ]
)  # fmt: skip


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=12).map("\n".join))
@settings(max_examples=150, deadline=None)
def test_any_words_are_read_or_refused(text: str) -> None:
    """Never anything else, and what is read is a policy that compares equal to itself."""
    try:
        policy = PANOS.read(text)
    except UnreadableError:
        return
    assert not compare(policy, PANOS.read(text)).opens
