"""A firewall of the IETF's models over NETCONF: its running datastore, and the startup one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.dialects.rfc8519 import RFC8519
from fwguard.errors import InputError
from fwguard.model.change import Change, Edit
from fwguard.model.policy import Policy
from fwguard.model.snapshot import NETCONF_PARTS, Snapshot


class Ietf:
    """Reads, compares and edits the parts `running` and `startup` (RFC 6241 section 5.1)."""

    def policy(self, snapshot: Snapshot) -> Policy:
        """Return what the running datastore does. Raises UnreadableError, also when it is absent."""
        return RFC8519.read(snapshot.get("running"))

    def canonical(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return each part as it is compared (see dialects/rfc8519/canonical.py)."""
        return {name: RFC8519.canonical(text) for name, text in snapshot.parts.items()}

    def write(self, change: Change, snapshot: Snapshot) -> Edit:
        """Return both datastores after the change; a device without a startup datastore has one only.

        A removal also succeeds when one of the two holds nothing of the tag any more. Raises InputError.
        """
        after: dict[str, str] = {}
        shown = ""
        refused: InputError | None = None
        for name in NETCONF_PARTS:
            text = snapshot.get(name)
            if not text:
                continue
            try:
                edit = RFC8519.write(change, text)
            except InputError as error:
                if not change.remove:
                    raise
                refused, after[name] = error, text
                continue
            after[name], shown = edit.after, shown or edit.shown
        if not after or (refused is not None and not shown):
            raise refused or InputError("nothing was read of this firewall", expected="its running datastore")
        return Edit(after=Snapshot(after), shown=shown)


IETF: Final = Ietf()
