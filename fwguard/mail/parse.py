"""Raw bytes of a mail to one frozen value. They may be hostile: nothing here raises or stalls."""

from __future__ import annotations

import email.errors
import email.header
import email.message
import email.parser
import email.policy
import email.utils
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from fwguard.mail.visible import one_line, own_words, printable, text_of_html, unflowed

MAX_BYTES: Final = 10 * 2**20
MAX_HEAD_BYTES: Final = 256 * 2**10
MAX_HEADERS: Final = 300
MAX_VALUE_CHARS: Final = 4096
MAX_REFERENCES: Final = 50
# The standard parser compares every line with every open boundary: lines times boundaries is its cost.
MAX_COST: Final = 3_000_000
MAX_PARTS: Final = 200
MAX_LEAF_BYTES: Final = 2**19

ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
# Python knows more codecs than mail has charsets; punycode among them needs quadratic time.
_CHARSET: Final = re.compile(
    r"utf-?(?:7|8|16|16le|16be)|(?:us-)?ascii|latin-?1|iso-8859-\d{1,2}|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]"
    r"|gb2312|gbk|gb18030|big5|shift_jis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)|macintosh",
    re.IGNORECASE,
)
MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,120}@[!-;=?-~]{1,120}>")


class Mark(StrEnum):
    """What a mail says about not being written by a person to us."""

    AUTO = "auto"  # RFC 3834 §5: Auto-Submitted other than "no"
    LIST = "list"  # RFC 2919, 2369, or Precedence
    BOUNCE = "bounce"  # null sender, delivery report, or a mail system's own address


class Flaw(StrEnum):
    """Why a mail could not be read whole."""

    TOO_LARGE = "too-large"
    TOO_COMPLEX = "too-complex"
    BROKEN = "broken"
    NO_SENDER = "no-sender"
    SEVERAL_SENDERS = "several-senders"
    NO_MESSAGE_ID = "no-message-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMail:
    """One mail, every value bounded and printable.

    `sender` is the one address of From in lower case, empty if there is none or more than one: it is
    a claim, no identity. `text` is what the sender wrote now, without quotes and signature.
    `headers` are (name in lower case, value unfolded), top-most first. `date` is the mail's own claim.
    `content_digest` (SHA-256, hex) leaves out the trace headers, so that the same mail delivered
    twice has it twice.
    """

    message_id: str
    content_digest: str
    sender: str
    sender_name: str
    subject: str
    text: str
    date: datetime | None
    in_reply_to: str
    references: tuple[str, ...]
    marks: frozenset[Mark]
    flaws: frozenset[Flaw]
    headers: tuple[tuple[str, str], ...]
    size_bytes: int

    def header(self, name: str) -> str:
        """Return the top-most value of a header (name in lower case), or an empty text."""
        return next((value for key, value in self.headers if key == name), "")


