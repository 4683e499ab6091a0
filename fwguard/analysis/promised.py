"""Rules that let more pass than what was said of them: in their own comment, or in the ticket they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.change import Opening
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Match, Rule
from fwguard.model.ports import ANY_PORT, WITH_PORTS, parse_ports, show_ports

Wider = tuple[Rule, str, dict[str, str]]
_MOST_COMMENT: Final = 400
_MOST_TEXT: Final = 100
# How our own changes sign their rules, in a comment or a name.
_TAG: Final = re.compile(r"fwguard:([A-Za-z0-9-]{1,24})")
_NUMBERS: Final = r"[0-9]{1,5}(?:\s*-\s*[0-9]{1,5})?"
_V4: Final = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_ADDRESS: Final = re.compile(
    rf"(?<![\w.:/]){_V4}\s*-\s*{_V4}(?![\w.]*\w)"
    rf"|(?<![\w.:/]){_V4}(?:/[0-9]{{1,2}})?(?![\w]|\.[0-9])"
    r"|(?<![\w.:/])(?:[0-9A-Fa-f]{1,4}:){2}[0-9A-Fa-f:]*(?:/[0-9]{1,3})?(?![\w.:])"
)
_PORTS: Final = (
    re.compile(rf"\b(?:tcp|udp|sctp)\s*/\s*({_NUMBERS}(?:\s*,\s*{_NUMBERS})*)", re.IGNORECASE),
    re.compile(rf"(?<![\w.])({_NUMBERS})\s*/\s*(?:tcp|udp|sctp)\b", re.IGNORECASE),
    re.compile(rf"\bports?\s*[:=]?\s*({_NUMBERS}(?:\s*(?:,|and|et)\s*{_NUMBERS})*)", re.IGNORECASE),
)


def wider_than_said(
    rules: Iterable[Rule], asked: Mapping[str, Sequence[Opening]] | None = None
) -> Iterator[Wider]:
    """Return (rule, code of the reason, blanks) for rules that accept more than was said of them.

    `asked` are the openings of tickets by the tag that their rules bear. A comment that names addresses
    speaks of the source or of the target: one of them must lie within; one that names ports, of them all.
    Nothing is read into a comment that names neither.
    """
    for rule in rules:
        if rule.action is not Action.ACCEPT or not rule.line:
            continue
        said = _TAG.search(rule.comment) or _TAG.search(rule.text)
        if said and asked and said[1] in asked:
            if not all(_within(match, asked[said[1]]) for match in rule.matches if match.can_be_new):
                yield rule, "lint-wider-than-ticket", {"ticket": said[1]}
            continue
        if rule.comment:
            yield from _by_comment(rule)


def _within(match: Match, openings: Sequence[Opening]) -> bool:
    """Tell whether one of the openings holds all that a match accepts."""
    return any(
        match.source <= opening.source
        and match.target <= opening.target
        and match.protocol <= Intervals.single(opening.protocol)
        and (not opening.ports or match.dport <= opening.ports)
        for opening in openings
    )


def _by_comment(rule: Rule) -> Iterator[Wider]:
    matches = [match for match in rule.matches if match.can_be_new]
    comment = rule.comment[:_MOST_COMMENT]
    named = _addresses(comment)
    if named and any(_beyond(match, named) for match in matches):
        yield rule, "lint-wider-than-comment", {"said": str(named)[:_MOST_TEXT]}
        return
    ports = _ports(comment)
    if not ports:
        return
    for match in matches:
        # A comment may speak of a source port, or of something else: it must be about this rule at all.
        if match.protocol <= WITH_PORTS and match.dport.overlaps(ports) and not match.dport <= ports:
            if match.dport == ANY_PORT and match.sport <= ports:
                continue
            yield rule, "lint-wider-than-comment", {"said": show_ports(ports)[:_MOST_TEXT]}
            return


def _beyond(match: Match, named: AddressSet) -> bool:
    """Tell whether a match is about what is named, and neither its source nor its target is all of that."""
    families = named.families
    ends = (match.source.of_family(families), match.target.of_family(families))
    return any(end & named for end in ends) and not any(end and end <= named for end in ends)


def _addresses(comment: str) -> AddressSet:
    found = AddressSet()
    for hit in _ADDRESS.finditer(comment):
        try:
            found |= AddressSet.parse(re.sub(r"\s", "", hit[0]))
        except InputError:
            continue  # a version number, a time: not an address
    return found


def _ports(comment: str) -> Intervals:
    found = Intervals()
    for form in _PORTS:
        for hit in form.finditer(comment):
            words = re.split(r"\s*(?:,|and|et)\s*", hit[1])
            try:
                found |= parse_ports(",".join(re.sub(r"\s", "", word) for word in words))
            except InputError:
                continue
    return found
