"""What is wrong with a request, in words that tell its author what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from fwguard.model.inventory import Language


class ProblemCode(StrEnum):
    """Every way in which a request cannot be understood; `_WORDS` says it."""

    EMPTY = "empty"
    NOT_UNDERSTOOD = "not-understood"
    SEVERAL_REQUESTS = "several-requests"
    NO_SERVER = "no-server"
    UNKNOWN_SERVER = "unknown-server"
    NO_PORT = "no-port"
    BAD_PORT = "bad-port"
    PORT_RANGE = "port-range"
    PORT_REVERSED = "port-reversed"
    NO_PROTOCOL = "no-protocol"
    BAD_PROTOCOL = "bad-protocol"
    NO_SOURCE = "no-source"
    BAD_SOURCE = "bad-source"
    NO_END = "no-end"
    BAD_END = "bad-end"
    END_PASSED = "end-passed"
    END_TOO_FAR = "end-too-far"
    NO_REASON = "no-reason"


# French, English. {names} are the problem's params.
_WORDS: Final[Mapping[ProblemCode, tuple[str, str]]] = {
    ProblemCode.EMPTY: (
        "Votre message ne contient aucun texte.",
        "Your message contains no text.",
    ),
    ProblemCode.NOT_UNDERSTOOD: (
        "Nous n'avons trouvé aucune demande d'ouverture dans votre message.",
        "We found no request for an opening in your message.",
    ),
    ProblemCode.SEVERAL_REQUESTS: (
        "Votre message contient plusieurs demandes : merci d'en envoyer une seule par message.",
        "Your message contains several requests: please send one per message.",
    ),
    ProblemCode.NO_SERVER: (
        "Il manque le serveur à joindre (ligne « Serveur »).",
        'The server to reach is missing (line "Server").',
    ),
    ProblemCode.UNKNOWN_SERVER: (
        "Le serveur « {value} » n'est pas l'un des vôtres. Vos serveurs : {known}.",
        'The server "{value}" is not one of yours. Your servers: {known}.',
    ),
    ProblemCode.NO_PORT: (
        "Il manque le port à ouvrir (ligne « Port », par exemple tcp/443).",
        'The port to open is missing (line "Port", for example tcp/443).',
    ),
    ProblemCode.BAD_PORT: (
        "Le port « {value} » est illisible : écrivez par exemple tcp/443, tcp/8000-8010 ou udp/53.",
        'The port "{value}" cannot be read: write for example tcp/443, tcp/8000-8010 or udp/53.',
    ),
    ProblemCode.PORT_RANGE: (
        "Le port {value} n'existe pas : un port va de 1 à 65535.",
        "Port {value} does not exist: ports go from 1 to 65535.",
    ),
    ProblemCode.PORT_REVERSED: (
        "L'intervalle de ports {value} est à l'envers.",
        "The port range {value} is reversed.",
    ),
    ProblemCode.NO_PROTOCOL: (
        "Le port {value} est-il en tcp ou en udp ? Écrivez par exemple tcp/{value}.",
        "Is port {value} tcp or udp? Write for example tcp/{value}.",
    ),
    ProblemCode.BAD_PROTOCOL: (
        "Le protocole « {value} » ne peut pas être ouvert : tcp, udp, sctp ou icmp.",
        'The protocol "{value}" cannot be opened: tcp, udp, sctp or icmp.',
    ),
    ProblemCode.NO_SOURCE: (
        "Il manque l'origine des connexions (ligne « Depuis » : une adresse, un réseau, ou « partout »).",
        'Where connections come from is missing (line "From": an address, a network, or "any").',
    ),
    ProblemCode.BAD_SOURCE: (
        "L'origine « {value} » n'est ni une adresse, ni un réseau, ni « partout ».",
        'The source "{value}" is no address, no network and not "any".',
    ),
    ProblemCode.NO_END: (
        "Il manque la date de fin (ligne « Jusqu'au » : 31/12/2026, 30 jours, ou « sans fin »).",
        'The end date is missing (line "Until": 2026-12-31, 30 days, or "no end").',
    ),
    ProblemCode.BAD_END: (
        "La date de fin « {value} » est illisible : écrivez par exemple 31/12/2026 ou 30 jours.",
        'The end date "{value}" cannot be read: write for example 2026-12-31 or 30 days.',
    ),
    ProblemCode.END_PASSED: (
        "La date de fin ({value}) est déjà passée.",
        "The end date ({value}) has already passed.",
    ),
    ProblemCode.END_TOO_FAR: (
        "La date de fin ({value}) est à plus de dix ans : écrivez « sans fin » si tel est votre souhait.",
        'The end date ({value}) is more than ten years ahead: write "no end" if you mean that.',
    ),
    ProblemCode.NO_REASON: (
        "Il manque le motif de votre demande (ligne « Motif »).",
        'The reason for your request is missing (line "Reason").',
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `params` are one-line texts, at most 80 characters each."""

    code: ProblemCode
    params: Mapping[str, str] = field(default_factory=dict)

    def words(self, language: Language) -> str:
        """Say it to the author of the request."""
        text = _WORDS[self.code][0 if language is Language.FR else 1]
        return text.format(**self.params)
