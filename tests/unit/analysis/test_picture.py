"""The drawing of who reaches what."""

from __future__ import annotations

from xml.etree import ElementTree

from fwguard.analysis.asking import parse_opening
from fwguard.analysis.picture import MAX_EDGES, svg
from fwguard.model.address import Family
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.policy import Action, Chain, Hook, InterfaceSet, Match, Policy, Rule

SVG = "{http://www.w3.org/2000/svg}"


def firewall(*openings: str, interface: str = "", unknown: str = "") -> Policy:
    """Build a firewall that passes some openings."""
    rules = []
    for line, text in enumerate(openings, 1):
        opening = parse_opening(text)
        match = Match(
            ingress=InterfaceSet.of(interface) if interface else InterfaceSet(),
            source=opening.source,
            target=opening.target,
            protocol=Intervals.single(opening.protocol),
            dport=opening.ports,
            unknown=unknown,
        )
        rules.append(Rule(matches=(match,), action=Action.ACCEPT, line=line))
    chain = Chain(name="f", families=Family.BOTH, rules=tuple(rules), default=Action.DROP)
    return Policy(dialect="test", chains={"f": chain}, hooks={Hook.FORWARD: ("f",)})


def titles(picture: str) -> list[str]:
    """Return what a screen reader is told."""
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}title")]


def test_each_line_says_what_it_means() -> None:
    """To those who cannot see it, too."""
    said = titles(svg(firewall("tcp/443 from 198.51.100.0/24 to 192.0.2.10")))
    assert "198.51.100.0/24 reaches tcp/443 of 192.0.2.10" in said
    assert "Who reaches what through this firewall" == said[0]


def test_what_cannot_be_read_is_drawn_dashed_and_said() -> None:
    """In French here."""
    picture = svg(firewall("tcp/22 from 198.51.100.7 to 192.0.2.10", unknown="geoip"), language=Language.FR)
    assert 'class="maybe"' in picture
    assert "198.51.100.7 atteint peut-être tcp/22 de 192.0.2.10" in titles(picture)


def test_hostile_names_stay_text() -> None:
    """An interface may be called anything."""
    picture = svg(firewall("tcp/22 from 198.51.100.7 to 192.0.2.10", interface="<script>&\x1b"))
    assert "<script>" not in picture
    ElementTree.fromstring(picture)


def test_a_crowd_is_cut_and_counted() -> None:
    """A picture with a thousand lines is none."""
    openings = [f"tcp/{1000 + n} from 198.51.{n}.0/24 to 192.0.2.{n}" for n in range(MAX_EDGES + 20)]
    picture = svg(firewall(*openings))
    assert MAX_EDGES == picture.count("<path ")
    assert "and 20 more" in picture


def test_nothing_that_passes_is_said() -> None:
    """An empty picture needs a word."""
    assert "Nothing passes." in svg(firewall())
