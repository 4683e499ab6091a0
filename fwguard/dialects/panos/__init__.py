"""PAN-OS: XML, set lines and braces, one dialect."""

from fwguard.dialects.panos.dialect import PANOS, Panos

__all__ = ["PANOS", "Panos"]
