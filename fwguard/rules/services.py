"""Named services: `services.yaml`, the one place that says by which ports a service is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fwguard.errors import InputError
from fwguard.model.document import read_document
from fwguard.model.ports import WITH_PORTS, parse_ports, parse_protocol

ServicePorts = tuple[tuple[int, int, int], ...]
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


def read_services(folder: Path) -> Mapping[str, ServicePorts]:
    """Read `services.yaml` of the folder `rules/`: (protocol, first port, last port) by name.

    Raises InputError with file, line and what was expected.
    """
    path = folder / "services.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{error}", where=str(path), expected="the named services") from None
    return parse_services(text, str(path))


def parse_services(text: str, file: str) -> Mapping[str, ServicePorts]:
    """Read the text of `services.yaml`."""
    services: dict[str, ServicePorts] = {}
    for name, field in read_document(text, file).mapping().items():
        if not _NAME.fullmatch(name):
            raise field.fail(f"{name!r} is no name", "a-z, 0-9 and -, at most 40 characters")
        ports = tuple(one.parsed(_ports) for one in field.sequence())
        if not ports:
            raise field.fail("has no port", "a list as [tcp/25]")
        services[name] = ports
    return services


def _ports(text: str) -> tuple[int, int, int]:
    protocol_text, slash, ports_text = text.partition("/")
    protocol = parse_protocol(protocol_text)
    pairs = parse_ports(ports_text).pairs if slash else ()
    if protocol not in WITH_PORTS or len(pairs) != 1 or pairs[0][0] == 0:
        raise InputError(f"{text!r}", expected="a protocol and ports, as tcp/25 or udp/3478-3481")
    return protocol, *pairs[0]
