"""The reasons of a risk in words, French and English: one literal table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.model.inventory import Language

RISK_WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "source-anyone": {
        Language.EN: "anyone may connect",
        Language.FR: "tout le monde peut se connecter",
    },
    "source-wide": {
        Language.EN: "a wide source: {source}",
        Language.FR: "une source large : {source}",
    },
    "management": {
        Language.EN: "management service: {service}",
        Language.FR: "service d'administration : {service}",
    },
    "database": {
        Language.EN: "database: {service}",
        Language.FR: "base de données : {service}",
    },
    "any-service": {
        Language.EN: "every service at once",
        Language.FR: "tous les services à la fois",
    },
    "many-ports": {
        Language.EN: "{count} ports at once",
        Language.FR: "{count} ports à la fois",
    },
    "no-end": {
        Language.EN: "no end date",
        Language.FR: "pas de date de fin",
    },
    "long-end": {
        Language.EN: "open for {days} days",
        Language.FR: "ouvert pendant {days} jours",
    },
    "first-opening": {
        Language.EN: "the first opening of this server",
        Language.FR: "la première ouverture de ce serveur",
    },
    "wider-than-asked": {
        Language.EN: "opens more than was asked for ({count} regions)",
        Language.FR: "ouvre plus que demandé ({count} zones)",
    },
    "undecided": {
        Language.EN: "rules that cannot be read leave the effect open",
        Language.FR: "des règles illisibles laissent l'effet incertain",
    },
    "closes-too": {
        Language.EN: "closes something as well ({count} regions)",
        Language.FR: "ferme aussi quelque chose ({count} zones)",
    },
    "already-open-by-none": {
        Language.EN: "all of it is open already: no rule stands against it",
        Language.FR: "tout est déjà ouvert : aucune règle ne s'y oppose",
    },
    "already-open": {
        Language.EN: "all of it is open already (lines {lines})",
        Language.FR: "tout est déjà ouvert (lignes {lines})",
    },
    "narrow": {
        Language.EN: "a narrow source and an ordinary service",
        Language.FR: "une source étroite et un service ordinaire",
    },
}
