"""Who reaches what through a firewall, as a drawing: SVG text without scripts, fonts or links."""

from __future__ import annotations

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
_ROW: Final = 34
_TOP: Final = 84
_LEFT_END: Final = 290
_RIGHT_START: Final = 710
_MOST_TEXT: Final = 40
# Drawn on white whatever the page's colours; every pair of colours is above 4.5:1 (WCAG 2.1, 1.4.3).
_STYLE: Final = (
    "text{font:14px sans-serif;fill:#1b1b1b;paint-order:stroke;stroke:#ffffff;stroke-width:3px}"
    ".head{font-size:18px;font-weight:bold}.small{font-size:12px;"
    "fill:#4a4a4a}.end{stroke-width:1;fill:#eef3f8;stroke:#4a6a8a}.sure{stroke:#1f5f99;fill:none;stroke-width:1.6}"
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
    sources = list(dict.fromkeys(edge.source for edge in edges))
    targets = list(dict.fromkeys(edge.target for edge in edges))
    rows = max(len(sources), len(targets), 1)
    height = _TOP + rows * _ROW + 50
    title = phrase("picture-title", language)
    described = phrase("picture-what", language, count=len(edges))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="title what" lang="{language.value}">',
        f'<title id="title">{escape(title)}</title><desc id="what">{escape(described)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="head" x="20" y="34">{escape(title)}</text>',
        f'<text class="small" x="20" y="58">{escape(described)}</text>',
    ]
    left = _places(sources, rows)
    right = _places(targets, rows)
    parts += [_line(edge, left[edge.source], right[edge.target], language) for edge in edges]
    parts += [_end(20, y, text) for text, y in left.items()]
    parts += [_end(_RIGHT_START, y, text) for text, y in right.items()]
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


def _places(texts: list[str], rows: int) -> dict[str, int]:
    gap = rows * _ROW / max(1, len(texts))
    return {text: round(_TOP + gap * (place + 0.5)) for place, text in enumerate(texts)}


def _end(x: int, y: int, text: str) -> str:
    return (
        f'<g><title>{_xml(text)}</title><rect class="end" x="{x}" y="{y - 13}" width="270" height="26" '
        f'rx="4"/><text x="{x + 10}" y="{y + 5}">{_xml(_cut(text, _MOST_TEXT - 6))}</text></g>'
    )


def _line(edge: _Edge, here: int, there: int, language: Language) -> str:
    key = "picture-edge" if edge.sure else "picture-maybe"
    said = phrase(key, language, source=edge.source, service=edge.service, target=edge.target)
    middle = (_LEFT_END + _RIGHT_START) // 2
    curve = f"M{_LEFT_END} {here}C{middle} {here} {middle} {there} {_RIGHT_START} {there}"
    label_y = round(here * 0.25 + there * 0.75) - 4
    return (
        f'<g><title>{_xml(said)}</title><path class="{"sure" if edge.sure else "maybe"}" d="{curve}"/>'
        f'<text class="small" x="{_RIGHT_START - 12}" y="{label_y}" text-anchor="end">'
        f"{_xml(_cut(edge.service, 34))}</text></g>"
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _xml(text: str) -> str:
    """Escape device text, without the characters that XML cannot hold."""
    return escape("".join(ch if ch.isprintable() else " " for ch in text))
