"""Analysis of a request: is it open already, what would it really open, what else, how risky, and why."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from fwguard.analysis.explain import explain
from fwguard.analysis.risk import assess
from fwguard.analysis.what_if import Coverage, WhatIf, what_if
from fwguard.approvals.binding import Binding
from fwguard.dialects.table import PLATFORMS
from fwguard.errors import InputError
from fwguard.flows.drift import describe as describe_drift
from fwguard.flows.drift import differing_parts, policy_of
from fwguard.flows.house import House
from fwguard.flows.names import server_names
from fwguard.flows.notices import tell_asker
from fwguard.flows.planning import plan
from fwguard.model.change import Change, Edit
from fwguard.model.inventory import Language
from fwguard.model.policy import Policy
from fwguard.model.risk import Risk
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.store.approved import BaselineRow, current_baseline, last_reading
from fwguard.store.asks import change_to_json
from fwguard.store.tickets import TicketKind, TicketRow, move, set_analysis, ticket_numbered

# A ticket for a firewall of which nothing is approved yet cannot be planned: asked again until it is.
WAIT_FOR_BASELINE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a ticket would do on one baseline, and what an approval of it binds."""

    change: Change
    edit: Edit
    what_if: WhatIf
    risk: Risk
    binding: Binding

    @property
    def effect_digest(self) -> str:
        """Return the SHA-256 of what must recompute identically on another baseline."""
        return hashlib.sha256(json.dumps(self.binding.effect).encode()).hexdigest()


def look(number: str, house: House) -> float | None:
    """Analyse one ticket and put it before the approvers; return when to look again, None when done."""
    with house.store.session() as session:
        ticket = ticket_numbered(session, number)
        waiting = ticket.state is TicketState.REVIEW and not ticket.binding
        if (
            ticket.state is not TicketState.REQUESTED
            and not waiting
            and ticket.state is not TicketState.REVIEW
        ):
            return None
        baseline = current_baseline(session, ticket.firewall_id)
        if ticket.kind is TicketKind.BASELINE:
            _review_baseline(session, house, ticket, baseline)
            return None
        if baseline is None:
            return WAIT_FOR_BASELINE_S
        first = ticket.state is TicketState.REQUESTED
        try:
            proposal = propose(session, house, ticket, baseline)
        except InputError as error:
            _cannot_be_done(session, house, ticket, str(error))
            return None
        _store(session, house, ticket, proposal)
        if first:
            tell_asker(session, house, ticket, "request-received")
        return None


def propose(session: Session, house: House, ticket: TicketRow, baseline: BaselineRow) -> Proposal:
    """Compute what a ticket does on a baseline. Raises InputError when it cannot be done there."""
    firewall, ask = ticket.firewall, ticket.ask
    assert ticket.server is not None  # noqa: S101  # an opening has a server, by constraint
    before = policy_of(firewall.platform, baseline.snapshot)
    change = plan(
        ask, server=ticket.server.value(), firewall=firewall.value(), policy=before, tag=ticket.number
    )
    edit = PLATFORMS[firewall.platform].write(change, baseline.snapshot)
    found = what_if(before, policy_of(firewall.platform, edit.after), change.openings)
    if found.already is Coverage.ALL and not change.redirections:
        edit = Edit(after=baseline.snapshot, shown="")  # nothing to write: the ticket becomes a holder
    risk = assess(found, ask, weights=house.rulebook.weights, now=house.clock())
    binding = Binding(
        request=f"{ask.words}: {ask.reason}",
        device=firewall.name,
        host_key=firewall.host_key,
        before=baseline.snapshot.digest,
        after=edit.after.digest,
        opens=_texts(found.opens),
        closes=_texts(found.closes),
        ends_at=ask.ends_at.isoformat() if ask.ends_at else "",
        rules=house.rulebook.digest,
    )
    return Proposal(change=change, edit=edit, what_if=found, risk=risk, binding=binding)


