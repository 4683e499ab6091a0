"""What a client can do to its own NETCONF firewall, as root from inside, with a NETCONF session of its own.

`python -m fwguard.lab.netconf_tamper WAY WEB4 WEB6 PUBLIC4 PUBLIC6 VIA4 VIA6` does one of them. `SCRIPTS`
holds the same as lines for `sh`, with the variables that `lab/tamper.py` sets.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from fwguard.errors import DeviceError
from fwguard.lab import netconf_startup as texts
from fwguard.lab.netconf_local import BASE, LocalSession, edit
from fwguard.lab.netconf_xml import all_of, child, leaf_text

_YANG: Final = "urn:ietf:params:xml:ns:yang:"
_OPERATION: Final = f"{{{BASE}}}operation"
SUBTREES: Final = ("interfaces", "acls", "nat", "routing")


@dataclass(frozen=True, slots=True)
class _Here:
    """The addresses of the firewall's own site."""

    web4: str
    web6: str
    public4: str
    public6: str
    via4: str
    via6: str


def _parsed(text: str, module: str) -> list[etree._Element]:
    """Return elements of a module, written without its namespace."""
    return list(etree.fromstring(f'<x xmlns="{_YANG}{module}">{text}</x>'))


def _aces(data: etree._Element, name: str = texts.FROM_WAN) -> etree._Element:
    for acl in all_of(child(data, "acls"), "acl"):
        aces = child(acl, "aces")
        if leaf_text(acl, "name") == name and aces is not None:
            return aces
    raise DeviceError(f"no list {name!r} on this firewall")


def _ace(aces: etree._Element, name: str) -> etree._Element:
    for ace in all_of(aces, "ace"):
        if leaf_text(ace, "name") == name:
            return ace
    raise DeviceError(f"no entry {name!r} on this firewall")


def _add_rule(data: etree._Element, here: _Here) -> None:
    aces = _aces(data)
    for version, address, bits in ((4, here.web4, 32), (6, here.web6, 128)):
        text = texts.ace(
            f"mine{version}", "accept", texts.ip(version, target=f"{address}/{bits}") + texts.tcp(8080)
        )
        for ace in _parsed(text, "ietf-access-control-list"):
            aces.insert(len(aces) - 1, ace)


def _add_redirection(data: etree._Element, here: _Here) -> None:
    instances = child(child(data, "nat"), "instances")
    if instances is None:
        raise DeviceError("no NAT on this firewall")
    table = texts.mapping(1, here.public4, 8080, here.web4, 8080)
    table += texts.mapping(2, here.public6, 8080, here.web6, 8080)
    text = f"<instance><id>99</id><name>mine</name><mapping-table>{table}</mapping-table></instance>"
    instances.extend(_parsed(text, "ietf-nat"))


def _open_port(data: etree._Element, here: _Here) -> None:
    _add_rule(data, here)
    _add_redirection(data, here)


def _add_route(data: etree._Element, here: _Here) -> None:
    protocols = child(child(data, "routing"), "control-plane-protocols")
    routes = child(child(protocols, "control-plane-protocol"), "static-routes")
    for version, prefix, via in ((4, "198.18.250.0/24", here.via4), (6, "2001:db8:fa::/48", here.via6)):
        family = child(routes, f"ipv{version}")
        if family is None:
            raise DeviceError(f"no IPv{version} routes on this firewall")
        text = (
            f"<route><destination-prefix>{prefix}</destination-prefix>"
            f"<next-hop><next-hop-address>{via}</next-hop-address></next-hop></route>"
        )
        family.extend(_parsed(text, f"ietf-ipv{version}-unicast-routing"))


def _delete_rule(data: etree._Element, here: _Here) -> None:
    aces = _aces(data)
    for name in ("web4", "web-tls4"):
        aces.remove(_ace(aces, name))


def _reorder(data: etree._Element, here: _Here) -> None:
    aces = _aces(data)
    scanner = _ace(aces, "scanner4")
    aces.remove(scanner)
    aces.insert(len(aces) - 1, scanner)


def _flush(data: etree._Element, here: _Here) -> None:
    for name in ("acls", "nat"):
        node = child(data, name)
        if node is not None:
            data.remove(node)


