"""The dialect of Cisco ASA, from 8.3 on (before, access lists see translated addresses and are in doubt)."""

from fwguard.dialects.asa.dialect import ASA

__all__ = ["ASA"]
