"""A netlink socket that stays open: requests, batches, acknowledgements, dumps, events.

Sources: netlink(7), netlink(3); net/netlink/af_netlink.c; net/netfilter/nfnetlink.c, nfnetlink_rcv_batch.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from fwguard.errors import DeviceError, NotAllowedError, PartialReadingError
from fwguard.kernel.messages import (
    NFNL_MSG_BATCH_BEGIN,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    Refusal,
    Request,
    batch_bounds,
    error_number,
    kept,
    pack,
    refusal,
    unpack,
)
from fwguard.kernel.namespaces import inside
from fwguard.kernel.refusals import error_for

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
SOL_NETLINK: Final = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 1, 5, 10, 11
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33

RECEIVE_BYTES: Final = 1 << 16  # one datagram of a dump is at most 32 KiB (NLMSG_GOODSIZE, netlink_dump)
_SOCKET_BUFFER_BYTES: Final = 8 << 20
_DUMP_TRIES: Final = 5

T = TypeVar("T")


class NetlinkSocket:
    """One open socket. Threads may share it: a request and its answers are one step under its lock.

    Its port id owns the tables that are made with NFT_TABLE_F_OWNER: they are given up when it closes.
    """

    def __init__(
        self,
        protocol: int = NETLINK_NETFILTER,
        *,
        netns: str | None = None,
        groups: Sequence[int] = (),
        receive_bytes: int = _SOCKET_BUFFER_BYTES,
        answer_s: float = 10.0,
    ) -> None:
        """Open it in our network namespace or in a named one, listening to these multicast groups.

        `answer_s` is how long an answer may take. Raises NotAllowedError without CAP_NET_ADMIN.
        """
        self.answer_s = answer_s
        self.overflows = 0  # how often the kernel had more for us than the buffer took (ENOBUFS)
        self._lock = threading.Lock()
        self._sequence = int(time.time()) & 0x7FFFFFF
        self._buffer = bytearray(RECEIVE_BYTES)
        self._receive_bytes = receive_bytes
        self._send_bytes = 0
        self._socket = _opened(protocol, netns, groups)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
        except PermissionError:
            self._socket.close()
            raise NotAllowedError(
                "a netlink socket to the firewall needs CAP_NET_ADMIN: run as root or grant it to the service"
            ) from None
        self._grow(1 << 18)
        self.port: int = self._socket.getsockname()[0]

    def __enter__(self) -> NetlinkSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; tables that it owned become orphans (persist) or vanish."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def transact(self, requests: Sequence[Request], *, generation: int | None = None) -> tuple[Refusal, ...]:
        """Send one nf_tables batch and read every answer; no refusal means that all of it holds.

        Each message asks for its acknowledgement, up to what the receive buffer holds; beyond that only the
        last, since the kernel reports errors unasked and in order.

        Raises:
            DeviceError: no answer, or answers lost: whether it holds is unknown, read back.
        """
        if not requests:
            return ()
        begin, end = batch_bounds(generation)
        sparse = len(requests) > self._receive_bytes // 4096  # an answer's buffer takes about 1 KiB
        with self._lock:
            first = self._take(len(requests) + 2)
            last = first + len(requests)
            parts = [pack(begin, first, NLM_F_REQUEST)]
            for sequence, request in enumerate(requests, first + 1):
                asked = NLM_F_REQUEST if sparse and sequence != last else NLM_F_REQUEST | NLM_F_ACK
                parts.append(pack(request, sequence, asked))
            parts.append(pack(end, last + 1, NLM_F_REQUEST))
            self._send(b"".join(parts))
            return self._answers(first, [begin, *requests], waiting={last})

    def each(self, requests: Sequence[Request]) -> tuple[Refusal, ...]:
        """Send requests that stand alone (no batch) together, and return those that were refused."""
        refused: list[Refusal] = []
        step = 256  # answers of one step fit into any receive buffer
        for start in range(0, len(requests), step):
            some = requests[start : start + step]
            with self._lock:
                first = self._take(len(some))
                flags = NLM_F_REQUEST | NLM_F_ACK
                self._send(b"".join(pack(one, first + i, flags) for i, one in enumerate(some)))
                refused += self._answers(first, some, waiting=set(range(first, first + len(some))))
        return tuple(refused)

    def ask(self, request: Request) -> tuple[list[Message], Refusal | None]:
        """Send one request that answers with data, and return the messages and the refusal if there is one."""
        found: list[Message] = []
        with self._lock:
            sequence = self._take(1)
            self._send(pack(request, sequence, NLM_F_REQUEST | NLM_F_ACK))
            deadline = time.monotonic() + self.answer_s
            while True:
                for message in self._receive(deadline, request.what):
                    if message.sequence != sequence:
                        continue
                    if message.kind == NLMSG_ERROR:
                        refused = refusal(message, request)
                        return found, refused if refused.number else None
                    found.append(kept(message))

    def dump(self, request: Request, read: Callable[[Message], T]) -> list[T]:
        """Read a whole listing over all of its messages; one that changed underneath is read again.

        `read` gets a message whose memory is used again afterwards: it copies what it keeps.

        Raises:
            PartialReadingError: it kept changing, or messages were lost.
            OSError: the kernel refused the listing, with its errno.
        """
        for _ in range(_DUMP_TRIES):
            with self._lock:
                found = self._dump_once(request, read)
            if found is not None:
                return found
        raise PartialReadingError(f"{request.what} changed during each of {_DUMP_TRIES} readings; read later")

    def events(self, timeout_s: float | None) -> Iterator[Message]:
        """Yield the messages of the next datagram, none after `timeout_s` (None: wait for ever).

        Raises OSError with ENOBUFS when messages were lost before it.
        """
        self._socket.settimeout(timeout_s)
        with suppress(TimeoutError, BlockingIOError):
            size = self._socket.recv_into(self._buffer)
            yield from unpack(memoryview(self._buffer)[:size])

    def receive_into(self, buffer: bytearray) -> int:
        """Read one datagram into a buffer of the caller, and return its size. Raises OSError, ENOBUFS too."""
        return self._socket.recv_into(buffer)

    def _dump_once(self, request: Request, read: Callable[[Message], T]) -> list[T] | None:
        sequence = self._take(1)
        self._send(pack(request, sequence, NLM_F_REQUEST | NLM_F_DUMP))
        found: list[T] = []
        whole = True
        deadline = time.monotonic() + self.answer_s
        while True:
            for message in self._receive(deadline, request.what):
                if message.sequence != sequence:
                    continue
                whole = whole and not message.flags & NLM_F_DUMP_INTR
                if message.kind in (NLMSG_DONE, NLMSG_ERROR):
                    number = error_number(message)
                    if number in (errno.EINTR, errno.EAGAIN):
                        return None
                    if number:
                        raise OSError(number, os.strerror(number))
                    return found if whole else None
                found.append(read(message))

    def _answers(self, first: int, requests: Sequence[Request], *, waiting: set[int]) -> tuple[Refusal, ...]:
        """Read answers until none of `waiting` is open; an error for the batch as a whole ends it too."""
        refused: list[Refusal] = []
        lost = self.overflows
        batch = requests[0].kind == NFNL_MSG_BATCH_BEGIN
        what = requests[-1].what or "the request"
        deadline = time.monotonic() + self.answer_s
        while waiting:
            overflowed = self.overflows != lost
            # The kernel answers inside our sending: after an overflow nothing is on its way but what waits here.
            until = min(deadline, time.monotonic() + 0.05) if overflowed else deadline
            came = list(self._receive(until, what))
            if overflowed and not came:
                break
            for message in came:
                at = message.sequence - first
                if message.kind != NLMSG_ERROR or not 0 <= at < len(requests):
                    continue
                waiting.discard(message.sequence)
                answer = refusal(message, requests[at])
                if answer.number and batch and at == 0:
                    # The whole batch: not begun (generation), or not committed. Nothing must follow it.
                    self._drain()
                    return (Refusal(answer.number, answer.words, None), *refused)
                if answer.number:
                    refused.append(answer)
        if self.overflows != lost and not (batch and refused):
            raise DeviceError(
                f"{what}: answers of the kernel were lost; whether it holds is unknown: read back"
            )
        return tuple(refused)

    def _receive(self, deadline: float, what: str) -> Iterator[Message]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeviceError(f"{what}: the kernel did not answer within {self.answer_s:g} s; read back")
        self._socket.settimeout(left)
        try:
            size = self._socket.recv_into(self._buffer)
        except TimeoutError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self.overflows += 1
            return
        yield from unpack(memoryview(self._buffer)[:size])

    def _drain(self) -> None:
        self._socket.settimeout(0)
        with suppress(OSError):
            while self._socket.recv_into(self._buffer):
                pass

    def _take(self, count: int) -> int:
        first = self._sequence + 1
        if first + count > 0xFFFFFFFF:
            first = 1
        self._sequence = first + count
        return first

    def _send(self, data: bytes) -> None:
        self._grow(len(data) + 4096)
        self._socket.settimeout(self.answer_s)
        try:
            self._socket.sendto(data, (0, 0))
        except OSError as error:
            # Nothing was taken: a request that is refused here never reached its subsystem.
            raise error_for(error.errno or errno.ETIMEDOUT, f"sending {len(data)} bytes") from None

    def _grow(self, size: int) -> None:
        # netlink_sendmsg refuses with EMSGSIZE what exceeds the send buffer; a batch must be one message.
        if size > self._send_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, size)
            self._send_bytes = size


def _opened(protocol: int, netns: str | None, groups: Sequence[int]) -> socket.socket:
    def open_it() -> socket.socket:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)

    opened = open_it() if netns is None else inside(netns, open_it)
    opened.bind((0, 0))
    opened.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
    opened.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)  # an error need not repeat 64 KiB of request
    for group in groups:
        opened.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    return opened
