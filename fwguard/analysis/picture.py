"""Who reaches what through a firewall, as a drawing: SVG text without scripts, fonts or links."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from fwguard.analysis.boxes import Box
from fwguard.analysis.explain import NameOf, say_addresses, say_service
from fwguard.analysis.passes import passes
from fwguard.analysis.words import phrase
from fwguard.model.address import ANY_ADDRESS
from fwguard.model.inventory import Language
from fwguard.model.policy import Hook, Policy

MAX_EDGES: Final = 60
_MAX_REGIONS: Final = 2_000
_WIDTH: Final = 1000
_TOP: Final = 84
_ROW: Final = 26  # a source, or the name of a target
_SERVICE: Final = 20  # a line below it for each service
_GAP: Final = 12
_LEFT: Final = 20
_LEFT_WIDTH: Final = 300
_RIGHT: Final = 640
_RIGHT_WIDTH: Final = 340
_LEFT_TEXT: Final = 37  # characters that fit, at 13 pixels
_RIGHT_TEXT: Final = 42
# Drawn on white whatever the page's colours; every pair of colours is above 4.5:1 (WCAG 2.1, 1.4.3).
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#1b1b1b;paint-order:stroke;stroke:#ffffff;stroke-width:3px}"
    ".head{font-size:18px;font-weight:bold}.small{font-size:12px;"
    "fill:#4a4a4a}.name{font-weight:bold}.end{stroke-width:1;fill:#eef3f8;stroke:#4a6a8a}.sure{stroke:#1f5f99;fill:none;stroke-width:1.6}"
    ".maybe{stroke:#96510a;fill:none;stroke-width:1.6;stroke-dasharray:6 4}"
)


@dataclass(frozen=True, slots=True)
class _Edge:
    source: str
    target: str
    service: str
    sure: bool


def svg(policy: Policy, *, language: Language = Language.EN, name_of: NameOf | None = None) -> str:
    """Draw what passes forward: sources left, targets right, a line for each service; dashed if unsure.

    At most MAX_EDGES lines, the widest first; how many more there are is written below.
    """
    edges, left_out = _edges(policy, language, name_of or (lambda _: None))
    targets: dict[str, dict[str, None]] = {}
    for edge in edges:
        targets.setdefault(edge.target, {})[edge.service] = None
    sources = list(dict.fromkeys(edge.source for edge in edges))
    high = max(
        len(sources) * (_ROW + _GAP), sum(_block(services) + _GAP for services in targets.values()), _ROW
    )
    height = _TOP + high + 40
    title = phrase("picture-title", language)
    described = phrase("picture-what", language, count=len(edges))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title what" lang="{language.value}">',
        f'<title id="title">{escape(title)}</title><desc id="what">{escape(described)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="head" x="20" y="34">{escape(title)}</text>',
        f'<text class="small" x="20" y="58">{escape(described)}</text>',
    ]
    left = _spread(dict.fromkeys(sources, _ROW), high)
    right = _spread({target: _block(services) for target, services in targets.items()}, high)
    for edge in edges:
        row = list(targets[edge.target]).index(edge.service)
        end = right[edge.target] + _ROW + row * _SERVICE + _SERVICE // 2
        parts.append(_line(edge, left[edge.source] + _ROW // 2, end, language))
    parts += [_source(y, text) for text, y in left.items()]
    parts += [_target(y, text, list(targets[text])) for text, y in right.items()]
    if not edges:
        parts.append(f'<text x="20" y="{_TOP + 20}">{escape(phrase("picture-nothing", language))}</text>')
    if left_out:
        more = phrase("more", language, count=left_out)
        parts.append(f'<text class="small" x="20" y="{height - 16}">{escape(more)}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _edges(policy: Policy, language: Language, name_of: NameOf) -> tuple[list[_Edge], int]:
    spoken = ANY_ADDRESS.of_family(policy.families)
    space = Box(hook=Hook.FORWARD, source=spoken, target=spoken)
    passing = passes(policy, Hook.FORWARD, space, max_regions=_MAX_REGIONS)
    sure = set(passing.lower)
    certain = [_edge(box, True, language, name_of) for box in passing.lower]
    perhaps = [_edge(box, False, language, name_of) for box in passing.upper if box not in sure]
    known = {(edge.source, edge.target, edge.service) for edge in certain}
    perhaps = [edge for edge in perhaps if (edge.source, edge.target, edge.service) not in known]
    edges = _together(list(dict.fromkeys(certain + perhaps)))
    left_out = max(0, len(edges) - MAX_EDGES)
    return edges[:MAX_EDGES], left_out + passing.omitted


def _together(edges: list[_Edge]) -> list[_Edge]:
    """Make one line of all services between the same two ends."""
    services: dict[tuple[str, str, bool], list[str]] = {}
    for edge in edges:
        services.setdefault((edge.source, edge.target, edge.sure), []).append(edge.service)
    return [
        _Edge(source, target, ", ".join(dict.fromkeys(names)), sure)
        for (source, target, sure), names in services.items()
    ]


def _edge(box: Box, sure: bool, language: Language, name_of: NameOf) -> _Edge:
    source = say_addresses(box.source, "anyone", language, name_of)
    if not box.ingress.is_any:
        source += f" ({box.ingress})"
    target = say_addresses(box.target, "every-address", language, name_of)
    if not box.egress.is_any:
        target += f" ({box.egress})"
    return _Edge(source, target, say_service(box.protocol, box.dport, language), sure)


def _block(services: Sized) -> int:
    """Return how high a target stands: its name, and a line for each service."""
    return _ROW + len(services) * _SERVICE + 4


def _spread(heights: Mapping[str, int], high: int) -> dict[str, int]:
    """Return where each starts: in order, with the same room between."""
    room = (high - sum(heights.values())) / max(1, len(heights))
    places, y = {}, _TOP + room / 2
    for text, own in heights.items():
        places[text] = round(y)
        y += own + room
    return places


def _source(y: int, text: str) -> str:
    return (
        f'<g><title>{_xml(text)}</title><rect class="end" x="{_LEFT}" y="{y}" width="{_LEFT_WIDTH}" '
        f'height="{_ROW}" rx="4"/><text x="{_LEFT + 10}" y="{y + 18}">{_xml(_cut(text, _LEFT_TEXT))}</text></g>'
    )


def _target(y: int, text: str, services: list[str]) -> str:
    rows = "".join(
        f'<text class="small" x="{_RIGHT + 10}" y="{y + _ROW + row * _SERVICE + 14}"><title>{_xml(service)}</title>'
        f"{_xml(_cut(service, _RIGHT_TEXT))}</text>"
        for row, service in enumerate(services)
    )
    return (
        f'<g><title>{_xml(text)}</title><rect class="end" x="{_RIGHT}" y="{y}" width="{_RIGHT_WIDTH}" '
        f'height="{_block(services)}" rx="4"/>'
        f'<text class="name" x="{_RIGHT + 10}" y="{y + 18}">{_xml(_cut(text, _RIGHT_TEXT - 6))}</text>{rows}</g>'
    )


def _line(edge: _Edge, here: int, there: int, language: Language) -> str:
    key = "picture-edge" if edge.sure else "picture-maybe"
    said = phrase(key, language, source=edge.source, service=edge.service, target=edge.target)
    start, middle = _LEFT + _LEFT_WIDTH, (_LEFT + _LEFT_WIDTH + _RIGHT) // 2
    curve = f"M{start} {here}C{middle} {here} {middle} {there} {_RIGHT} {there}"
    return f'<g><title>{_xml(said)}</title><path class="{"sure" if edge.sure else "maybe"}" d="{curve}"/></g>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _xml(text: str) -> str:
    """Escape device text, without the characters that XML cannot hold."""
    return escape("".join(ch if ch.isprintable() else " " for ch in text))
