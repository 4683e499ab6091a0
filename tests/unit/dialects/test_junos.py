"""What an SRX does with a packet, and what a change of one does: by the analysis, on our own configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.query import verdict
from fwguard.analysis.what_if import Coverage, Outcome, what_if
from fwguard.dialects.junos import JUNOS
from fwguard.dialects.junos.predefined import APPLICATIONS, ROUTING_PROTOCOLS, SYSTEM_SERVICES
from fwguard.dialects.service_words import services_of
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Action, Hook, Policy
from fwguard.model.ports import GRE, ICMP, ICMPV6, TCP, UDP, icmp_types

GOLDEN = Path(__file__).parents[2] / "golden" / "junos"
FORMS = {
    name: (GOLDEN / name).glob("input.*").__next__().read_text()
    for name in ("office", "office-braces", "office-xml")
}


def ask(text: str | Policy, target: str, *, dport: int = 80, ingress: str = "untrust", egress: str = "dmz",
        source: str = "198.51.100.7", protocol: int = TCP, hook: Hook = Hook.FORWARD) -> Answer:  # fmt: skip
    """Return what happens to a packet."""
    policy = JUNOS.read(text) if isinstance(text, str) else text
    packet = Packet(
        source=source, target=target, protocol=protocol, dport=dport, sport=40000, ingress=ingress,
        egress=egress if hook is Hook.FORWARD else "", hook=hook,
    )  # fmt: skip
    return verdict(policy, packet).answer


def golden(name: str) -> str:
    return next((GOLDEN / name).glob("input.*")).read_text()


@pytest.mark.parametrize("form", FORMS)
def test_zone_pairs_then_global_then_default(form: str) -> None:
    """In each of the three forms."""
    policy = JUNOS.read(FORMS[form])
    assert Answer.ACCEPT == ask(policy, "10.0.2.10")
    assert Answer.DROP == ask(policy, "10.0.2.10", dport=81)
    assert Answer.ACCEPT == ask(policy, "192.0.2.1", ingress="trust", egress="untrust", source="10.0.1.5")
    assert Answer.DROP == ask(policy, "10.0.2.10", ingress="trust", source="10.0.1.5")
    assert Answer.DROP == ask(policy, "10.0.1.9", ingress="trust", egress="trust", source="10.0.1.5")


@pytest.mark.parametrize("form", FORMS)
def test_destination_nat_comes_before_the_policies(form: str) -> None:
    """The public address leads to the server that the policy names."""
    assert Answer.ACCEPT == ask(FORMS[form], "203.0.113.5")
    assert Answer.DROP == ask(FORMS[form], "203.0.113.6")


@pytest.mark.parametrize("form", FORMS)
def test_the_device_itself_is_guarded_by_its_zones(form: str) -> None:
    """An interface says what it accepts."""
    policy = JUNOS.read(FORMS[form])
    assert Answer.ACCEPT == ask(policy, "10.0.1.1", dport=22, ingress="trust", hook=Hook.INPUT)
    assert Answer.DROP == ask(policy, "203.0.113.2", dport=22, hook=Hook.INPUT)


def test_policies_to_the_device_judge_besides_its_services() -> None:
    """A zone with such a policy lets in only what both let in; a zone without, what its services let in."""
    policy = JUNOS.read(golden("host-inbound"))
    assert Answer.ACCEPT == ask(
        policy, "10.1.0.1", dport=22, ingress="trust", source="10.1.0.5", hook=Hook.INPUT
    )
    assert Answer.DROP == ask(
        policy, "10.1.0.1", dport=22, ingress="trust", source="10.1.0.6", hook=Hook.INPUT
    )
    assert Answer.ACCEPT == ask(policy, "192.0.2.9", dport=22, ingress="management", hook=Hook.INPUT)
    assert Answer.UNKNOWN == ask(policy, "203.0.113.2", dport=500, protocol=UDP, hook=Hook.INPUT)


def test_an_inactive_policy_lets_nothing_in() -> None:
    """And is a difference all the same."""
    text = golden("global-and-default").replace("permit-all", "deny-all")
    off = text + "deactivate security policies from-zone a to-zone a policy same\n"
    assert Answer.ACCEPT == ask(text, "10.0.0.1", ingress="a", egress="a")
    assert Answer.DROP == ask(off, "10.0.0.1", ingress="a", egress="a")
    assert JUNOS.canonical(text) != JUNOS.canonical(off)


def test_a_moved_policy_decides_where_it_stands() -> None:
    """`insert` as the device runs it."""
    moved = (
        FORMS["office"]
        + "insert security policies from-zone untrust to-zone dmz policy deny before policy http\n"
    )
    assert Answer.DROP == ask(moved, "10.0.2.10")


def test_a_filter_of_the_interface_judges_before_the_policies() -> None:
    """What it does not accept is discarded; what NAT rewrites it is unknown for."""
    policy = JUNOS.read(golden("filters"))
    permitting = replace(
        policy,
        chains={**policy.chains, "policies": replace(policy.chains["policies"], default=Action.ACCEPT)},
    )
    # ICMP does not match any term of the filter; the outer interface is the only one of its zone.
    assert Answer.DROP == ask(permitting, "10.2.0.9", protocol=ICMP, egress="trust")
    assert Answer.UNKNOWN == ask(permitting, "203.0.113.5", egress="trust")


@pytest.mark.parametrize(
    "lines",
    [
        "set security policies from-zone a to-zone b policy p match source-address NOWHERE\n",
        "set security policies from-zone a to-zone b policy p match application NOTHING\n",
        "set security policies from-zone a to-zone b policy p match url-category Gambling\n",
        "set security policies from-zone a to-zone b policy p scheduler-name night\n",
        "set security policies from-zone a to-zone b policy p match phase-of-moon full\n",
        "set security policies from-zone a to-zone b policy p then permit moonlight\n",
    ],
)
def test_what_cannot_be_decided_is_unknown(lines: str) -> None:
    """Never a silent permit: a policy that permits anything, with one condition more."""
    text = "set security zones security-zone a interfaces ge-0/0/1.0\n" + "".join(
        f"set security policies from-zone a to-zone b policy p {words}\n"
        for words in ("match source-address any", "match destination-address any", "then permit")
    )
    if "match application" not in lines:
        text += "set security policies from-zone a to-zone b policy p match application any\n"
    if "source-address" in lines:
        text = text.replace(
            "set security policies from-zone a to-zone b policy p match source-address any\n", ""
        )
    assert Answer.UNKNOWN == ask(text + lines, "10.0.0.1", ingress="a", egress="b")


@pytest.mark.parametrize(
    "table", [APPLICATIONS, SYSTEM_SERVICES, ROUTING_PROTOCOLS], ids=["apps", "host", "routing"]
)
def test_every_built_in_name_means_something(table: dict[str, str]) -> None:
    """No entry of the tables is misspelt."""
    for name, words in table.items():
        assert services_of(words, name).most, name


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
    https("0.0.0.0/0", protocol=ICMP, ports=Intervals.single(8 << 8, (3 << 8) + 4)),
    https(protocol=GRE, ports=Intervals()),
    https(protocol=UDP, ports=Intervals()),
    https("10.0.1.0/24", "10.0.2.20-10.0.2.22"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("one", OPENINGS)
def test_a_change_opens_what_was_asked_and_nothing_wider(form: str, one: Opening) -> None:
    """Between the zones that the routes say, and it goes again without a trace."""
    text, change = FORMS[form], Change(tag="CHG-1", openings=(one,))
    edit = JUNOS.write(change, text)
    found = what_if(JUNOS.read(text), JUNOS.read(edit.after), (one,))
    assert Coverage.ALL is not found.already
    assert found.opens and not found.wider_than_asked and not found.closes and not found.undecided
    assert {"dmz"} == {name for box in found.opens for name in box.egress.names}
    gone = JUNOS.write(replace(change, remove=True), edit.after)
    assert JUNOS.canonical(text) == JUNOS.canonical(gone.after)
    assert edit.shown.count("\n") and all(
        line[:2] in ("+ ", "- ") for line in (edit.shown + "\n" + gone.shown).split("\n")
    )


def test_the_forms_are_changed_alike() -> None:
    """The same change in three forms is one difference."""
    change = Change(tag="CHG-1", openings=tuple(OPENINGS[:3]), redirections=(REDIRECTION,))
    assert 1 == len({JUNOS.canonical(JUNOS.write(change, text).after) for text in FORMS.values()})


REDIRECTION = Redirection(
    protocol=TCP, public="203.0.113.9", public_port=8443, inner="10.0.2.20", inner_port=443
)


@pytest.mark.parametrize("form", FORMS)
def test_a_redirection_leads_to_the_server(form: str) -> None:
    """Together with the opening that lets it pass."""
    change = Change(tag="CHG-2", openings=(https(),), redirections=(REDIRECTION,))
    edit = JUNOS.write(change, FORMS[form])
    assert Answer.DROP == ask(FORMS[form], "203.0.113.9", dport=8443)
    assert Answer.ACCEPT == ask(edit.after, "203.0.113.9", dport=8443)
    assert Answer.ACCEPT == ask(edit.after, "203.0.113.5", dport=80)
    gone = JUNOS.write(replace(change, remove=True), edit.after)
    assert JUNOS.canonical(FORMS[form]) == JUNOS.canonical(gone.after)


def test_a_first_redirection_brings_its_rule_set() -> None:
    """Where there was no NAT at all, none is left."""
    text = "\n".join(line for line in FORMS["office"].split("\n") if "nat destination" not in line)
    change = Change(tag="CHG-3", redirections=(REDIRECTION,))
    edit = JUNOS.write(change, text)
    assert "+ set security nat destination rule-set fw_CHG-3 from zone untrust" in edit.shown.split("\n")
    assert text == JUNOS.write(replace(change, remove=True), edit.after).after


def test_the_commands_shown_do_what_the_text_does() -> None:
    """Pasted at the end of the configuration, they make the same device."""
    change = Change(tag="CHG-4", openings=tuple(OPENINGS[:2]), redirections=(REDIRECTION,))
    edit = JUNOS.write(change, FORMS["office"])
    pasted = FORMS["office"] + "".join(f"{line[2:]}\n" for line in edit.shown.split("\n"))
    assert JUNOS.canonical(edit.after) == JUNOS.canonical(pasted)


def test_without_routes_it_is_a_global_policy_and_one_before_what_denies() -> None:
    """Nobody can tell the zones then."""
    text = "\n".join(line for line in FORMS["office"].split("\n") if " family inet" not in line)
    edit = JUNOS.write(Change(tag="CHG-5", openings=(https(),)), text)
    found = what_if(JUNOS.read(text), JUNOS.read(edit.after), (https(),))
    assert "policies global policy fw_CHG-5 then permit" in edit.shown
    assert (
        "insert security policies from-zone untrust to-zone dmz policy fw_CHG-5 before policy deny"
        in edit.shown
    )
    assert (Coverage.ALL, Outcome.EXACT) == (found.then, found.outcome)


def test_a_change_that_has_no_place_is_refused() -> None:
    """A tag that stands, a tag that does not, an inactive part, ports of what has none."""
    text = FORMS["office"]
    after = JUNOS.write(Change(tag="A", openings=(https(),)), text).after
    inactive = text + "deactivate security policies from-zone untrust to-zone dmz\n"
    for change, where in [
        (Change(tag="A", openings=(https(),)), after),
        (Change(tag="B", remove=True), after),
        (Change(tag="C", openings=(https(),)), inactive),
        (Change(tag="D", openings=(https(protocol=GRE),)), text),
    ]:
        with pytest.raises(InputError):
            JUNOS.write(change, where)


@pytest.mark.parametrize(
    "text",
    ["", "hello world\n", "\x00\x01", "security {\n policies {\n", "<configuration><security>", "<config/>",
     "{" * 10_000, "set " + "x" * 300_000, "set security policies [ a b\n"],
)  # fmt: skip
def test_what_is_no_configuration_is_refused_with_a_line(text: str) -> None:
    """Wrong, half, binary, endless."""
    for act in (JUNOS.read, JUNOS.canonical):
        with pytest.raises(UnreadableError, match="line"):
            act(text)


WORDS = st.sampled_from(
    [
        "set", "deactivate", "delete", "insert", "security", "policies", "from-zone", "a", "to-zone", "b", "policy",
        "p", "match", "then", "permit", "any", "global", "source-address", "address-book", "address", "address-set",
        "s", "nat", "source", "destination", "rule-set", "r", "rule", "pool", "10.0.0.0/8", "zones", "security-zone",
        "host-inbound-traffic", "system-services", "all", "except", "applications", "application", "protocol", "tcp",
        "term", "apply-groups", "groups", "g", "firewall", "filter", "family", "inet", "from", "interfaces",
        "ge-0/0/0", "unit", "0", "before", "{", "}", ";", "[", "]",
    ]
)  # fmt: skip


@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=12).map("\n".join))
@settings(max_examples=150, deadline=None)
def test_any_words_are_read_or_refused(text: str) -> None:
    """Never anything else, and what is read is a policy that compares equal to itself."""
    try:
        policy = JUNOS.read(text)
    except UnreadableError:
        return
    assert not compare(policy, JUNOS.read(text)).opens
