"""The dialect of Cisco IOS access lists, with the interfaces they stand on, NAT and static routes."""

from fwguard.dialects.ios.dialect import IOS

__all__ = ["IOS"]
