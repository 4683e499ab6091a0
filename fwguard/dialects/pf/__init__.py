"""pfSense and OPNsense: config.xml to model and back. Both are FreeBSD's pf behind a page."""

from fwguard.dialects.pf.dialect import OPNSENSE, PFSENSE, PfXml

__all__ = ["OPNSENSE", "PFSENSE", "PfXml"]
