"""A firewall that says all of itself in one language: what runs, and what starts where that is kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.table import DIALECTS
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import Family
from fwguard.model.change import Change, Edit
from fwguard.model.policy import Action, Chain, Hook, Match, Policy, Rule, Unread
from fwguard.model.snapshot import Snapshot

RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class OneLanguage:
    """Reads, compares and edits the parts `running` and `startup`, both in the dialect of that name."""

    dialect: str

    def policy(self, snapshot: Snapshot) -> Policy:
        """Return what runs; a text that its dialect refuses makes every verdict unknown, and says so.

        Its owner may write what it likes into it, and shall not switch the guard off that way. Raises
        UnreadableError only when nothing was read.
        """
        text = snapshot.get(RUNNING)
        if not text.strip():
            raise UnreadableError(
                "an empty part", file=RUNNING, expected=f"a configuration of {self.dialect}"
            )
        try:
            return DIALECTS[self.dialect].read(text)
        except InputError as error:
            return _unknown(self.dialect, error)

    def canonical(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return each part as it is compared; a part that cannot be read is compared as its text."""
        return {name: self._canonical(text) for name, text in snapshot.parts.items()}

    def _canonical(self, text: str) -> str:
        try:
            return DIALECTS[self.dialect].canonical(text)
        except InputError as error:
            # Whatever is no text of its kind is compared as it stands: it can hide nothing that way.
            return f"unread: {error}\n{text}"

    def write(self, change: Change, snapshot: Snapshot) -> Edit:
        """Return the state after the change: what starts becomes what runs, as saving it does.

        Raises InputError as the dialect does.
        """
        edit = DIALECTS[self.dialect].write(change, snapshot.get(RUNNING))
        return Edit(after=Snapshot(dict.fromkeys(snapshot.parts, edit.after)), shown=edit.shown)


def _unknown(dialect: str, error: InputError) -> Policy:
    """Return a policy of which nobody knows what it lets pass, and why."""
    line = error.line if isinstance(error, UnreadableError) else 0
    text = f"part {RUNNING} cannot be read"
    rule = Rule(matches=(Match(),), action=Action.UNKNOWN, line=line, text=text)
    chain = Chain(name=RUNNING, families=Family.BOTH, rules=(rule,), default=Action.ACCEPT)
    return Policy(
        dialect=dialect, families=Family.BOTH, chains={RUNNING: chain},
        hooks=dict.fromkeys(Hook, (RUNNING,)),
        unread=(Unread(line=line, text=text, why=str(error)[:300]),),
    )  # fmt: skip


ASA: Final = OneLanguage("asa")
IOS: Final = OneLanguage("ios")
FORTIOS: Final = OneLanguage("fortios")
VYOS: Final = OneLanguage("vyos")
JUNOS: Final = OneLanguage("junos")
PANOS: Final = OneLanguage("panos")
PFSENSE: Final = OneLanguage("pfsense")
OPNSENSE: Final = OneLanguage("opnsense")
FRR: Final = OneLanguage("frr")
