"""A NETCONF session from inside a lab firewall: root talks to netconfd through its own subsystem program."""

from __future__ import annotations

import os
import select
import subprocess
import time
from typing import Final

from lxml import etree

from fwguard.errors import DeviceError

SUBSYSTEM: Final = "/usr/sbin/netconf-subsystem"
SOCKET: Final = "/run/netconfd.sock"
PORT: Final = 830
BASE: Final = "urn:ietf:params:xml:ns:netconf:base:1.0"
_END: Final = b"]]>]]>"
_HELLO: Final = (
    f'<hello xmlns="{BASE}"><capabilities>'
    "<capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>"
)
_NOTHING: Final = '<get-config><source><running/></source><filter type="subtree"/></get-config>'
ANSWER_S: Final = 20.0
ATTEMPTS: Final = 5


class LocalSession:
    """One session of base:1.0. Raises DeviceError when netconfd is not there, refuses, or ends it."""

    def __init__(self) -> None:
        self._number = 0
        for attempt in range(ATTEMPTS):
            self._child = subprocess.Popen(
                [SUBSYSTEM, f"--ncxserver-sockname={PORT}@{SOCKET}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**os.environ, "SSH_CONNECTION": f"127.0.0.1 0 127.0.0.1 {PORT}", "USER": "root"},
            )  # fmt: skip
            self._buffer = b""
            self._notifications: list[str] = []
            try:
                self._receive(time.monotonic() + ANSWER_S)
                self._send(_HELLO)
                time.sleep(0.02 * (attempt + 1))
                self.ask(_NOTHING, answer_s=1.0)
                return
            except (DeviceError, TimeoutError) as error:
                # netconfd loses, or misreads, a request that arrives together with our hello.
                self.close()
                failed = error
        raise DeviceError(f"no session with netconfd: {failed}")

    def ask(self, operation: str, *, answer_s: float = ANSWER_S) -> str:
        """Return the `<rpc-reply>` to an operation. Raises DeviceError with its rpc-error."""
        self._number += 1
        self._send(f'<rpc message-id="{self._number}" xmlns="{BASE}">{operation}</rpc>')
        deadline = time.monotonic() + answer_s
        while True:
            message = self._receive(deadline)
            if "<notification" in message[:200]:
                self._notifications.append(message)
                continue
            root = etree.fromstring(message.encode())
            error = root.find(f".//{{{BASE}}}rpc-error")
            if error is not None:
                raise DeviceError(f"netconfd refuses: {error.findtext(f'{{{BASE}}}error-message')}")
            return message

    def notification(self, timeout_s: float | None) -> str | None:
        """Return the next notification, or None when none came in time (None: wait for ever)."""
        if self._notifications:
            return self._notifications.pop(0)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            return self._receive(deadline)
        except TimeoutError:
            return None

    def close(self) -> None:
        """End the session."""
        self._child.terminate()
        self._child.wait(5)

    def _send(self, message: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(message.encode() + _END)
            self._child.stdin.flush()
        except OSError as error:
            raise DeviceError(f"netconfd is not there: {error}") from None

    def _receive(self, deadline: float | None) -> str:
        assert self._child.stdout is not None
        while _END not in self._buffer:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._child.stdout], [], [], wait)
            if not readable:
                raise TimeoutError("netconfd does not answer")
            data = os.read(self._child.stdout.fileno(), 1 << 16)
            if not data:
                raise DeviceError("netconfd ended the session")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(_END)
        return message.decode().strip()


def edit(session: LocalSession, config: str) -> None:
    """Edit the candidate and commit it, as one who administers the firewall does."""
    session.ask(
        f'<edit-config><target><candidate/></target><config xmlns:nc="{BASE}">{config}</config></edit-config>'
    )
    session.ask("<commit/>")
