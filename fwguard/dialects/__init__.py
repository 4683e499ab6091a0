"""Firewall text <-> model, pure. One file (or folder) per language, one protocol, one literal table."""
