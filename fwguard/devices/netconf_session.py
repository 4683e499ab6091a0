"""One NETCONF session over SSH: ncclient's, with a pinned key, deadlines, bounds, and nothing polled.

ncclient 0.7.1 sends what is queued every 100 ms only (`TICK`), takes any time that the far side takes
while it connects, and keeps whatever the far side sends. A request here goes out at once.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any, Final

import paramiko
from ncclient import NCClientError
from ncclient.manager import Manager, make_device_handler
from ncclient.operations import RPCError, TimeoutExpiredError
from ncclient.transport.errors import SessionCloseError, TransportError
from ncclient.transport.session import NetconfBase
from ncclient.transport.ssh import SSHSession
from ncclient.xml_ import to_ele

from fwguard.devices.line import IDLE_S, open_line
from fwguard.devices.login import ask_for_pinned_key, log_in
from fwguard.devices.protocol import Endpoint
from fwguard.errors import DeviceUnreachableError

HELLO_BYTES: Final = 1 << 20
MESSAGE_BYTES: Final = 32 << 20
NOTIFICATIONS: Final = 256  # held back for a slow reader; beyond, the far side waits
READ_BYTES: Final = 64 << 10
HELLO_REST_S: Final = 0.02
FIRST_ANSWER_S: Final = 1.0
# A request that asks for nothing, and costs next to nothing.
NOTHING: Final = (
    '<get-config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><source><running/></source>'
    '<filter type="subtree"/></get-config>'
)


class PinnedSession(SSHSession):  # type: ignore[misc]  # ncclient is untyped
    """A session to `endpoint`, connected when it exists.

    `probe`: ask for nothing until it is answered, for servers that lose a request which comes with our hello.

    Raises DeviceUnreachableError, HostKeyChangedError, AuthenticationError.
    """

    def __init__(self, endpoint: Endpoint, *, probe: bool = True) -> None:
        super().__init__(make_device_handler({"name": "default"}))
        self._endpoint = endpoint
        self._probe = probe
        self._notification_q: Queue[Any] = Queue(maxsize=NOTIFICATIONS)
        self._sending = threading.Lock()
        self._corked: list[bytes] | None = None
        self._pending_bytes = 0
        self._name = f"{endpoint.firewall.name} ({endpoint.firewall.address} port {endpoint.firewall.port})"
        self.device_handler = self._device_handler
        self._open()

    @property
    def has_partial_message(self) -> bool:
        """Tell whether the far side stopped in the middle of a message."""
        return self._pending_bytes > 0

    def _open(self) -> None:
        endpoint = self._endpoint
        firewall = endpoint.firewall
        try:
            sock = open_line(firewall.address, firewall.port, connect_s=endpoint.connect_s)
        except OSError as error:
            raise DeviceUnreachableError(f"{self._name}: {error.strerror or error}") from None
        # A dead line is noticed by the kernel, not only by the next request.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(endpoint.answer_s * 1000))
        self._transport = paramiko.Transport(sock)
        self._transport.set_log_channel("ncclient.transport.ssh")
        # paramiko waits for some answers without a limit: whatever hangs, ends when this closes the socket.
        deadline = threading.Timer(endpoint.connect_s + endpoint.answer_s, sock.close)
        deadline.daemon = True
        deadline.start()
        try:
            self._handshake(self._transport)
        except BaseException:
            self._transport.close()
            raise
        finally:
            deadline.cancel()

    def _handshake(self, transport: paramiko.Transport) -> None:
        endpoint, started = self._endpoint, time.monotonic()
        transport.banner_timeout = transport.auth_timeout = endpoint.connect_s
        ask_for_pinned_key(transport, endpoint.host_key)
        try:
            transport.start_client(timeout=endpoint.connect_s)
            log_in(transport, endpoint, where=self._name)
            self._channel = transport.open_session(timeout=endpoint.connect_s)
            self._channel.settimeout(endpoint.answer_s)
            self._channel.invoke_subsystem("netconf")
            self._connected = True
            self._post_connect(endpoint.answer_s)
            if self._probe:
                self._first_answer(started + endpoint.connect_s + endpoint.answer_s)
            transport.sock.settimeout(IDLE_S)
        except (paramiko.SSHException, NCClientError, OSError, EOFError) as error:
            took = time.monotonic() - started
            raise DeviceUnreachableError(
                f"{self._name}: no NETCONF session after {took:.1f} s: {str(error)[:200] or 'closed'}"
            ) from None

    def _first_answer(self, deadline: float) -> None:
        """Ask for nothing until it is answered: netconfd loses a request that arrives with our hello."""
        manager = Manager(self, self._device_handler, timeout=FIRST_ANSWER_S)
        while True:
            time.sleep(HELLO_REST_S)
            try:
                manager.dispatch(to_ele(NOTHING))
                return
            except (TimeoutExpiredError, RPCError):
                if time.monotonic() > deadline:
                    raise

    def send(self, message: str) -> None:
        """Send at once, or with the others when corked."""
        if not self._connected:
            raise TransportError("not connected")
        data = message.encode()
        if self._base == NetconfBase.BASE_11:
            data = b"\n#%d\n%s\n##\n" % (len(data), data)
        else:
            data += b"]]>]]>"
        with self._sending:
            if self._corked is not None:
                self._corked.append(data)
                return
            try:
                self._channel.sendall(data)
            except (OSError, paramiko.SSHException) as error:
                raise TransportError(f"the line broke: {error}") from None

    @contextmanager
    def corked(self) -> Iterator[None]:
        """Send what is asked inside in one piece: the line cannot break between two requests."""
        with self._sending:
            self._corked = []
        try:
            yield
        finally:
            with self._sending:
                data, self._corked = b"".join(self._corked), None
                try:
                    self._channel.sendall(data)
                except (OSError, paramiko.SSHException) as error:
                    raise TransportError(f"the line broke: {error}") from None

    def run(self) -> None:
        """Read until the line ends (the thread of ncclient's Session), waiting without a tick."""
        channel = self._channel
        try:
            while True:
                select.select([channel], [], [])
                data = channel.recv(READ_BYTES)
                if not data:
                    raise SessionCloseError(b"")
                self._pending_bytes += len(data)
                most = MESSAGE_BYTES if self._server_capabilities is not None else HELLO_BYTES
                if self._pending_bytes > most:
                    raise TransportError(f"a message of more than {most} bytes")
                self.parser.parse(data)
        except Exception as error:
            self._connected = False
            self._dispatch_error(error)
            self._transport.close()

    def _dispatch_message(self, raw: str) -> None:
        self._pending_bytes = 0
        if "<!DOCTYPE" in raw or "<!ENTITY" in raw:
            raise TransportError("a message with a document type declaration (RFC 6241 section 3.1)")
        super()._dispatch_message(raw)

    def close(self) -> None:
        """End the session; never raises."""
        self._closing.set()
        self._connected = False
        try:
            self._transport.close()
        except (OSError, EOFError, paramiko.SSHException):
            return
        if self.is_alive() and self is not threading.current_thread():
            self.join(1.0)
