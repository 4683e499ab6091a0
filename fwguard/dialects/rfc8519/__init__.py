"""The RFC 8519 dialect: ietf-access-control-list, ietf-nat and static routes, as XML or RFC 7951 JSON."""

from __future__ import annotations

import re
from typing import Final

from fwguard.dialects.rfc8519.acl import AclReader
from fwguard.dialects.rfc8519.canonical import canonical
from fwguard.dialects.rfc8519.edit import apply_change
from fwguard.dialects.rfc8519.interfaces import read_interfaces
from fwguard.dialects.rfc8519.json_form import parse_json, show_json
from fwguard.dialects.rfc8519.names import ACL, INTERFACES, NAT, ROUTING, TOPS
from fwguard.dialects.rfc8519.nat import NatReader
from fwguard.dialects.rfc8519.paths import connected
from fwguard.dialects.rfc8519.routes import RouteReader
from fwguard.dialects.rfc8519.tree import BASE_NS, YANG_NS, Node, parse_xml, show_xml
from fwguard.errors import UnreadableError
from fwguard.model.change import Change, TextEdit
from fwguard.model.policy import Connected, Policy, Unread

_SNIFFED: Final = 64 << 10
_MODULES: Final = tuple(module for module, _ in TOPS)
_JSON_TOP: Final = re.compile(r'\s*\{\s*"(?:ietf-netconf:)?([\w-]+:)?[\w-]+"\s*:')


class Rfc8519:
    """Reads and writes what NETCONF serves of a firewall.

    RFC 8519 lists are stateless on paper. The Policy answers for NEW connections only, like every other
    dialect: the firewalls we guard pass what belongs to a connection that was let in (our lab's renderer
    puts `ct state established,related accept` before the lists), so an entry that asks for the ACK flag
    can match no first packet. Destination NAT comes before the lists, source NAT after.
    """

    name = "rfc8519"

    def sniff(self, text: str) -> int:
        """Return how surely `text` is of this dialect, 0 to 100."""
        head = text[:_SNIFFED]
        if head.lstrip().startswith("<"):
            if any(f'"{YANG_NS}{module}"' in head or f"'{YANG_NS}{module}'" in head for module in _MODULES):
                return 95
            return 20 if BASE_NS in head else 0
        if _JSON_TOP.match(head) and any(f'"{module}:' in head for module in _MODULES):
            return 95
        return 0

    def read(self, text: str) -> Policy:
        """Read a whole configuration. Raises UnreadableError on what is neither XML nor JSON of these."""
        tops = parse(text)
        acls, nat, routing = AclReader(), NatReader(), RouteReader()
        unread: list[Unread] = []
        for top in tops:
            known = (top.module, top.name)
            if known == (ACL, "acls"):
                acls.read(top)
            elif known == (NAT, "nat"):
                nat.read(top)
            elif known == (ROUTING, "routing"):
                routing.read(top)
            elif known == (INTERFACES, "interfaces"):
                unread += read_interfaces(top)
            else:
                unread.append(Unread(line=top.line, text=top.words(), why="another module's data"))
        unread += [*acls.unread, *nat.unread, *routing.unread]
        return Policy(
            dialect=self.name,
            chains=acls.chains,
            hooks=acls.hooks,
            nat=nat.rules,
            routes=tuple(routing.routes),
            networks=tuple(Connected(prefix, name) for prefix, name in connected(tops)),
            unread=tuple(sorted(unread, key=lambda one: one.line)),
        )

    def write(self, change: Change, text: str) -> TextEdit:
        """Return the text with the change: each entry before the first drop that covers it.

        The text comes back laid out by us, in the form (XML or JSON) that it had. Raises InputError when
        no list judges what is to be opened.
        """
        tops = parse(text)
        show = show_json if _is_json(text) else show_xml
        moved = apply_change(change, tops)
        sign = "-" if change.remove else "+"
        # The first and last line are the envelope of the text, which is no part of the change.
        lines = [line for node in moved for line in show([node]).splitlines()[1:-1]]
        return TextEdit(after=show(tops), shown="\n".join(f"{sign} {line}" for line in lines))

    def canonical(self, text: str) -> str:
        """Return what is compared: see canonical.py."""
        return canonical(parse(text))


RFC8519: Final = Rfc8519()


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] == "{"


def parse(text: str) -> list[Node]:
    """Return the top-level nodes of either form. Raises UnreadableError."""
    if not text.strip():
        raise UnreadableError("an empty text", line=1, expected="<config>, <acls> or a JSON object")
    tops = parse_json(text) if _is_json(text) else parse_xml(text)
    if tops and not any((top.module, top.name) in TOPS for top in tops):
        first = tops[0]
        raise UnreadableError(
            f"{first.name} of {first.module or 'no namespace'}", line=first.line,
            expected="acls, nat, routing or interfaces of the IETF modules",
        )  # fmt: skip
    return tops


def lay_out(text: str) -> str:
    """Return the same data one node a line: order, names and values as they are, prefixes resolved."""
    tops = parse(text)
    return show_json(tops) if _is_json(text) else show_xml(tops)
