"""Mail being sent: SMTP and LMTP in clear or up to STARTTLS, and mail over TLS from the start.

Sources: RFC 5321 section 4.1 and 4.2, RFC 3207 (STARTTLS), RFC 2033 (LMTP), RFC 8314 section 7.3 (port 465).
"""

from __future__ import annotations

import re
from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side, quote
from fwguard.model.detection import Reason

_VERBS: Final = (
    rb"EHLO|HELO|LHLO|MAIL|RCPT|DATA|RSET|NOOP|QUIT|STARTTLS|AUTH|VRFY|EXPN|HELP|XCLIENT|XFORWARD|BDAT"
)
_FIRST: Final = re.compile(rb"(?:" + _VERBS + rb")(?:[ \r\n]|$)", re.IGNORECASE)
_GREETING: Final = re.compile(rb"^(?:EHLO|HELO|LHLO)[ \r\n][^\r\n]{0,255}", re.IGNORECASE | re.MULTILINE)
_ENVELOPE: Final = re.compile(rb"^(?:MAIL FROM|RCPT TO) ?: ?<", re.IGNORECASE | re.MULTILINE)
_REPLY: Final = re.compile(rb"[2-5][0-9][0-9][ -]")
_BANNER: Final = re.compile(rb"220[ -][^\r\n]*[EL]?SMTP", re.IGNORECASE)
_LONGEST_VERB: Final = 8
SUBMISSIONS_PORT: Final = 465
_MAIL_LABELS: Final = frozenset(("smtp", "smtps"))


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """A greeting (EHLO, HELO, LHLO) or an envelope, with replies that are SMTP's; either side alone is enough
    when the other was not captured."""
    said, replied = client.head, server.head
    if said and not _FIRST.match(said) and (len(said) > _LONGEST_VERB or not said.isalpha()):
        return NEVER
    if replied and not _REPLY.match(replied) and (len(replied) >= 4 or not replied[:3].isdigit()):
        return NEVER
    greeting = _GREETING.search(said)
    envelope = _ENVELOPE.search(said)
    if envelope or (greeting and (replied or final)):
        words = greeting or envelope
        return _proof("smtp-client" if not replied else "smtp", words[0] if words else b"", client, server)
    if _BANNER.match(replied) and re.search(rb"^[25][0-9][0-9][ -]", replied[4:], re.MULTILINE) and not said:
        return _proof("smtp-server", replied, client, server)
    return NEVER if final else WAIT


def judge_tls(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """TLS from the start to the port of submissions, or to a host whose name is smtp."""
    hello, flight = flow.hello, flow.server_flight
    if hello is None or flight is None or not (flight.hello or final):
        return NEVER if final else WAIT
    named = hello.name.partition(".")[0] in _MAIL_LABELS
    if named or (server.port == SUBMISSIONS_PORT and not hello.alpn):
        reason = Reason("smtp-tls", (("name", hello.name or "-"), ("port", str(server.port))))
        return Proof(reason, (*client.numbers[:1], *server.numbers[:1]))
    return NEVER


def _proof(key: str, words: bytes | bytearray, client: Side, server: Side) -> Proof:
    return Proof(Reason(key, (("words", quote(words)),)), (*client.numbers[:3], *server.numbers[:3]))