def parse(raw: bytes, *, envelope_sender: str | None = None, max_bytes: int = MAX_BYTES) -> ParsedMail:
    """Read a mail; never raises on any bytes.

    `envelope_sender` is what MAIL FROM said ("" is the null sender of bounces, RFC 5321 §4.5.5).
    Of a mail above `max_bytes`, or so built that reading it would stall, only the headers are read,
    and `flaws` says so. Source: RFC 5322, 2045, 2047, 3676, 3834.
    """
    flaws: set[Flaw] = set()
    head, body = _split(raw)
    headers = _headers(head)
    if len(raw) > max_bytes:
        flaws.add(Flaw.TOO_LARGE)
    elif _cost(raw) > MAX_COST:
        flaws.add(Flaw.TOO_COMPLEX)
    text = "" if flaws else _text(raw, flaws)
    sender, sender_name = _sender(headers, flaws)
    digest = _content_digest(headers, body)
    return ParsedMail(
        message_id=_message_id(headers, digest, flaws),
        content_digest=digest,
        sender=sender,
        sender_name=sender_name,
        subject=one_line(_decoded(_first(headers, "subject")), 300),
        text=text,
        date=_date(_first(headers, "date")),
        in_reply_to=next(iter(_ids(_first(headers, "in-reply-to"))), ""),
        references=_ids(_first(headers, "references"))[-MAX_REFERENCES:],
        marks=frozenset(_marks(headers, sender, envelope_sender)),
        flaws=frozenset(flaws),
        headers=headers,
        size_bytes=len(raw),
    )


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Return head and body; a head that does not end within its bound is cut there."""
    end = re.search(rb"\r?\n\r?\n", raw[:MAX_HEAD_BYTES])
    if end is None:
        return raw[:MAX_HEAD_BYTES], raw[MAX_HEAD_BYTES:]
    return raw[: end.start()], raw[end.end() :]


def _headers(head: bytes) -> tuple[tuple[str, str], ...]:
    """Return the header fields unfolded (RFC 5322 §2.2.3); lines that are no field are left out."""
    text = head.decode("utf-8", "surrogateescape")
    fields: list[tuple[str, str]] = []
    for line in re.sub(r"\r?\n[ \t]+", " ", text).replace("\r\n", "\n").split("\n"):
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[!-9;-~]{1,76}[ \t]*", name):
            fields.append((name.strip().lower(), one_line(_repaired(value), MAX_VALUE_CHARS)))
            if len(fields) == MAX_HEADERS:
                break
    return tuple(fields)


def _repaired(value: str) -> str:
    """Return a header's bytes as text: UTF-8 where they are (RFC 6532), else Latin-1."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _first(headers: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for key, value in headers if key == name), "")


def _decoded(value: str) -> str:
    """Return a header with its encoded words read (RFC 2047); what is broken stays as it is written."""
    if "=?" not in value:
        return value
    try:
        chunks = email.header.decode_header(value)
    except (ValueError, email.errors.MessageError):
        return value
    pieces = []
    for chunk, charset in chunks:
        pieces.append(chunk if isinstance(chunk, str) else _in_charset(chunk, charset or "latin-1"))
    return "".join(pieces)


def _in_charset(octets: bytes, charset: str) -> str:
    """Return text in its stated charset, or in UTF-8 or Latin-1 where that is unknown or untrue."""
    for name in (charset, "utf-8") if _CHARSET.fullmatch(charset) else ("utf-8",):
        try:
            return octets.decode(name)
        except (LookupError, ValueError):
            continue
    return octets.decode("latin-1")


def _sender(headers: tuple[tuple[str, str], ...], flaws: set[Flaw]) -> tuple[str, str]:
    """Return the one address of From, and its display name.

    Addresses are read before encoded words are: an encoded name cannot become an address.
    """
    values = [value for key, value in headers if key == "from"]
    if len(values) > 1:
        flaws.add(Flaw.SEVERAL_SENDERS)
        return "", ""
    value = values[0] if values else ""
    try:
        pairs = email.utils.getaddresses([value]) if len(value) <= 1000 else []
    except (ValueError, IndexError, RecursionError):
        pairs = []  # comments nested a thousand deep exhaust the standard reader
    if len(pairs) > 1:
        flaws.add(Flaw.SEVERAL_SENDERS)
        return "", ""
    name, address = pairs[0] if pairs else ("", "")
    if not ADDRESS.fullmatch(address):
        flaws.add(Flaw.NO_SENDER)
        return "", ""
    return address.lower(), one_line(_decoded(name), 100)


def _message_id(headers: tuple[tuple[str, str], ...], digest: str, flaws: set[Flaw]) -> str:
    """Return the mail's own id, or a stable one made from its content where it has none."""
    ids = _ids(_first(headers, "message-id"))
    if ids:
        return ids[0]
    flaws.add(Flaw.NO_MESSAGE_ID)
    return f"<{digest[:32]}@content.invalid>"


def _ids(value: str) -> tuple[str, ...]:
    return tuple(MESSAGE_ID.findall(value))