def _allow_all(data: etree._Element, here: _Here) -> None:
    for ace in _parsed(texts.ace("all", "accept", ""), "ietf-access-control-list"):
        _aces(data).insert(0, ace)


def _policy(data: etree._Element, here: _Here) -> None:
    aces = _aces(data)
    action = child(child(_ace(aces, "else"), "actions"), "forwarding")
    if action is not None:
        action.text = "accept"


def _set_add(data: etree._Element, here: _Here) -> None:
    aces = _aces(data)
    text = texts.ace(
        "friends4", "accept",
        texts.ip(4, source="203.0.113.0/24", target=f"{here.web4}/32") + texts.tcp(22),
    )  # fmt: skip
    for ace in _parsed(text, "ietf-access-control-list"):
        aces.insert(len(aces) - 1, ace)


def _comment(data: etree._Element, here: _Here) -> None:
    for interface in all_of(child(data, "interfaces"), "interface"):
        if leaf_text(interface, "name") == "wan0":
            for node in _parsed("<description>seen in May</description>", "ietf-interfaces"):
                interface.append(node)


def _reload(data: etree._Element, here: _Here) -> None:
    """The same again."""


_EDITS: Final[Mapping[str, Callable[[etree._Element, _Here], None]]] = {
    "add-rule": _add_rule,
    "add-redirection": _add_redirection,
    "open-port": _open_port,
    "add-route": _add_route,
    "delete-rule": _delete_rule,
    "reorder": _reorder,
    "flush": _flush,
    "allow-all": _allow_all,
    "policy": _policy,
    "set-add": _set_add,
    "comment": _comment,
    "reload": _reload,
}
_STARTUP: Final = {"boot-file": _open_port, "boot-route": _add_route}


def tamper(way: str, here: _Here) -> None:
    """Do it: read running, change the tree, write the subtrees whole, commit.

    `boot-file` and `boot-route` change startup alone; `reboot` loads startup, as a restart does.
    """
    session = LocalSession()
    try:
        data = _datastore(session, "running")
        if way in _STARTUP:
            _STARTUP[way](data, here)
            whole = "".join(etree.tostring(node).decode() for node in data)
            session.ask(
                "<copy-config><target><startup/></target>"
                f"<source><config>{whole}</config></source></copy-config>"
            )
            return
        before = {node.tag for node in data}
        if way == "reboot":
            # Not by copy-config to the candidate: netconfd's commit after that applies almost nothing.
            data = _datastore(session, "startup")
        else:
            _EDITS[way](data, here)
        edit(session, "".join(_replacements(data, before)))
    finally:
        session.close()


def _datastore(session: LocalSession, name: str) -> etree._Element:
    reply = session.ask(f"<get-config><source><{name}/></source></get-config>")
    data = child(etree.fromstring(reply.encode()), "data")
    if data is None:
        raise DeviceError("netconfd sent no data")
    return data


def _replacements(data: etree._Element, before: set[str]) -> list[str]:
    found = []
    for node in data:
        if etree.QName(node).localname in SUBTREES:
            node.set(_OPERATION, "replace")
            found.append(etree.tostring(node).decode())
    ours = {tag for tag in before if etree.QName(tag).localname in SUBTREES}
    for tag in sorted(ours - {node.tag for node in data}):
        gone = etree.Element(tag)
        gone.set(_OPERATION, "delete")
        found.append(etree.tostring(gone).decode())
    return found


def command(way: str, *arguments: str) -> str:
    """Return the line for `sh`; the arguments are quoted by the caller."""
    return f"{shlex.quote(sys.executable)} -m fwguard.lab.netconf_tamper {way} {' '.join(arguments)}\n"


SCRIPTS: Final[Mapping[str, str]] = {
    way: command(way, '"$WEB4"', '"$WEB6"', '"$PUBLIC4"', '"$PUBLIC6"', '"$VIA4"', '"$VIA6"')
    for way in (*_EDITS, *_STARTUP, "reboot")
}

if __name__ == "__main__":
    tamper(sys.argv[1], _Here(*sys.argv[2:8]))
