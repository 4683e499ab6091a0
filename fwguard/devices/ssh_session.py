"""One SSH connection to one device: pinned host key, our key alone, and a deadline on everything."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import paramiko

from fwguard.devices.frame import MAX_BYTES
from fwguard.devices.line import IDLE_S, open_line
from fwguard.devices.login import ask_for_pinned_key, log_in
from fwguard.devices.protocol import Endpoint
from fwguard.errors import DeviceUnreachableError, PartialReadingError

MAX_STDERR_BYTES: Final = 8192
_CHUNK: Final = 1 << 16
# paramiko's thread also prints what it raises to us.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said. `status` None: the line broke, or the device hung, before it ended."""

    status: int | None
    stdout: bytes
    stderr: str


def open_transport(endpoint: Endpoint) -> paramiko.Transport:
    """Connect, compare the host key with the pinned one, then log in with our key and nothing else.

    Raises DeviceUnreachableError, HostKeyChangedError, AuthenticationError, all within `connect_s`
    for the connection and again for the login.
    """
    firewall = endpoint.firewall
    where = f"{firewall.name} ({firewall.address} port {firewall.port})"
    try:
        line = open_line(firewall.address, firewall.port, connect_s=endpoint.connect_s)
    except OSError as error:
        raise DeviceUnreachableError(
            f"{where}: no connection ({error}): is it up, is the way open?"
        ) from None
    transport = paramiko.Transport(line)
    try:
        ask_for_pinned_key(transport, endpoint.host_key)
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = endpoint.connect_s
        transport.channel_timeout = endpoint.answer_s
        transport.start_client(timeout=endpoint.connect_s)
        log_in(transport, endpoint, where=where)
        line.settimeout(IDLE_S)
    except (OSError, EOFError, paramiko.SSHException) as error:
        transport.close()
        raise DeviceUnreachableError(f"{where}: no SSH session ({error}): is sshd healthy?") from None
    except BaseException:
        transport.close()
        raise
    return transport


class SshSession:
    """A kept connection that runs one command at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.where = f"{endpoint.firewall.name} ({endpoint.firewall.address})"
        self._transport = open_transport(endpoint)

    def run(self, command: str, stdin: bytes = b"", *, within_s: float | None = None) -> Answer:
        """Run one command to its end. The deadline is `answer_s` unless another is given.

        Raises DeviceUnreachableError where it could not even be asked, PartialReadingError where it
        answers more than 64 MiB. A line that breaks later is no error here: status None.
        """
        within_s = self.endpoint.answer_s if within_s is None else within_s
        end = time.monotonic() + within_s
        with self._guillotine(within_s):
            try:
                channel = self._transport.open_session(timeout=within_s)
                channel.settimeout(within_s)
                channel.exec_command(command)
            except (OSError, EOFError, paramiko.SSHException) as error:
                self.close()
                raise DeviceUnreachableError(
                    f"{self.where}: the session is gone ({error}): connect again"
                ) from None
            try:
                return self._converse(channel, stdin, end)
            finally:
                channel.close()

    @contextmanager
    def channel(self, command: str) -> Iterator[paramiko.Channel]:
        """Start a command that goes on, with its channel. Raises DeviceUnreachableError."""
        with self._guillotine(self.endpoint.answer_s):
            try:
                channel = self._transport.open_session(timeout=self.endpoint.answer_s)
                channel.exec_command(command)
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise DeviceUnreachableError(
                    f"{self.where}: the session is gone ({error}): connect again"
                ) from None
        try:
            yield channel
        finally:
            channel.close()

    def close(self) -> None:
        """End the connection; never raises."""
        try:
            self._transport.close()
        except (OSError, EOFError, paramiko.SSHException):
            return

    def _converse(self, channel: paramiko.Channel, stdin: bytes, end: float) -> Answer:
        stdout, size = [], 0
        try:
            channel.sendall(stdin)
            channel.shutdown_write()
            while True:
                channel.settimeout(max(0.001, end - time.monotonic()))
                chunk = channel.recv(_CHUNK)
                if not chunk:
                    break
                stdout.append(chunk)
                size += len(chunk)
                if size > MAX_BYTES:
                    self.close()
                    raise PartialReadingError(f"{self.where} answers more than {MAX_BYTES} bytes: not read")
            stderr = b""
            while len(stderr) < MAX_STDERR_BYTES:
                channel.settimeout(max(0.001, end - time.monotonic()))
                chunk = channel.recv_stderr(MAX_STDERR_BYTES - len(stderr))
                if not chunk:
                    break
                stderr += chunk
            ended = channel.status_event.wait(max(0.001, end - time.monotonic()))
        except (OSError, EOFError, paramiko.SSHException):  # TimeoutError is an OSError
            ended, stderr = False, b""
        status = channel.exit_status if ended else -1
        if status < 0:
            self.close()  # what is left of its answer must not meet the next question
        text = stderr.decode("utf-8", "replace").strip()
        return Answer(status=status if status >= 0 else None, stdout=b"".join(stdout), stderr=text)

    @contextmanager
    def _guillotine(self, within_s: float) -> Iterator[None]:
        """Some waits of paramiko know no deadline; closing the transport ends them all."""
        timer = threading.Timer(within_s + 1.0, self.close)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
