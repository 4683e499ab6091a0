"""VyOS 1.2 to 1.5: boot file or set commands to model and back."""

from fwguard.dialects.vyos.dialect import VYOS, Vyos

__all__ = ["VYOS", "Vyos"]
