"""Why a packet passes an edge or not, in French and in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.compile.contract import Decision
from fwguard.model.controls import Passage, Reason, ServiceKind
from fwguard.model.inventory import Language

FR, EN = Language.FR, Language.EN

WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "no-port": {EN: "{interface} is no port of this edge", FR: "{interface} n'est pas un port de cette bordure"},
    "no-path": {
        EN: "there is no way from this port to {interface}",
        FR: "aucun chemin ne mène de ce port à {interface}",
    },
    "stopped": {
        EN: "server {server} is stopped: its port passes nothing",
        FR: "le serveur {server} est arrêté : son port ne laisse rien passer",
    },
    "ours-from-outside": {
        EN: "{source} is a client's address and does not come from outside",
        FR: "{source} est l'adresse d'un client et ne vient pas de l'extérieur",
    },
    "forged-mac": {EN: "{mac} is not a MAC address of {server}", FR: "{mac} n'est pas une adresse MAC de {server}"},
    "forged-address": {
        EN: "{source} is not an address of {server}",
        FR: "{source} n'est pas une adresse de {server}",
    },
    "dhcp-server": {
        EN: "{server} answers as a DHCP server; only the operator does",
        FR: "{server} répond en serveur DHCP ; seul l'opérateur le fait",
    },
    "router": {
        EN: "{server} speaks as a router; only the operator does",
        FR: "{server} parle en routeur ; seul l'opérateur le fait",
    },
    "isolated": {EN: "{server} is isolated ({reason})", FR: "{server} est isolé ({reason})"},
    "stays-open": {
        EN: "isolated, but the {passage} stays open",
        FR: "isolé, mais ce passage reste ouvert : {passage}",
    },
    "suspended": {EN: "this service (port {ports}) is suspended", FR: "ce service (port {ports}) est suspendu"},
    "between-uplinks": {EN: "traffic of the operator's own", FR: "trafic propre à l'opérateur"},
    "service-ended": {
        EN: "the service of {architecture} has ended; only the agreed transfer passes",
        FR: "le service de {architecture} a pris fin ; seul passe le transfert convenu",
    },
    "transfer": {EN: "the transfer agreed for leaving", FR: "le transfert convenu pour le départ"},
    "mail": {
        EN: "{server} is not declared as a mail server (port {port})",
        FR: "{server} n'est pas déclaré comme serveur de messagerie (port {port})",
    },
    "used-unregistered": {
        EN: "{server} uses {kind} (port {port}) without registration",
        FR: "{server} utilise {kind} (port {port}) sans déclaration",
    },
    "offered-unregistered": {
        EN: "{server} offers {kind} (port {port}) without registration",
        FR: "{server} propose {kind} (port {port}) sans déclaration",
    },
    "to-firewall": {EN: "towards the firewall of {client}", FR: "vers le pare-feu de {client}"},
    "bridged": {
        EN: "{server} is on a bridge, where identity and isolation are enforced",
        FR: "{server} est sur un pont, où l'identité et l'isolement sont imposés",
    },
    "inside": {EN: "within the network of {client}", FR: "dans le réseau de {client}"},
    "outward": {
        EN: "{server} may open connections outside",
        FR: "{server} peut ouvrir des connexions vers l'extérieur",
    },
    "monitoring": {EN: "the operator's monitoring", FR: "la surveillance de l'opérateur"},
    "not-own-source": {
        EN: "{source} is not one of the client's own addresses",
        FR: "{source} n'est pas une adresse propre au client",
    },
    "open": {EN: "an approved opening", FR: "une ouverture approuvée"},
    "observed": {
        EN: "not open, but {architecture} is observed only",
        FR: "non ouvert, mais {architecture} est seulement observée",
    },
    "not-open": {
        EN: "no approved opening lets {service} reach {target}",
        FR: "aucune ouverture approuvée ne laisse {service} atteindre {target}",
    },
}  # fmt: skip


_FRENCH: Final[Mapping[str, str]] = {
    Reason.DANGER: "danger", Reason.INTRUSION: "intrusion", Reason.SPAM: "pourriel", Reason.UPDATES: "mises à jour",
    Reason.HACKED: "compromis", Reason.MAIL: "courriel", Reason.REGISTRATION: "déclaration",
    Reason.LICENCE: "licence", Reason.ABUSE: "abus", Reason.CHECK: "contrôle", Reason.PAYMENT: "paiement",
    Passage.CONSOLE: "console", Passage.REMEDIATION: "remédiation",
    ServiceKind.IRC: "IRC", ServiceKind.PROXY: "un mandataire", ServiceKind.VIDEOCHAT: "la visioconférence",
}  # fmt: skip
_ENUMERATED: Final = ("reason", "passage", "kind")


def why(decision: Decision, language: Language) -> str:
    """Say why in one sentence."""
    facts = dict(decision.facts)
    if language is FR:
        facts |= {name: _FRENCH.get(facts[name], facts[name]) for name in _ENUMERATED if name in facts}
    return WORDS[decision.key][language].format(**facts)
