"""What states, events, risks and roles are called by people: every word of the model in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from flask_babel import lazy_gettext as _
from flask_babel import lazy_pgettext as _p

from fwguard.mail.events import Event
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.controls import Passage, ServiceKind
from fwguard.model.edge import PortKind
from fwguard.model.edge_wire import EventKind
from fwguard.model.inventory import Language, OnDrift, Platform, Role
from fwguard.model.machine_state import MachineState
from fwguard.model.policy import Action, Hook, NatKind
from fwguard.model.registration import RegistrationState
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.store.addresses import Ending, Manner
from fwguard.store.inventory import WatchState
from fwguard.store.mail import MailState
from fwguard.store.people import UserRole
from fwguard.store.tickets import Channel, Decision, TicketKind

# By kind first: texts of two enums may be equal ("open"), and so would their keys be.
NAMES: Final[Mapping[type[StrEnum], Mapping[StrEnum, Any]]] = {
    TicketState: {
        TicketState.REQUESTED: _("being analysed"),
        TicketState.REVIEW: _("waiting for a decision"),
        TicketState.APPROVED: _("approved, to be deployed"),
        TicketState.DEPLOYING: _("being deployed"),
        TicketState.OPEN: _("open"),
        TicketState.CLOSING: _("being closed"),
        TicketState.CLOSED: _("closed"),
        TicketState.REFUSED: _("refused"),
        TicketState.WITHDRAWN: _("withdrawn"),
        TicketState.FAILED: _("failed"),
    },
    TicketEvent: {
        TicketEvent.ANALYSED: _("Analysed"),
        TicketEvent.APPROVED: _("Approved"),
        TicketEvent.REFUSED: _("Refused"),
        TicketEvent.WITHDRAWN: _("Withdrawn"),
        TicketEvent.BASELINE_MOVED: _("The firewall's approved state moved: to be decided again"),
        TicketEvent.DEPLOYMENT_STARTED: _("Deployment started"),
        TicketEvent.DEPLOYED: _("Deployed and checked by a fresh reading"),
        TicketEvent.ROLLED_BACK: _("Rolled back; it will be tried again"),
        TicketEvent.GAVE_UP: _("Given up"),
        TicketEvent.END_CAME: _("The end has come"),
        TicketEvent.REMOVED: _("Removed from the firewall"),
        TicketEvent.ADOPTED: _("It is the approved state now"),
    },
    TicketKind: {
        TicketKind.OPENING: _("opening"),
        TicketKind.BASELINE: _("approved state"),
    },
    Channel: {
        Channel.FORM: _("by form"),
        Channel.MAIL: _("by mail"),
        Channel.COMMAND: _("by the operator"),
    },
    Decision: {
        Decision.APPROVE: _p("decision", "approved"),
        Decision.REFUSE: _p("decision", "refused"),
    },
    CaseKind: {
        CaseKind.DRIFT: _("Change without permission"),
        CaseKind.HOST_KEY: _("Another host key"),
        CaseKind.UNREACHABLE: _("Cannot be reached"),
        CaseKind.VIOLATION: _("Violation"),
    },
    CaseState: {
        CaseState.OPEN: _p("case", "open"),
        CaseState.RESTORING: _p("case", "being restored"),
        CaseState.HELD: _p("case", "held, a person decides"),
        CaseState.ISOLATED: _p("case", "isolated"),
        CaseState.CLOSED: _p("case", "closed"),
    },
    CaseEvent: {
        CaseEvent.RESTORE_STARTED: _("Restoring the approved state"),
        CaseEvent.RESTORED: _("The approved state is back, checked by a fresh reading"),
        CaseEvent.RESTORE_FAILED: _("Restoring failed; it will be tried again"),
        CaseEvent.HOLD: _("Held: a person decides"),
        CaseEvent.APPROVED_AFTER_ALL: _("Approved after all"),
        CaseEvent.ISOLATED: _("Isolated"),
        CaseEvent.RELEASED: _("Released"),
        CaseEvent.GONE: _("It ended by itself"),
    },
    WatchState: {
        WatchState.NEW: _("no approved state yet"),
        WatchState.WATCHED: _("watched"),
        WatchState.UNREACHABLE: _("cannot be reached"),
        WatchState.HELD: _("held: differs from its approved state"),
    },
    MailState: {
        MailState.NEW: _p("mail", "new"),
        MailState.DONE: _p("mail", "dealt with"),
        MailState.QUARANTINED: _p("mail", "in quarantine"),
        MailState.REFUSED: _p("mail", "refused"),
    },
    UserRole: {
        UserRole.CLIENT: _("client"),
        UserRole.OPERATOR: _("operator"),
        UserRole.APPROVER: _("approver"),
        UserRole.ADMIN: _("administrator"),
    },
    OnDrift: {
        OnDrift.RESTORE: _("the approved state is put back at once"),
        OnDrift.HOLD: _("it is held, and a person decides"),
    },
    Platform: {
        Platform.LINUX: _("Linux (nftables, iptables) over SSH"),
        Platform.IETF: _("IETF models (RFC 8519) over NETCONF"),
        Platform.ASA: "Cisco ASA",
        Platform.IOS: "Cisco IOS",
        Platform.FORTIOS: "FortiOS",
        Platform.VYOS: "VyOS",
        Platform.JUNOS: "Junos",
        Platform.PANOS: "PAN-OS",
        Platform.PFSENSE: "pfSense",
        Platform.OPNSENSE: "OPNsense",
        Platform.FRR: _("FRR's static routes"),
    },
    ServiceKind: {
        ServiceKind.IRC: _("IRC (chat, bots, bouncers)"),
        ServiceKind.PROXY: _("proxy"),
        ServiceKind.VIDEOCHAT: _("video chat"),
    },
    RegistrationState: {
        RegistrationState.REQUESTED: _p("registration", "waiting for a decision"),
        RegistrationState.GRANTED: _p("registration", "granted"),
        RegistrationState.REFUSED: _p("registration", "refused"),
        RegistrationState.WITHDRAWN: _p("registration", "withdrawn"),
        RegistrationState.ENDED: _p("registration", "ended"),
    },
    MachineState: {
        MachineState.RUNNING: _p("server", "in service"),
        MachineState.STOPPED: _p("server", "stopped"),
        MachineState.ARCHIVED: _p("server", "archived"),
        MachineState.DELETED: _p("server", "deleted"),
    },
    Manner: {
        Manner.ALLOCATED: _("given when it entered service"),
        Manner.ADOPTED: _("noted in the inventory already"),
        Manner.TRANSFERRED: _("moved from another server"),
        Manner.MIGRATED: _("given in the place of another (clause 7.9)"),
        Manner.RESERVED: _("reserved"),
    },
    Ending: {
        Ending.RELEASED: _("given back"),
        Ending.STOPPED: _("its server was stopped for too long"),
        Ending.ARCHIVED: _("its server was archived"),
        Ending.DELETED: _("its server was deleted"),
        Ending.TRANSFERRED: _("moved to another server"),
        Ending.MIGRATED: _("another took its place (clause 7.9)"),
        Ending.GIVEN: _("the reservation became a server's"),
    },
    PortKind: {
        PortKind.SERVER: _("server"),
        PortKind.FIREWALL_IN: _("firewall, inside"),
        PortKind.FIREWALL_OUT: _("firewall, outside"),
    },
    EventKind: {
        EventKind.VERDICT: _("a detector spoke"),
        EventKind.CUT: _("cut by the kernel"),
        EventKind.RELEASED: _("a cut was taken back"),
        EventKind.REPAIRED: _("repaired"),
        EventKind.APPLIED: _("a state is enforced"),
        EventKind.REFUSED: _("a state was refused"),
        EventKind.ALARM: _("alarm"),
        EventKind.REFUSAL: _("packets were refused"),
        EventKind.CONNECTION: _("a connection"),
    },
    Passage: {
        Passage.CONSOLE: _("console"),
        Passage.REMEDIATION: _("updates"),
    },
    Role: {
        Role.GENERAL: _("general"),
        Role.MAIL: _("mail server"),
    },
    Language: {
        Language.FR: "Français",
        Language.EN: "English",
    },
    Hook: {
        Hook.FORWARD: _("through the firewall"),
        Hook.INPUT: _("to the firewall itself"),
        Hook.OUTPUT: _("from the firewall itself"),
    },
    Action: {
        Action.ACCEPT: _("accept"),
        Action.DROP: _("drop"),
        Action.REJECT: _("reject"),
        Action.JUMP: _("go on in"),
        Action.GOTO: _("leave for"),
        Action.RETURN: _("go back"),
        Action.CONTINUE: _("note only"),
        Action.UNKNOWN: _("not understood"),
    },
    NatKind: {
        NatKind.DNAT: _("redirection (DNAT)"),
        NatKind.SNAT: _("source address (SNAT)"),
        NatKind.MASQUERADE: _("source address (masquerade)"),
        NatKind.REDIRECT: _("redirection to the firewall"),
        NatKind.NETMAP: _("network for network"),
        NatKind.STATIC: _("one to one, both ways"),
        NatKind.EXEMPT: _("no translation"),
        NatKind.UNKNOWN: _("not understood"),
    },
    Event: {
        Event.REQUEST_RECEIVED: _("Your request has arrived"),
        Event.REQUEST_UNCLEAR: _("Your request is unclear"),
        Event.REQUEST_REFUSED: _("Your request is refused"),
        Event.REQUEST_APPROVED: _("Your request is approved"),
        Event.OPENING_OPEN: _("The opening is open"),
        Event.OPENING_ALREADY_OPEN: _("The opening was open already"),
        Event.OPENING_CLOSED: _("The opening is closed"),
        Event.OPENING_FAILED: _("The opening failed"),
        Event.DRIFT_RESTORED: _("A change was undone"),
        Event.DRIFT_HELD: _("A change was seen, and is held"),
        Event.HOST_KEY_CHANGED: _("The host key changed"),
        Event.SENDER_UNKNOWN: _("The sender is not known"),
        Event.TOO_LARGE: _("The mail is too large"),
        Event.CASE_CLOSED: _("The case is closed"),
        Event.STAFF_CALL: _("A person is needed"),
        Event.VIOLATION_WARNING: _("Warning of a breach"),
        Event.SUSPENSION_NOTICE: _("Notice of suspension"),
        Event.ISOLATION_NOTICE: _("Notice of isolation"),
        Event.RELEASE_NOTICE: _("Notice of release"),
    },
}
RISKS: Final[Mapping[str, Any]] = {
    "low": _("low risk"),
    "medium": _("medium risk"),
    "high": _("high risk"),
    "critical": _("critical risk"),
}
# Reasons that flows write in English, for the log; what is not here was written by a person or a device.
WHYS: Final[Mapping[str, Any]] = {
    "policy: hold": _("its policy is to hold"),
    "withdrawn": _("by whoever asked"),
    "ordered": _("a person ordered it"),
    "noted": _("noted"),
    "its time is over": _("its time is over"),
    "a new check saw nothing more": _("a new check saw nothing more"),
    "nothing more was seen": _("nothing more was seen"),
    "noted in the inventory": _("noted in the inventory"),
    "the overlap is over (clause 7.9)": _("the overlap is over (clause 7.9)"),
    "its end has come": _("its end has come"),
    "undone by itself": _("whoever changed it changed it back"),
}
# What a state means for the eye; every badge also says it in words.
TONES: Final[Mapping[type[StrEnum], Mapping[StrEnum, str]]] = {
    TicketState: {
        TicketState.REQUESTED: "calm",
        TicketState.REVIEW: "wait",
        TicketState.APPROVED: "wait",
        TicketState.DEPLOYING: "wait",
        TicketState.OPEN: "good",
        TicketState.CLOSING: "wait",
        TicketState.CLOSED: "calm",
        TicketState.REFUSED: "bad",
        TicketState.WITHDRAWN: "calm",
        TicketState.FAILED: "bad",
    },
    CaseState: {
        CaseState.OPEN: "bad",
        CaseState.RESTORING: "wait",
        CaseState.HELD: "bad",
        CaseState.ISOLATED: "bad",
        CaseState.CLOSED: "good",
    },
    WatchState: {
        WatchState.NEW: "wait",
        WatchState.WATCHED: "good",
        WatchState.UNREACHABLE: "bad",
        WatchState.HELD: "bad",
    },
    RegistrationState: {
        RegistrationState.REQUESTED: "wait",
        RegistrationState.GRANTED: "good",
        RegistrationState.REFUSED: "bad",
    },
    MachineState: {
        MachineState.RUNNING: "good",
        MachineState.STOPPED: "wait",
        MachineState.ARCHIVED: "wait",
        MachineState.DELETED: "bad",
    },
    MailState: {
        MailState.NEW: "wait",
        MailState.DONE: "good",
        MailState.QUARANTINED: "bad",
        MailState.REFUSED: "calm",
    },
    Action: {
        Action.ACCEPT: "good",
        Action.DROP: "calm",
        Action.REJECT: "calm",
        Action.UNKNOWN: "bad",
    },
}


def name_of(word: StrEnum) -> str:
    """Return what people call a word of the model, in their language; the word itself when it has no name.

    A word read from text must be made an enum first: "open" of a case and of a ticket are two names.
    """
    return str(NAMES.get(type(word), {}).get(word, word))


def tone_of(word: StrEnum) -> str:
    """Return the tone that a state has on a page: good, wait, bad or calm."""
    return TONES.get(type(word), {}).get(word, "calm")


def why_of(text: str) -> str:
    """Return a reason in the reader's language where it is one of ours, else as it is."""
    return str(WHYS.get(text, text))


def risk_name(risk_class: str) -> str:
    """Return what people call a class of risk."""
    return str(RISKS.get(risk_class, risk_class))