def _date(value: str) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(value[:100])
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _content_digest(headers: tuple[tuple[str, str], ...], body: bytes) -> str:
    """Return the SHA-256 of who, when, what and the body, each with its length before it."""
    digest = hashlib.sha256()
    for name in ("from", "to", "date", "subject", "message-id"):
        value = _first(headers, name).encode()
        digest.update(b"%d:%b" % (len(value), value))
    # One mail comes with CRLF by one way and with LF by another, and with or without a last empty line.
    digest.update(body.replace(b"\r\n", b"\n").rstrip(b"\n"))
    return digest.hexdigest()


def _marks(headers: tuple[tuple[str, str], ...], sender: str, envelope_sender: str | None) -> set[Mark]:
    marks: set[Mark] = set()
    names = {name for name, _ in headers}
    auto = _first(headers, "auto-submitted").split(";")[0].strip().lower()
    if auto not in ("", "no") or names & {"x-autoreply", "x-autorespond"}:
        marks.add(Mark.AUTO)
    precedence = _first(headers, "precedence").strip().lower()
    if precedence == "auto_reply":
        marks.add(Mark.AUTO)
    if any(name.startswith("list-") for name in names) or precedence in ("bulk", "junk", "list"):
        marks.add(Mark.LIST)
    content_type = _first(headers, "content-type").lower()
    if (
        (envelope_sender is not None and envelope_sender.strip() in ("", "<>"))
        or _first(headers, "return-path").replace(" ", "") == "<>"
        or ("multipart/report" in content_type and "feedback-report" not in content_type)
        or sender.partition("@")[0] in ("mailer-daemon", "postmaster", "mail-daemon")
    ):
        marks.add(Mark.BOUNCE)
    return marks


def _cost(raw: bytes) -> int:
    """Return how many comparisons the standard parser may need for these bytes, as an upper bound."""
    nesting = 1 + len(re.findall(rb"boundary|message/", raw, re.IGNORECASE))
    return (raw.count(b"\n") + raw.count(b"\r")) * nesting


def _text(raw: bytes, flaws: set[Flaw]) -> str:
    try:
        message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
        return own_words(_body(message))
    except Exception:  # the standard parser has raised a dozen classes on hostile bytes over the years
        flaws.add(Flaw.BROKEN)
        return ""


def _body(message: email.message.Message) -> str:
    """Return the plain text parts, or else the text of the HTML parts; attached mails are not read."""
    plain: list[str] = []
    html: list[str] = []
    stack: list[email.message.Message] = [message]
    seen = octets = 0
    while stack and seen < MAX_PARTS and octets < MAX_LEAF_BYTES:
        part = stack.pop()
        seen += 1
        if part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        charset = str(part.get_content_charset("utf-8"))
        flowed = str(part.get_param("format", "")).lower() == "flowed"
        if part.is_multipart():
            if part.get_content_maintype() == "multipart":
                stack.extend(_pieces(part))
        elif kind == "text/plain":
            text = _leaf(part, charset)
            octets += len(text)
            plain.append(unflowed(text) if flowed else text)
        elif kind == "text/html":
            text = _leaf(part, charset)
            octets += len(text)
            html.append(text_of_html(text))
    words = "\n\n".join(text.strip("\n") for text in plain)
    return words if words.strip() else "\n\n".join(html)


def _pieces(part: email.message.Message) -> list[email.message.Message]:
    payload = part.get_payload()
    pieces = payload if isinstance(payload, list) else []
    return [piece for piece in reversed(pieces) if isinstance(piece, email.message.Message)]


def _leaf(part: email.message.Message, charset: str) -> str:
    del part["Content-Type"]  # get_payload would decode with any codec that the header names
    payload = part.get_payload(decode=True)
    octets = payload[:MAX_LEAF_BYTES] if isinstance(payload, bytes) else b""
    return printable(_in_charset(octets, charset))
