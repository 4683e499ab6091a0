"""Server names that tell a service: a name is known when it is one of the list or below one."""

from __future__ import annotations

from typing import Final

from fwguard.detect.flow import Flow

_FEW: Final = 8


def known(name: str, suffixes: frozenset[str]) -> str:
    """Return the suffix of the list that the name ends in, label by label, or ""."""
    while name:
        if name in suffixes:
            return name
        name = name.partition(".")[2]
    return ""


def spoken_names(flow: Flow) -> tuple[str, ...]:
    """Return the name that the client asked for, or the certificate's when it asked for none or an address.

    Many alternative names are those of every service behind an address, and tell nothing of this one.
    """
    if flow.hello is not None and flow.hello.name and not flow.hello.name.replace(".", "").isdigit():
        return (flow.hello.name,)
    flight = flow.server_flight
    if flight is None or flight.certificate is None:
        return ()
    certificate = flight.certificate
    names = (certificate.subject.lower(), *(certificate.names if len(certificate.names) <= _FEW else ()))
    return tuple(name.removeprefix("*.") for name in names if name)
