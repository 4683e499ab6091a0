"""What a client is told of a cut: what it was, why, what to do, in French and in English: literal tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fwguard.model.controls import Reason
from fwguard.model.edge_grants import Scope
from fwguard.model.inventory import Language
from fwguard.model.ports import show_protocol
from fwguard.store.isolations import IsolationRow

EN, FR = Language.EN, Language.FR
Said = Mapping[Language, str]

WHY: Final[Mapping[Reason, Said]] = {
    Reason.DANGER: {FR: "danger pour la plateforme", EN: "danger to the platform"},
    Reason.INTRUSION: {FR: "intrusion ou tentative d'intrusion", EN: "intrusion, or an attempt at one"},
    Reason.SPAM: {FR: "envoi de pourriel", EN: "spam was sent"},
    Reason.UPDATES: {FR: "mises à jour de sécurité non appliquées", EN: "security updates were not applied"},
    Reason.HACKED: {FR: "serveur compromis", EN: "the server is compromised"},
    Reason.MAIL: {
        FR: "envoi de courriel depuis un serveur qui n'est pas déclaré comme serveur de messagerie",
        EN: "mail sent by a server that is not declared as a mail server",
    },
    Reason.REGISTRATION: {
        FR: "logiciel soumis à déclaration et non déclaré",
        EN: "software that must be registered, and is not",
    },
    Reason.LICENCE: {FR: "redevances de licence impayées", EN: "licence fees are unpaid"},
    Reason.ABUSE: {FR: "plaintes de tiers restées sans effet", EN: "complaints of others that had no effect"},
    Reason.CHECK: {FR: "manquement constaté lors d'un contrôle", EN: "a breach found by a check"},
    Reason.PAYMENT: {FR: "factures impayées", EN: "invoices are unpaid"},
}
_LOOK: Final = {
    FR: "Trouvez le programme à l'origine de ce trafic et arrêtez-le ; la page du dossier donne les paquets.",
    EN: "Find the program that causes this traffic and stop it; the page of the case has the packets.",
}
_CLEAN: Final = {
    FR: "Changez les mots de passe et les clés ; en cas de doute, réinstallez le serveur.",
    EN: "Change passwords and keys; if in doubt, reinstall the server.",
}
_CHECK_AGAIN: Final = {
    FR: "Puis demandez un nouveau contrôle sur la page du dossier.",
    EN: "Then ask for a new check on the page of the case.",
}
_ANSWER: Final = {
    FR: "Répondez à ce message quand c'est fait : une personne vérifie et rétablit.",
    EN: "Answer this message when it is done: a person checks and restores it.",
}
STEPS: Final[Mapping[Reason, tuple[Said, ...]]] = {
    Reason.DANGER: (_LOOK, _ANSWER),
    Reason.INTRUSION: (_LOOK, _CLEAN, _CHECK_AGAIN),
    Reason.SPAM: (_LOOK, _CLEAN, _CHECK_AGAIN),
    Reason.UPDATES: (
        {FR: "Appliquez les mises à jour annoncées.", EN: "Apply the updates that were announced."}, _ANSWER,
    ),
    Reason.HACKED: (
        {FR: "Réinstallez le serveur à neuf, puis déclarez-le sur la page du dossier.",
         EN: "Reinstall the server as new, then declare it on the page of the case."}, _ANSWER,
    ),
    Reason.MAIL: (
        {FR: "Arrêtez l'envoi de courriel, ou demandez que ce serveur soit déclaré comme serveur de messagerie.",
         EN: "Stop sending mail, or ask that this server be declared as a mail server."}, _CHECK_AGAIN,
    ),
    Reason.REGISTRATION: (
        {FR: "Arrêtez ce logiciel, ou déclarez-le auprès du support et attendez son accord.",
         EN: "Stop this software, or register it with the desk and wait for its consent."}, _CHECK_AGAIN,
    ),
    Reason.LICENCE: ({FR: "Réglez les redevances dues.", EN: "Pay the fees that are due."}, _ANSWER),
    Reason.ABUSE: (_LOOK, _ANSWER),
    Reason.CHECK: (_LOOK, _ANSWER),
    Reason.PAYMENT: ({FR: "Réglez les factures échues.", EN: "Pay the invoices that are due."}, _ANSWER),
}  # fmt: skip
_ONLY: Final = {FR: "{name} ({service} seulement)", EN: "{name} ({service} only)"}
_ONE: Final = {FR: "{name} (une connexion seulement)", EN: "{name} (one connection only)"}
_WHOLE: Final = {FR: "{name} (toute l'architecture)", EN: "{name} (the whole architecture)"}
BY_ITSELF: Final = {
    FR: "le délai est écoulé ; le serveur reste sous surveillance",
    EN: "its time is over; the server stays on watch",
}
CHECKED: Final = {
    FR: "le nouveau contrôle n'a plus rien constaté ; le serveur reste sous surveillance",
    EN: "the new check saw nothing more; the server stays on watch",
}
QUIET_AGAIN: Final = {
    FR: "plus rien n'a été constaté depuis l'avertissement",
    EN: "nothing more was seen since the warning",
}


def steps_of(reason: Reason) -> dict[Language, tuple[str, ...]]:
    """Return what the client must do, in each language."""
    return {language: tuple(step[language] for step in STEPS[reason]) for language in Language}


def what_is_cut(rows: Sequence[IsolationRow]) -> dict[Language, str]:
    """Say what is cut: a server, services of it, one connection, a whole architecture."""
    first = rows[0]
    name = first.on.partition(":")[2]
    if first.scope is Scope.ARCHITECTURE:
        return {language: _WHOLE[language].format(name=name) for language in Language}
    if any(row.scope is Scope.PORT for row in rows):
        return dict.fromkeys(Language, name)
    if all(row.is_flow for row in rows):
        return {language: _ONE[language].format(name=name) for language in Language}
    service = ", ".join(dict.fromkeys(_service(row) for row in rows if not row.is_flow))
    return {language: _ONLY[language].format(name=name, service=service) for language in Language}


def _service(row: IsolationRow) -> str:
    ports = f"{row.first_port}" if row.first_port == row.last_port else f"{row.first_port}-{row.last_port}"
    return f"{show_protocol(row.protocol)}/{ports}"
