"""Settings of one edge: a YAML file, every value checked, every complaint with its line.

name: edge1
controller: https://controller.example:8443
ca_file: /etc/fwguard/controller-ca.pem
state_dir: /var/lib/fwguard-edge
metrics: 127.0.0.1:9469
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fwguard.errors import InputError
from fwguard.model.document import Field, read_document
from fwguard.model.inventory import NAME

DEFAULT_FILE: Final = Path("/etc/fwguard/edge.yaml")
_OPTIONAL: Final = ("ca_file", "state_dir", "metrics", "spool_most_mib", "answer_s", "suricata")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """What an agent must know before it knows anything. `ca_file` None: the certificates of the system.

    `metrics` is address and port of the Prometheus listener, None for none. Times are in seconds.
    """

    name: str
    controller: str
    ca_file: Path | None = None
    state_dir: Path = Path("/var/lib/fwguard-edge")
    metrics: tuple[str, int] | None = ("127.0.0.1", 9469)
    spool_most_bytes: int = 64 << 20
    answer_s: int = 15
    suricata: str = ""  # file:PATH, stream:PATH or datagram:PATH of its EVE output

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(f"{self.name!r}", where="name", expected="a-z, 0-9 and -, at most 40 characters")
        parts = urlsplit(self.controller)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise InputError(f"{self.controller!r}", where="controller", expected="https://HOST[:PORT]")


def read_settings(path: Path) -> EdgeSettings:
    """Read the settings of an edge. Raises InputError with file, line and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{error}", where=str(path), expected="the settings of an edge") from None
    root = read_document(text, str(path))
    fields = root.mapping(required=("name", "controller"), optional=_OPTIONAL)

    def text_of(name: str, otherwise: str) -> str:
        return fields[name].text() if name in fields else otherwise

    try:
        return EdgeSettings(
            name=fields["name"].text(),
            controller=fields["controller"].text().rstrip("/"),
            ca_file=Path(fields["ca_file"].text()) if "ca_file" in fields else None,
            state_dir=Path(text_of("state_dir", "/var/lib/fwguard-edge")),
            metrics=_listener(fields["metrics"]) if "metrics" in fields else ("127.0.0.1", 9469),
            spool_most_bytes=_number(fields, "spool_most_mib", 64, 1, 1 << 20) << 20,
            answer_s=_number(fields, "answer_s", 15, 1, 600),
            suricata=text_of("suricata", ""),
        )
    except InputError as error:
        if error.where in fields:
            raise fields[error.where].fail(str(error), error.expected) from None
        raise


def _number(fields: dict[str, Field], name: str, otherwise: int, low: int, high: int) -> int:
    return fields[name].integer(low, high) if name in fields else otherwise


def _listener(field: Field) -> tuple[str, int] | None:
    if field.text() == "none":
        return None
    host, _, port = field.text().rpartition(":")
    try:
        number = int(port)
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        number, address = -1, ""
    if not 0 <= number <= 65535:
        raise field.fail(f"{field.text()!r}", "ADDRESS:PORT, or none")
    return address, number
