"""Why something was done or not, in French and in English: one literal table; `{…}` are the facts of a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.model.detection import Reason
from fwguard.model.inventory import Language

EN, FR = Language.EN, Language.FR

WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "no-port": {
        EN: "the packets came in by no port of this edge that can be accused of them",
        FR: "les paquets ne sont arrivés par aucun port de ce nœud qui puisse en répondre",
    },
    "monitoring": {EN: "our own monitoring", FR: "notre propre surveillance"},
    "approved-scan": {
        EN: "a scan that ticket {ticket} allows",
        FR: "un balayage que permet le ticket {ticket}",
    },
    "registered": {
        EN: "registered as {kind} by ticket {ticket}",
        FR: "déclaré comme {kind} par le ticket {ticket}",
    },
    "mail-server": {
        EN: "{server} is a declared mail server",
        FR: "{server} est un serveur de messagerie déclaré",
    },
    "receives-mail": {
        EN: "{server} was called: it receives mail",
        FR: "{server} a été appelé : il reçoit du courriel",
    },
    "own-mail": {EN: "mail between servers of one client", FR: "courriel entre serveurs d'un même client"},
    "isolated": {EN: "{server} is isolated already", FR: "{server} est déjà isolé"},
    "cut-already": {EN: "cut already", FR: "déjà coupé"},
    "grace": {
        EN: "warned already; {seconds} s are left to act",
        FR: "déjà averti ; il reste {seconds} s pour agir",
    },
    "dry-run": {
        EN: "this detector is on trial; it would have led to: {would}",
        FR: "ce détecteur est à l'essai ; il aurait conduit à : {would}",
    },
    "by-address": {
        EN: "reported by its address {address} only, by which nobody is cut",
        FR: "signalé par sa seule adresse {address}, sur laquelle personne n'est coupé",
    },
    "low-confidence": {
        EN: "breach number {nth}; the detector is trusted at {confidence} %, too little to cut",
        FR: "manquement numéro {nth} ; le détecteur est fiable à {confidence} %, trop peu pour couper",
    },
    "nothing-smaller": {
        EN: "breach number {nth} calls for “{rung}”, but no port is named; a person decides",
        FR: "le manquement numéro {nth} appelle « {rung} », mais aucun port n'est nommé ; une personne décide",
    },
    "ladder": {
        EN: "breach number {nth} of this clause; on probation: {probation}",
        FR: "manquement numéro {nth} à cette clause ; à l'essai : {probation}",
    },
    "breaker": {
        EN: "{clients} clients were cut within a minute, of at most {most}: not cut ({would}), a person is called",
        FR: "{clients} clients coupés en une minute, pour {most} au plus : pas de coupure ({would}), on appelle "
        "une personne",
    },
    "kernel-cut": {
        EN: "the kernel cut it at once ({what}); {clients} clients within a minute, of at most {most}",
        FR: "le noyau l'a coupé aussitôt ({what}) ; {clients} clients en une minute, pour {most} au plus",
    },
}


def say(reason: Reason, language: Language) -> str:
    """Return a reason in words."""
    return WORDS[reason.key][language].format_map(dict(reason.facts))
