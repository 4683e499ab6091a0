"""What analysis says to a person, in French and in English: one literal table, so that nothing is said in
one language only. `{…}` are filled by `explain.py` and `phrase`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fwguard.model.inventory import Language

WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    # What a region is.
    "anyone": {Language.EN: "anyone", Language.FR: "tout le monde"},
    "anyone-v4": {Language.EN: "anyone over IPv4", Language.FR: "tout le monde en IPv4"},
    "anyone-v6": {Language.EN: "anyone over IPv6", Language.FR: "tout le monde en IPv6"},
    "every-address": {Language.EN: "every address", Language.FR: "toutes les adresses"},
    "every-address-v4": {Language.EN: "every IPv4 address", Language.FR: "toutes les adresses IPv4"},
    "every-address-v6": {Language.EN: "every IPv6 address", Language.FR: "toutes les adresses IPv6"},
    "anyone-but": {
        Language.EN: "anyone but {rest}",
        Language.FR: "tout le monde sauf {rest}",
    },
    "every-address-but": {
        Language.EN: "every address but {rest}",
        Language.FR: "toutes les adresses sauf {rest}",
    },
    "names-not": {
        Language.EN: "any but {names}",
        Language.FR: "toute autre que {names}",
    },
    "names-but": {
        Language.EN: "{names} without {but}",
        Language.FR: "{names} sans {but}",
    },
    "anywhere": {Language.EN: "anywhere", Language.FR: "partout"},
    "itself": {Language.EN: "the firewall itself", Language.FR: "du pare-feu lui-même"},
    "itself-at": {
        Language.EN: "the firewall itself ({target})",
        Language.FR: "du pare-feu lui-même ({target})",
    },
    "every-service": {Language.EN: "every service", Language.FR: "tous les services"},
    "all-but": {Language.EN: "everything but {rest}", Language.FR: "tout sauf {rest}"},
    "ping": {Language.EN: "ping", Language.FR: "ping"},
    "more": {Language.EN: "and {count} more", Language.FR: "et {count} de plus"},
    "from-ports": {Language.EN: " from source port {ports}", Language.FR: " depuis le port source {ports}"},
    "in": {Language.EN: " (in by {names})", Language.FR: " (entrée par {names})"},
    "out": {Language.EN: " (out by {names})", Language.FR: " (sortie par {names})"},
    "in-out": {
        Language.EN: " (in by {names}, out by {others})",
        Language.FR: " (entrée par {names}, sortie par {others})",
    },
    # What a change of the filter does.
    "opens": {
        Language.EN: "opens {service} of {target} to {source}",
        Language.FR: "ouvre {service} de {target} à {source}",
    },
    "closes": {
        Language.EN: "closes {service} of {target} to {source}",
        Language.FR: "ferme {service} de {target} à {source}",
    },
    "may-open": {
        Language.EN: "may open {service} of {target} to {source}; a rule cannot be read",
        Language.FR: "ouvre peut-être {service} de {target} à {source} ; une règle est illisible",
    },
    "may-close": {
        Language.EN: "may close {service} of {target} to {source}; a rule cannot be read",
        Language.FR: "ferme peut-être {service} de {target} à {source} ; une règle est illisible",
    },
    "unclear": {
        Language.EN: "changes {service} of {target} for {source}, nobody knows how: a rule cannot be read",
        Language.FR: "change {service} de {target} pour {source}, on ne sait comment : règle illisible",
    },
    "reach-opens": {
        Language.EN: "lets {source} reach {service} {target}",
        Language.FR: "laisse {source} atteindre {service} {target}",
    },
    "reach-closes": {
        Language.EN: "no longer lets {source} reach {service} {target}",
        Language.FR: "ne laisse plus {source} atteindre {service} {target}",
    },
    "reach-may-open": {
        Language.EN: "may let {source} reach {service} {target}; a rule cannot be read",
        Language.FR: "laisse peut-être {source} atteindre {service} {target} ; une règle est illisible",
    },
    "reach-may-close": {
        Language.EN: "may no longer let {source} reach {service} {target}; a rule cannot be read",
        Language.FR: (
            "ne laisse peut-être plus {source} atteindre {service} {target} ; une règle est illisible"
        ),
    },
    "reach-unclear": {
        Language.EN: "changes whether {source} reaches {service} {target}; a rule cannot be read",
        Language.FR: "change l'accès de {source} à {service} {target} ; une règle est illisible",
    },
    "from-itself": {Language.EN: "the firewall itself", Language.FR: "le pare-feu lui-même"},
    "at": {Language.EN: "of {target}", Language.FR: "de {target}"},
    # NAT.
    "dnat+": {
        Language.EN: "redirects {service} of {target} to {to}",
        Language.FR: "redirige {service} de {target} vers {to}",
    },
    "dnat-": {
        Language.EN: "no longer redirects {service} of {target} to {to}",
        Language.FR: "ne redirige plus {service} de {target} vers {to}",
    },
    "snat+": {
        Language.EN: "sends what comes from {source} to {target} as {to}",
        Language.FR: "envoie ce qui vient de {source} vers {target} sous l'adresse {to}",
    },
    "snat-": {
        Language.EN: "no longer sends what comes from {source} to {target} as {to}",
        Language.FR: "n'envoie plus ce qui vient de {source} vers {target} sous l'adresse {to}",
    },
    "exempt+": {
        Language.EN: "exempts {service} from {source} to {target} from address translation",
        Language.FR: "exempte de traduction d'adresses {service} de {source} vers {target}",
    },
    "exempt-": {
        Language.EN: "no longer exempts {service} from {source} to {target} from address translation",
        Language.FR: "n'exempte plus de traduction d'adresses {service} de {source} vers {target}",
    },
    "unknown-nat+": {
        Language.EN: "adds an address translation that cannot be read (line {line}: {text})",
        Language.FR: "ajoute une traduction d'adresses illisible (ligne {line} : {text})",
    },
    "unknown-nat-": {
        Language.EN: "removes an address translation that cannot be read ({text})",
        Language.FR: "supprime une traduction d'adresses illisible ({text})",
    },
    "nat-order": {
        Language.EN: "changes the order of address translations, which matters",
        Language.FR: "change l'ordre des traductions d'adresses, ce qui a un effet",
    },
    "own-address": {Language.EN: "the firewall's own address", Language.FR: "l'adresse du pare-feu"},
    "to-port": {Language.EN: "{address} port {port}", Language.FR: "{address} port {port}"},
    "port-only": {Language.EN: "port {port}", Language.FR: "port {port}"},
    # Routes.
    "route+": {
        Language.EN: "adds a {kind}route to {prefix}{way}",
        Language.FR: "ajoute une route {kind}vers {prefix}{way}",
    },
    "route-": {
        Language.EN: "removes the {kind}route to {prefix}{way}",
        Language.FR: "supprime la route {kind}vers {prefix}{way}",
    },
    "via": {Language.EN: " via {via}", Language.FR: " via {via}"},
    "by": {Language.EN: " by {interface}", Language.FR: " par {interface}"},
    "table": {Language.EN: " in table {table}", Language.FR: " dans la table {table}"},
    # Text.
    "unread+": {
        Language.EN: "adds a line that cannot be read (line {line}: {text})",
        Language.FR: "ajoute une ligne illisible (ligne {line} : {text})",
    },
    "unread-": {
        Language.EN: "removes a line that cannot be read ({text})",
        Language.FR: "supprime une ligne illisible ({text})",
    },
    "idle-added": {
        Language.EN: "adds a rule without effect on new connections (line {line}: {text})",
        Language.FR: "ajoute une règle sans effet sur les nouvelles connexions (ligne {line} : {text})",
    },
    "idle-removed": {
        Language.EN: "removes a rule without effect on new connections ({text})",
        Language.FR: "supprime une règle sans effet sur les nouvelles connexions ({text})",
    },
    "idle-order": {
        Language.EN: "changes the order of rules without effect",
        Language.FR: "change l'ordre des règles sans effet",
    },
    # Lint.
    "lint-shadowed-by-one": {
        Language.EN: "no packet gets here: line {lines} decides everything that it matches",
        Language.FR: "aucun paquet n'arrive ici : la ligne {lines} décide de tout ce qu'elle filtre",
    },
    "lint-shadowed-by-none": {
        Language.EN: "no packet gets here",
        Language.FR: "aucun paquet n'arrive ici",
    },
    "lint-shadowed": {
        Language.EN: "no packet gets here: lines {lines} decide everything that it matches",
        Language.FR: "aucun paquet n'arrive ici : les lignes {lines} décident de tout ce qu'elle filtre",
    },
    "lint-redundant-by-one": {
        Language.EN: "without it the same would happen, by line {lines}",
        Language.FR: "sans elle il se passerait la même chose, par la ligne {lines}",
    },
    "lint-redundant-by-none": {
        Language.EN: "without it the same would happen",
        Language.FR: "sans elle il se passerait la même chose",
    },
    "lint-redundant": {
        Language.EN: "without it the same would happen, by lines {lines}",
        Language.FR: "sans elle il se passerait la même chose, par les lignes {lines}",
    },
    "lint-empty": {
        Language.EN: "no packet can match: its conditions exclude each other",
        Language.FR: "aucun paquet ne peut correspondre : ses conditions s'excluent",
    },
    "lint-contradicts": {
        Language.EN: "no packet that gets to its chain can match",
        Language.FR: "aucun paquet qui arrive dans sa chaîne ne peut correspondre",
    },
    "lint-never-entered": {
        Language.EN: "nothing leads to chain {chain}",
        Language.FR: "rien ne mène à la chaîne {chain}",
    },
    "lint-default-accepts": {
        Language.EN: "what no rule names is accepted in {hook}: chain {chain} accepts by default",
        Language.FR: "ce qu'aucune règle ne nomme est accepté en {hook} : la chaîne {chain} accepte par défaut",
    },
    "lint-too-wide": {
        Language.EN: "accepts everything from anyone in {hook}",
        Language.FR: "accepte tout de tout le monde en {hook}",
    },
    "lint-wider-than-comment": {
        Language.EN: "lets more pass than its comment says: {said}",
        Language.FR: "laisse passer plus que ne dit son commentaire : {said}",
    },
    "lint-wider-than-ticket": {
        Language.EN: "lets more pass than ticket {ticket} asked for",
        Language.FR: "laisse passer plus que n'a demandé le ticket {ticket}",
    },
    "lint-any-service": {
        Language.EN: "lets every service be reached from the Internet",
        Language.FR: "laisse atteindre tous les services depuis Internet",
    },
    "lint-management": {
        Language.EN: "lets management or databases be reached from the Internet: {service}",
        Language.FR: "laisse atteindre l'administration ou des bases de données depuis Internet : {service}",
    },
    "lint-unread": {
        Language.EN: "cannot be read, so nobody knows what it does: {text}",
        Language.FR: "illisible, donc personne ne sait ce qu'elle fait : {text}",
    },
    # What-if.
    "already-all": {
        Language.EN: "All of it is open already, by lines {lines}.",
        Language.FR: "Tout est déjà ouvert, par les lignes {lines}.",
    },
    "already-all-by-one": {
        Language.EN: "All of it is open already, by line {lines}.",
        Language.FR: "Tout est déjà ouvert, par la ligne {lines}.",
    },
    "already-all-by-none": {
        Language.EN: "All of it is open already: no rule stands against it.",
        Language.FR: "Tout est déjà ouvert : aucune règle ne s'y oppose.",
    },
    "already-part-by-one": {
        Language.EN: "Part of it is open already, by line {lines}.",
        Language.FR: "Une partie est déjà ouverte, par la ligne {lines}.",
    },
    "already-part-by-none": {
        Language.EN: "Part of it is open already, or may be.",
        Language.FR: "Une partie est déjà ouverte, ou l'est peut-être.",
    },
    "already-part": {
        Language.EN: "Part of it is open already, by lines {lines}.",
        Language.FR: "Une partie est déjà ouverte, par les lignes {lines}.",
    },
    "already-none": {
        Language.EN: "None of it is open today.",
        Language.FR: "Rien n'en est ouvert aujourd'hui.",
    },
    "change": {Language.EN: "The change:", Language.FR: "Le changement :"},
    "then-part": {
        Language.EN: "Not all of what was asked would surely pass.",
        Language.FR: "Tout ce qui est demandé ne passerait pas à coup sûr.",
    },
    "then-none": {
        Language.EN: "Nothing of what was asked would pass.",
        Language.FR: "Rien de ce qui est demandé ne passerait.",
    },
    "wider": {
        Language.EN: "Wider than asked:",
        Language.FR: "Plus large que demandé :",
    },
    "risk": {Language.EN: "Risk: {name} ({score})", Language.FR: "Risque : {name} ({score})"},
    # The picture.
    "picture-title": {
        Language.EN: "Who reaches what through this firewall",
        Language.FR: "Qui atteint quoi à travers ce pare-feu",
    },
    "picture-what": {
        Language.EN: "{count} lines from sources on the left to targets on the right; dashed where a rule "
        "cannot be read",
        Language.FR: "{count} traits des sources à gauche aux cibles à droite ; en pointillés où une règle "
        "est illisible",
    },
    "picture-edge": {
        Language.EN: "{source} reaches {service} of {target}",
        Language.FR: "{source} atteint {service} de {target}",
    },
    "picture-maybe": {
        Language.EN: "{source} may reach {service} of {target}",
        Language.FR: "{source} atteint peut-être {service} de {target}",
    },
    "picture-nothing": {
        Language.EN: "Nothing passes.",
        Language.FR: "Rien ne passe.",
    },
    "omitted": {
        Language.EN: "and {count} more regions that pass differently",
        Language.FR: "et {count} autres régions filtrées autrement",
    },
}


def by_lines(key: str, lines: Sequence[int]) -> str:
    """Return the entry that speaks of so many lines: none, one or several."""
    return f"{key}-by-none" if not lines else f"{key}-by-one" if len(lines) == 1 else key


def phrase(key: str, language: Language, /, **values: object) -> str:
    """Return one entry of the table, filled in."""
    return WORDS[key][language].format(**values)
