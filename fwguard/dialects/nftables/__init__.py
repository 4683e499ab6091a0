"""nftables: what `nft list ruleset` prints (text and JSON) and what people write in nftables.conf."""

from __future__ import annotations

from fwguard.dialects.nftables.dialect import NFTABLES, Nftables

__all__ = ["NFTABLES", "Nftables"]
