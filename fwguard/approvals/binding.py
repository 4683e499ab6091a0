"""What an approval binds: if any of it moves, the approval is void and asked again (DESIGN.md 4.1)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """All that the person saw and said yes to; digests are SHA-256 in hex, times ISO 8601 in UTC."""

    request: str  # the ask in words, with its server and reason
    device: str
    host_key: str
    before: str  # digest of the native text before
    after: str  # and after
    opens: tuple[str, ...]
    closes: tuple[str, ...]
    ends_at: str
    rules: str  # digest of rules/ and approvals/

    @property
    def digest(self) -> str:
        """Return the SHA-256 over the canonical JSON of all fields."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def effect(self) -> tuple[object, ...]:
        """Return what must recompute identically for an approval to follow a baseline that another approved
        deployment moved: everything but the digests of the native texts."""
        return (self.request, self.device, self.host_key, self.opens, self.closes, self.ends_at, self.rules)
