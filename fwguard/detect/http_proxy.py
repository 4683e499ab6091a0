"""HTTP proxies: CONNECT, and requests that name the whole address of another host.

Sources: RFC 9112 section 3.2 (absolute-form, authority-form), RFC 9110 section 9.3.6 (CONNECT) and 15.5.8.
"""

from __future__ import annotations

import re
from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side, quote, show
from fwguard.model.detection import Reason

_REQUEST: Final = re.compile(rb"([A-Z]{3,16}) ([^ \r\n]{1,4000}) HTTP/1\.[01]\r?\n")
_BEGINNING: Final = re.compile(
    rb"[A-Z]{1,16}(?: (?:https?://|ftp://)?[^ \r\n]{0,4000}(?: [HTP/.01\r]{0,9})?)?\Z"
)
_ABSOLUTE: Final = re.compile(rb"(?:https?|ftp)://(?:[^/@ ]*@)?(\[[0-9A-Fa-f:.]+\]|[^/:? ]+)", re.IGNORECASE)
_USER: Final = re.compile(rb"(://)[^/@]{1,512}@")
_AUTHORITY: Final = re.compile(rb"[^/ ]+:[0-9]{1,5}\Z")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_PROXY_HEADER: Final = re.compile(
    rb"^(?:Via|Proxy-[A-Za-z-]+|X-Squid-Error|X-Cache(?:-Lookup)?):", re.I | re.M
)
_NO_PROXY: Final = frozenset((400, 403, 404, 405, 421, 426, 501, 505))  # an ordinary server says no
_TUNNEL: Final = frozenset((407, 502, 503, 504))


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """A request for another host, and an answer that is not an ordinary server's no."""
    said = client.head
    request = _REQUEST.match(said)
    if request is None:
        if final or (said and not _BEGINNING.match(said)):
            return NEVER
        return WAIT if said or not server.head else NEVER
    method, target = request[1], request[2]
    if method == b"CONNECT":
        if not _AUTHORITY.match(target):
            return NEVER
        return _answered("http-connect", client, server, final, target, tunnel=True)
    host = _ABSOLUTE.match(target)
    if host is None:
        return NEVER
    if host[1].strip(b"[]").decode("latin-1") == show(server.address):
        return NEVER  # the whole address of the server itself, as control points of UPnP write it
    if server.head and not flow.certain and not _STATUS.match(server.head):
        return _proof("http-absolute", client, server, target)  # the answer's beginning was not captured
    return _answered("http-absolute", client, server, final, target, tunnel=False)


def _answered(
    key: str, client: Side, server: Side, final: bool, target: bytes, *, tunnel: bool
) -> Proof | Opinion:
    replied = server.head
    status = _STATUS.match(replied)
    if status is None:
        if final and not server.packets:
            return _proof(key + "-alone", client, server, target)
        return NEVER if final or len(replied) > 12 else WAIT
    code = int(status[1])
    if _PROXY_HEADER.search(replied) or (code not in _NO_PROXY and not tunnel):
        return _proof(key, client, server, target)
    if tunnel and (200 <= code < 300 or code in _TUNNEL):
        return _proof(key, client, server, target)
    return NEVER if final or b"\r\n\r\n" in replied else WAIT


def _proof(key: str, client: Side, server: Side, target: bytes) -> Proof:
    shown = _USER.sub(rb"\1***@", target)
    reason = Reason(key, (("target", quote(shown)), ("replied", quote(server.head))))
    return Proof(reason, (*client.numbers[:2], *server.numbers[:2]))
