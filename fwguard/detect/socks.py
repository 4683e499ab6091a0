"""SOCKS 4, 4a and 5, with any method of authentication; both sides must agree.

Sources: RFC 1928 sections 3 to 6, RFC 1929, RFC 1961, IANA's list of SOCKS methods; for version 4 and 4a the
notes of NEC and OpenSSH.
"""

from __future__ import annotations

from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side
from fwguard.model.detection import Reason

_MAX_METHODS: Final = 32
_REFUSED: Final = 0xFF
_LAST_ASSIGNED, _FIRST_PRIVATE = 0x0A, 0x80
_COMMANDS: Final = frozenset((1, 2, 3, 0xF0, 0xF1))  # the last two: resolve, of Tor's SOCKS extensions
_ADDRESS_KINDS: Final = frozenset((1, 3, 4))
_MAX_USER_BYTES: Final = 255


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """Version 5: a greeting and the choice of one of its methods. Version 4: a request and its reply."""
    said = client.head
    if not said:
        return NEVER if final or server.head else WAIT
    if said[0] == 5:
        opinion = _version_5(client, server)
    elif said[0] == 4:
        opinion = _version_4(client, server)
    else:
        return NEVER
    return NEVER if final and opinion is WAIT else opinion


def _version_5(client: Side, server: Side) -> Proof | Opinion:
    said, replied = client.head, server.head
    if replied and replied[0] != 5:
        return NEVER
    if len(said) < 2:
        return WAIT
    end = 2 + said[1]
    methods = said[2:end]
    if not 1 <= said[1] <= _MAX_METHODS:
        return NEVER
    if any(_LAST_ASSIGNED < one < _FIRST_PRIVATE or one == _REFUSED for one in methods):
        return NEVER
    if len(said) < end or len(replied) < 2:
        return WAIT
    chosen = replied[1]
    if len(set(methods)) < len(methods) or (chosen not in methods and chosen != _REFUSED):
        return NEVER
    if len(said) != end or len(replied) != 2:
        # More than the greeting came before the choice: what follows must be SOCKS too.
        follows = said[end : end + 4]
        if len(follows) < (4 if chosen == 0 else 1):
            return WAIT
        if chosen == 0 and not (
            follows[0] == 5 and follows[1] in _COMMANDS and follows[2] == 0 and follows[3] in _ADDRESS_KINDS
        ):
            return NEVER
        if chosen in (1, 2) and follows[0] != 1:
            return NEVER
    facts = (("methods", " ".join(str(one) for one in methods)), ("chosen", str(chosen)))
    key = "socks5-refused" if chosen == _REFUSED else "socks5"
    return Proof(Reason(key, facts), (*client.numbers[:2], *server.numbers[:2]))


def _version_4(client: Side, server: Side) -> Proof | Opinion:
    said, replied = client.head, server.head
    if replied and (replied[0] != 0 or (len(replied) > 1 and not 0x5A <= replied[1] <= 0x5D)):
        return NEVER
    if len(said) < 9:
        return NEVER if len(said) > 1 and said[1] not in (1, 2) else WAIT
    port = said[2] << 8 | said[3]
    user_end = said.find(0, 8, 8 + _MAX_USER_BYTES)
    if said[1] not in (1, 2) or not port:
        return NEVER
    if user_end < 0:
        return WAIT if len(said) < 8 + _MAX_USER_BYTES else NEVER
    named = said[4:7] == b"\0\0\0" and said[7] != 0
    if named and said.find(0, user_end + 1, user_end + 2 + _MAX_USER_BYTES) < 0:
        return WAIT if len(said) < user_end + _MAX_USER_BYTES else NEVER
    if len(replied) < 8:
        return WAIT
    reason = Reason("socks4a" if named else "socks4", (("port", str(port)), ("code", str(replied[1]))))
    return Proof(reason, (*client.numbers[:2], *server.numbers[:2]))
