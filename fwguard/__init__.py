"""fwguard makes a cloud host's contract hold by itself."""

__version__ = "0.1.0"
