"""How dangerous an ask is: points for each reason, a class by their sum. Weights are data of `approvals/`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fwguard.analysis.what_if import Coverage, WhatIf
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, TCP, UDP, WITH_PORTS, show_ports, show_protocol
from fwguard.model.risk import Reason, Risk, RiskWeights
from fwguard.model.ticket import Ask

Weighed = tuple[int, Reason]
_MOST_TEXT: Final = 60


def assess(
    found: WhatIf, ask: Ask, *, weights: RiskWeights | None = None, now: datetime | None = None
) -> Risk:
    """Return the risk of granting an ask, given what its change would do.

    `now` (aware) is needed to know how long it would last; without it, as on the command line, the end is
    left out of the sum.
    """
    weights = weights or RiskWeights()
    weighed = [*_of_source(ask, weights), *_of_service(ask, weights), *_of_end(ask, weights, now)]
    weighed += _of_effect(found, weights)
    score = sum(points for points, _ in weighed)
    weighed.sort(key=lambda one: -one[0])
    why = [reason for points, reason in weighed if points]
    if found.already is Coverage.ALL:
        if found.already_by:
            why.insert(0, Reason.of("already-open", lines=", ".join(map(str, found.already_by))))
        else:
            why.insert(0, Reason.of("already-open-by-none"))
    return Risk(risk_class=weights.class_of(score), score=score, why=tuple(why) or (Reason.of("narrow"),))


def _of_source(ask: Ask, weights: RiskWeights) -> list[Weighed]:
    if ask.source in (ANY_ADDRESS, ANY_V4, ANY_V6):
        return [(weights.source_anyone, Reason.of("source-anyone"))]
    wide_v4 = ask.source.v4.size >= 1 << max(0, 32 - weights.wide_prefix_v4)
    wide_v6 = ask.source.v6.size >= 1 << max(0, 128 - weights.wide_prefix_v6)
    if wide_v4 or wide_v6:
        return [(weights.source_wide, Reason.of("source-wide", source=str(ask.source)[:_MOST_TEXT]))]
    return []


def _of_service(ask: Ask, weights: RiskWeights) -> list[Weighed]:
    if ask.protocol not in WITH_PORTS:
        return []
    if ask.ports in (ANY_PORT, Intervals.of((1, 65535))):
        return [(weights.any_service, Reason.of("any-service"))]
    weighed = []
    sensitive = {
        TCP: (weights.management_tcp, weights.database_tcp),
        UDP: (weights.management_udp, weights.database_udp),
    }.get(ask.protocol, (Intervals(), Intervals()))
    points = (weights.management, weights.database)
    for code, ports, worth in zip(("management", "database"), sensitive, points, strict=True):
        if hit := ask.ports & ports:
            service = f"{show_protocol(ask.protocol)}/{show_ports(hit)}"
            weighed.append((worth, Reason.of(code, service=service[:_MOST_TEXT])))
    if ask.ports.size > weights.many_ports:
        weighed.append((weights.many_ports_points, Reason.of("many-ports", count=ask.ports.size)))
    return weighed


def _of_end(ask: Ask, weights: RiskWeights, now: datetime | None) -> list[Weighed]:
    if now is None:
        return []
    if ask.ends_at is None:
        return [(weights.no_end, Reason.of("no-end"))]
    days = (ask.ends_at - now).days
    return [(weights.long_end, Reason.of("long-end", days=days))] if days > weights.long_days else []


def _of_effect(found: WhatIf, weights: RiskWeights) -> list[Weighed]:
    weighed = []
    if found.first_opening:
        weighed.append((weights.first_opening, Reason.of("first-opening")))
    if found.wider_than_asked:
        count = len(found.wider_than_asked)
        weighed.append((weights.wider_than_asked, Reason.of("wider-than-asked", count=count)))
    if found.undecided or found.difference.omitted:
        weighed.append((weights.undecided, Reason.of("undecided")))
    if found.closes:
        weighed.append((weights.closes_too, Reason.of("closes-too", count=len(found.closes))))
    return weighed
