"""The mail door: takes mail over LMTP and answers "stored" only once it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import syntax

_log: Final = structlog.get_logger(__name__)

MAX_RECIPIENTS: Final = 50
MAX_LINE_BYTES: Final = 65536
IDLE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One mail as it was handed over. `sender` "" is the null sender; `raw` has CRLF line ends as it came."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    peer: str


class LmtpDoor:
    """Waits for mail on a TCP port, or on a socket that is bound already, in a thread of its own.

    `on_mail` is called in a worker thread with each mail, and returns when the mail is stored and
    committed; what it returns, if anything, is shown after "250 2.0.0". Each recipient gets one answer
    (RFC 2033 §4.2): 250 once it returned, 451 if it raised or took longer than `answer_s` (the sender
    tries again; the same mail twice is recognised later), 552 for a mail above `max_bytes`.
    At most `max_connections` at a time, others get 421. Memory: at most `max_connections * max_bytes`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        on_mail: Callable[[Envelope], str | None],
        max_bytes: int,
        *,
        name: str = "fwguard",
        max_connections: int = 8,
        answer_s: float = 60.0,
        sock: socket.socket | None = None,
    ) -> None:
        self.on_mail = on_mail
        self.max_bytes = max_bytes
        self.name = name
        self.answer_s = answer_s
        self.max_connections = max_connections
        self.open: set[_Conversation] = set()
        self.workers = ThreadPoolExecutor(max_connections, thread_name_prefix="mail-door")
        self._host, self._port, self._sock = host, port, sock
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to listen; returns once connections are accepted. Raises OSError if the port is taken."""
        if self._sock is None:
            listening = self._loop.create_server(self._meet, self._host, self._port)
        else:
            listening = self._loop.create_server(self._meet, sock=self._sock)
        try:
            self._server = self._loop.run_until_complete(listening)
        except OSError:
            self._loop.close()
            raise
        self._thread = Thread(target=self._loop.run_forever, name="mail-door", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port that is listened on (the one given, or the one that the system chose for 0)."""
        if self._server is None or not self._server.sockets:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Take no more mail; what is being stored is answered first, for up to `grace_s`."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._leave(grace_s), self._loop).result(grace_s + 10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._thread = None
        self.workers.shutdown(wait=False)
        self._loop.close()

    def _meet(self) -> asyncio.BaseProtocol:
        if len(self.open) >= self.max_connections:
            return _Refusal()
        conversation = _Conversation(self, self._loop)
        self.open.add(conversation)
        return conversation

    async def _leave(self, grace_s: float) -> None:
        if self._server is not None:
            self._server.close()
        deadline = self._loop.time() + grace_s
        while any(conversation.storing for conversation in self.open) and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        for conversation in list(self.open):
            conversation.leave()
        while self.open and self._loop.time() < deadline + 5:
            await asyncio.sleep(0.02)


class _Refusal(asyncio.Protocol):
    """Tells one connection too many to come back later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 too many connections, try again later\r\n")
        transport.close()


class _Handler:
    """Bounds the recipients of one mail; everything else is aiosmtpd's own."""

    async def handle_RCPT(  # noqa: N802 (aiosmtpd finds hooks by these names)
        self, server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"


class _Conversation(LMTP):
    """One connection. DATA is our own: aiosmtpd gives one answer for all recipients, and keeps every
    fragment of a line that never ends."""

    line_length_limit = MAX_LINE_BYTES  # mails with lines above RFC 5321's 998 exist; refusing loses them

    def __init__(self, door: LmtpDoor, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            _Handler(),
            data_size_limit=door.max_bytes,
            hostname=door.name,
            ident="LMTP",
            timeout=IDLE_S,
            loop=loop,
        )
        self.door = door
        self.storing = False

    def connection_lost(self, error: Exception | None) -> None:
        self.door.open.discard(self)
        super().connection_lost(error)

    def leave(self) -> None:
        """Close the connection from our side."""
        if self.transport is not None:
            self.transport.close()

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 (aiosmtpd finds commands by these names)
        """Take a mail in, have it stored, answer once for each recipient (RFC 2033 §4.2)."""
        envelope = self.envelope
        if await self.check_helo_needed():
            return
        if envelope is None or not envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        await self.push("354 end with <CR><LF>.<CR><LF>")
        raw = await self._read_mail()
        if raw is None:
            answer = f"552 5.3.4 the mail is larger than {self.door.max_bytes} bytes"
        else:
            session = self.session
            answer = await self._store(
                Envelope(
                    sender="" if envelope.mail_from in (None, "<>") else str(envelope.mail_from),
                    recipients=tuple(str(address) for address in envelope.rcpt_tos),
                    raw=raw,
                    peer=str(session.peer[0] if session and session.peer else ""),
                )
            )
        recipients = len(envelope.rcpt_tos)
        self.envelope = self._create_envelope()  # RFC 5321 §4.1.1.4: buffers are cleared
        await self.push("\r\n".join([answer] * recipients))

    async def _read_mail(self) -> bytes | None:
        """Return the mail without its dot-stuffing (RFC 5321 §4.5.2), or None if it is too large.

        A mail that is too large is read to its end, or the sender would not hear the answer; nothing of
        it is kept.
        """
        kept = bytearray()
        too_large = False
        starts_line = True
        while True:
            try:
                piece: bytes = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.readexactly(error.consumed)
            ends_line = piece.endswith(b"\r\n")
            if starts_line and piece == b".\r\n":
                return None if too_large else bytes(kept)
            if starts_line and piece.startswith(b"."):
                piece = piece[1:]
            starts_line = ends_line
            if too_large or len(kept) + len(piece) > self.door.max_bytes:
                too_large = True
                kept.clear()
            else:
                kept += piece

    async def _store(self, envelope: Envelope) -> str:
        self._reset_timeout(self.door.answer_s + 10)
        self.storing = True
        try:
            said = await asyncio.wait_for(
                self.loop.run_in_executor(self.door.workers, self.door.on_mail, envelope), self.door.answer_s
            )
        except TimeoutError:
            _log.error("mail not stored in time", peer=envelope.peer, seconds=self.door.answer_s)
            return "451 4.3.0 not stored in time, try again later"
        except Exception:  # whatever it is: the sender keeps the mail, and we keep listening
            _log.exception("mail not stored", peer=envelope.peer)
            return "451 4.3.0 not stored, try again later"
        finally:
            self.storing = False
        words = "".join(c for c in (said or "stored")[:200] if c.isascii() and c.isprintable())
        return f"250 2.0.0 {words}"
