"""A ruleset's text turned into nf_tables' own messages, by nft and the kernel, in an empty namespace.

nft writes over a socket of its own, and the kernel refuses that for a table that another socket owns. So nft
loads the text where nobody is, and what the kernel then holds is read back and sent again by the owner. That
is a check by the real kernel at the same time, and gives what to compare with later, byte for byte.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fwguard.errors import CommitRefusedError, InputError
from fwguard.kernel import nf_tables as n
from fwguard.kernel.content import Content, read_content, read_tables
from fwguard.kernel.namespaces import inside_scratch
from fwguard.kernel.netlink import NetlinkSocket

MAX_TEXT_BYTES: Final = 64 << 20
_LOAD_S: Final = 60.0
_DEVICE = re.compile(r"\bdevices?\s*=?\s*(\{[^}]*\}|\"[^\"]+\"|[\w.@-]+)")
_NAME = re.compile(r"[\w.@-]+")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole ruleset as messages, by table."""

    contents: tuple[Content, ...]

    @property
    def tables(self) -> tuple[n.Table, ...]:
        """Return the tables that it makes."""
        return tuple(content.table for content in self.contents)


def compile_text(text: str) -> Compiled:
    """Load a ruleset's text in an empty namespace and return what the kernel made of it.

    Interfaces that base chains hook to are made there as empty bridges; names in matches need none.

    Raises:
        InputError: nft or the kernel refuses the text; the message is nft's, with its line.
        NotAllowedError: it needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise InputError(f"a ruleset of {len(text)} bytes", expected=f"at most {MAX_TEXT_BYTES}")
    devices = hooked_devices(text)

    def load() -> Compiled:
        if devices:
            lines = "".join(f"link add name {name} type bridge\n" for name in devices)
            _run(("ip", "-batch", "-"), lines, "stand-ins for " + ", ".join(devices))
        _run(("nft", "-f", "-"), text, "ruleset")
        with NetlinkSocket() as socket:
            return Compiled(tuple(read_content(socket, table) for table in read_tables(socket)))

    return inside_scratch(load)


def hooked_devices(text: str) -> tuple[str, ...]:
    """Return the interfaces that base chains hook to: `device "a"`, `devices = { a, b }` (nft(8), CHAINS)."""
    bare = re.sub(r"#.*", "", text)
    names: dict[str, None] = {}
    for line in bare.splitlines():
        if " hook " in line or line.lstrip().startswith("type "):
            for found in _DEVICE.findall(line):
                names |= dict.fromkeys(_NAME.findall(found))
    return tuple(name for name in names if name != "lo")


def _run(command: Iterable[str], text: str, where: str) -> None:
    words = list(command)
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=_LOAD_S)
    except FileNotFoundError:
        raise CommitRefusedError(f"{words[0]} is not installed: apt-get install nftables iproute2") from None
    except subprocess.TimeoutExpired:
        raise CommitRefusedError(
            f"{where}: {words[0]} took more than {_LOAD_S:g} s; make the text shorter"
        ) from None
    if done.returncode:
        said = done.stderr.strip()[:2000]
        raise InputError(
            said, where=where, expected="a text that nft and this kernel accept; nothing was changed"
        )
