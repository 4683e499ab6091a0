"""One NETCONF session over SSH: ncclient's, with a pinned key, deadlines, bounds, and nothing polled.

ncclient 0.7.1 sends what is queued every 100 ms only (`TICK`), takes any time that the far side takes
while it connects, and keeps whatever the far side sends. A request here goes out at once.
"""

from __future__ import annotations

import io
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
from fwguard.devices.protocol import Endpoint
from fwguard.errors import AuthenticationError, DeviceUnreachableError, HostKeyChangedError, InputError

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
KEY_TYPES: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class PinnedSession(SSHSession):  # type: ignore[misc]  # ncclient is untyped
    """A session to `endpoint`, connected when it exists.

    Raises DeviceUnreachableError, HostKeyChangedError, AuthenticationError.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(make_device_handler({"name": "default"}))
        self._endpoint = endpoint
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
        pinned_type, _, pinned_blob = endpoint.host_key.strip().partition(" ")
        pinned_blob = pinned_blob.partition(" ")[0]
        transport.banner_timeout = transport.auth_timeout = endpoint.connect_s
        options = transport.get_security_options()
        # The pinned kind first, so that a device with several keys shows the one that we know.
        options.key_types = sorted(options.key_types, key=lambda kind: not _is_kind(kind, pinned_type))
        try:
            transport.start_client(timeout=endpoint.connect_s)
            shown = transport.get_remote_server_key()
            if (shown.get_name(), shown.get_base64()) != (pinned_type, pinned_blob):
                raise HostKeyChangedError(
                    f"{self._name} shows {shown.get_name()} {shown.fingerprint}, not the pinned "
                    f"{pinned_type} key: nothing was sent; find out why before pinning another"
                )
            transport.auth_publickey(endpoint.firewall.username, read_key(endpoint.private_key))
            self._channel = transport.open_session(timeout=endpoint.connect_s)
            self._channel.settimeout(endpoint.answer_s)
            self._channel.invoke_subsystem("netconf")
            self._connected = True
            self._post_connect(endpoint.answer_s)
            self._first_answer(started + endpoint.connect_s + endpoint.answer_s)
            transport.sock.settimeout(IDLE_S)
        except paramiko.AuthenticationException as error:
            raise AuthenticationError(f"{self._name} rejects our key: {error}") from None
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


def _is_kind(offered: str, pinned: str) -> bool:
    """An RSA key is offered under the names of its signatures (RFC 8332)."""
    return offered == pinned or (pinned == "ssh-rsa" and offered.startswith("rsa-"))


def read_key(text: str) -> paramiko.PKey:
    """Read a private key in OpenSSH or PEM form. Raises InputError; the message holds nothing of it."""
    for kind in KEY_TYPES:
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError):
            continue
    raise InputError(
        "our private key cannot be read", expected="an ed25519, ECDSA or RSA key without password"
    )
