"""Junos SRX: braces, set lines and XML, one dialect."""

from fwguard.dialects.junos.dialect import JUNOS, Junos

__all__ = ["JUNOS", "Junos"]
