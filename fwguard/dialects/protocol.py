"""What every dialect can do."""

from __future__ import annotations

from typing import Protocol

from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Policy


class Dialect(Protocol):
    """One configuration language. All methods are pure; all raise UnreadableError on what it is not."""

    name: str

    def sniff(self, text: str) -> int:
        """Return how surely `text` is of this dialect, 0 to 100. Reads at most its first 64 KiB."""
        ...

    def read(self, text: str) -> Policy:
        """Read a whole configuration. What is well-formed but not understood goes to `unread` and makes
        the rules it touches unknown; what is no text of this dialect at all raises UnreadableError."""
        ...

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change at the right place in its order, for every family it means.

        Raises InputError when the text has no place for it (no forward chain, no NAT).
        """
        ...

    def canonical(self, text: str) -> str:
        """Return the text without what is no difference: counters, handles, comments, timestamps, order
        without meaning. Equal canonical texts are equal firewalls; a rule without effect still differs."""
        ...