def _store(session: Session, house: House, ticket: TicketRow, proposal: Proposal) -> None:
    found, names = proposal.what_if, server_names(session, ticket.client_id)
    analysis: dict[str, Any] = {
        "already": found.already.value,
        "already_by": list(found.already_by),
        "opens": [box.to_json() for box in found.opens],
        "wider": [box.to_json() for box in found.wider_than_asked],
        "closes": [box.to_json() for box in found.closes],
        "undecided": [box.to_json() for box in found.undecided],
        "words": {
            language.value: explain(found.difference, language=language, name_of=names)
            for language in Language
        },
        "risk": risk_to_json(proposal.risk),
        "shown": proposal.edit.shown,
        "change": change_to_json(proposal.change),
        "effect": proposal.effect_digest,
    }
    set_analysis(
        ticket, analysis=analysis, binding=proposal.binding.digest, before_digest=proposal.binding.before,
        after_digest=proposal.binding.after, rules_digest=house.rulebook.digest, at=house.clock(),
    )  # fmt: skip
    move(session, ticket, TicketEvent.ANALYSED, actor="system", at=house.clock())


def _review_baseline(session: Session, house: House, ticket: TicketRow, baseline: BaselineRow | None) -> None:
    """Show what approving the last reading would approve: its difference from what is approved now."""
    firewall, reading = ticket.firewall, last_reading(session, ticket.firewall_id)
    if reading is None:
        _cannot_be_done(session, house, ticket, f"{firewall.name} was never read")
        return
    before = baseline.snapshot if baseline else Snapshot()
    parts = differing_parts(firewall.platform, before, reading.snapshot)
    names = server_names(session, ticket.client_id)
    drift = describe_drift(firewall.platform, before, reading.snapshot, parts, names)
    words = drift.words if baseline else _whole(policy_of(firewall.platform, reading.snapshot))
    binding = Binding(
        request=f"approve {firewall.name} as it stands",
        device=firewall.name,
        host_key=firewall.host_key,
        before=before.digest if baseline else "",
        after=reading.digest,
        opens=words[Language.EN],
        closes=(),
        ends_at="",
        rules=house.rulebook.digest,
    )
    why = {
        "fr": ["tout ce que ce pare-feu laisse passer devient l'état approuvé"],
        "en": ["all that this firewall passes becomes the approved state"],
    }
    analysis = {
        "words": {language.value: list(lines) for language, lines in words.items()},
        "shown": drift.text,
        "risk": {"class": "medium", "score": 0, "why": why},
    }
    set_analysis(
        ticket, analysis=analysis, binding=binding.digest, before_digest=binding.before,
        after_digest=reading.digest, rules_digest=house.rulebook.digest, at=house.clock(),
    )  # fmt: skip
    move(session, ticket, TicketEvent.ANALYSED, actor="system", at=house.clock())


def _whole(policy: Policy) -> dict[Language, tuple[str, ...]]:
    """Say how much a first approval approves."""
    counts = (policy.rule_count, len(policy.nat), len(policy.routes), len(policy.unread))
    return {
        Language.FR: ("approuve l'état entier : {} règles, {} traductions d'adresses, {} routes, "
                      "{} lignes non comprises".format(*counts),),
        Language.EN: ("approves the whole state: {} rules, {} address translations, {} routes, "
                      "{} lines not understood".format(*counts),),
    }  # fmt: skip


def _cannot_be_done(session: Session, house: House, ticket: TicketRow, why: str) -> None:
    """No change of this firewall makes the ask true: refused at once, with the reason."""
    move(session, ticket, TicketEvent.REFUSED, actor="system", at=house.clock(), why=why)
    tell_asker(session, house, ticket, "request-refused", why=why)


def risk_to_json(risk: Risk) -> dict[str, Any]:
    """Return a risk as tickets keep it: class, score, and why in each language."""
    return {
        "class": risk.risk_class.value,
        "score": risk.score,
        "why": {language.value: list(risk.words(language)) for language in Language},
    }


def _texts(boxes: Any) -> tuple[str, ...]:
    """Return boxes as canonical texts, without their example packets."""
    plain = ({key: value for key, value in box.to_json().items() if key != "witness"} for box in boxes)
    return tuple(sorted(json.dumps(box, sort_keys=True) for box in plain))
