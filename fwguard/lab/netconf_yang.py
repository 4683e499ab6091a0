"""The YANG modules that the lab's netconfd serves: those of the IETF, made palatable at run time.

They come with Debian's yuma123 and with pyang, and none is copied into our tree. netconfd 2.13 speaks
YANG 1 with some of 1.1, so each text is changed as follows, and only so:

- `if-feature "a and b"` becomes two statements (RFC 7950 section 7.20.2, both must hold);
- `if-feature "a or b"` goes: the nodes are there always;
- `when "derived-from-or-self(…)"` goes: netconfd lacks the function (RFC 7950 section 10.4.1), and a
  list of type ipv4 may hold an ipv6 condition (our reader and renderer match nothing with it).

What netconfd serves after that: all of ietf-access-control-list, ietf-nat and the static routes of
ietf-routing, v4 and v6. What it holds is configuration only: counters, NAT sessions and RIBs stay empty.
RFC 8512 itself has no IPv6 address pool: source NAT of IPv6 is by the interface's own address or NPTv6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

from fwguard.errors import DeviceError

SYSTEM_MODULES: Final = "/usr/share/yuma/modules"
# In the order that they are loaded; the others are imported by them.
SERVED: Final = (
    "iana-if-type",
    "ietf-interfaces",
    "ietf-ip",
    "ietf-access-control-list",
    "ietf-nat",
    "ietf-routing",
    "ietf-ipv4-unicast-routing",
    "ietf-ipv6-unicast-routing",
)
_PATCHED: Final = frozenset(
    {*SERVED[1:], "ietf-packet-fields", "ietf-ethertypes", "ietf-ipv6-router-advertisements"}
)
_IF_FEATURE: Final = re.compile(r'( *)if-feature\s+("[^;]*?")\s*;')
_WHEN: Final = re.compile(r"\bwhen\s+\"derived-from-or-self\([^;{]*(?:;|\{[^}]*\})")
_JOIN: Final = re.compile(r'"\s*\+\s*"')


@lru_cache(maxsize=1)
def modules() -> Mapping[str, str]:
    """Return the texts of the patched modules by file name. Raises DeviceError when pyang lacks one."""
    found: dict[str, str] = {}
    for file in metadata.files("pyang") or []:
        path = Path(str(file))
        if path.suffix == ".yang" and path.stem in _PATCHED:
            found[path.name] = patched(Path(str(file.locate())).read_text())
    missing = sorted(_PATCHED - {name.removesuffix(".yang") for name in found})
    if missing:
        raise DeviceError(f"pyang here lacks the modules {', '.join(missing)}; `make setup` installs it")
    return found


def patched(text: str) -> str:
    """Return a module as netconfd 2.13 can read it; see above."""

    def feature(match: re.Match[str]) -> str:
        said = " ".join(_JOIN.sub("", match[2]).strip('"').split())
        if " or " in said:
            return ""
        return "\n".join(f"{match[1]}if-feature {name};" for name in said.split(" and "))

    return _WHEN.sub("", _IF_FEATURE.sub(feature, text))
