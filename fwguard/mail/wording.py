"""What a request asks for, in the language of the person who is written to."""

from __future__ import annotations

from typing import Final

from fwguard.model.address import ANY_ADDRESS
from fwguard.model.inventory import Language
from fwguard.model.ports import show_ports, show_protocol
from fwguard.model.ticket import Ask

_FROM: Final = {Language.FR: "depuis", Language.EN: "from"}
_TO: Final = {Language.FR: "vers", Language.EN: "to"}
_ANY: Final = {Language.FR: "partout", Language.EN: "anywhere"}


def ask_words(ask: Ask, language: Language) -> str:
    """Say an ask in one line: "tcp/443 depuis partout vers web1", "tcp/443 from anywhere to web1"."""
    ports = f"/{show_ports(ask.ports)}" if ask.ports else ""
    source = _ANY[language] if ask.source == ANY_ADDRESS else str(ask.source)
    return f"{show_protocol(ask.protocol)}{ports} {_FROM[language]} {source} {_TO[language]} {ask.server}"
