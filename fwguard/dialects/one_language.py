"""A firewall that says all of itself in one language: what runs, and what starts where that is kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.table import DIALECTS
from fwguard.model.change import Change, Edit
from fwguard.model.policy import Policy
from fwguard.model.snapshot import Snapshot

RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class OneLanguage:
    """Reads, compares and edits the parts `running` and `startup`, both in the dialect of that name."""

    dialect: str

    def policy(self, snapshot: Snapshot) -> Policy:
        """Return what runs. Raises UnreadableError, also when it was not read."""
        return DIALECTS[self.dialect].read(snapshot.get(RUNNING))

    def canonical(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return each part as it is compared. Raises UnreadableError."""
        return {name: DIALECTS[self.dialect].canonical(text) for name, text in snapshot.parts.items()}

    def write(self, change: Change, snapshot: Snapshot) -> Edit:
        """Return the state after the change: what starts becomes what runs, as saving it does.

        Raises InputError as the dialect does.
        """
        edit = DIALECTS[self.dialect].write(change, snapshot.get(RUNNING))
        return Edit(after=Snapshot(dict.fromkeys(snapshot.parts, edit.after)), shown=edit.shown)


ASA: Final = OneLanguage("asa")
IOS: Final = OneLanguage("ios")
FORTIOS: Final = OneLanguage("fortios")
VYOS: Final = OneLanguage("vyos")
JUNOS: Final = OneLanguage("junos")
PANOS: Final = OneLanguage("panos")
PFSENSE: Final = OneLanguage("pfsense")
OPNSENSE: Final = OneLanguage("opnsense")
FRR: Final = OneLanguage("frr")
