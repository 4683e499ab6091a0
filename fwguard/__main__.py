"""Run fwguard as a module."""

from fwguard.cli import main

main()
