"""iptables-save and ip6tables-save: text to model and back."""

from fwguard.dialects.iptables.dialect import IPTABLES, Iptables

__all__ = ["IPTABLES", "Iptables"]
