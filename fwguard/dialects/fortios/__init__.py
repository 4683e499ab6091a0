"""The dialect of FortiOS: the text of a backup or of `show full-configuration`, and scripts of commands."""

from fwguard.dialects.fortios.dialect import FORTIOS

__all__ = ["FORTIOS"]
