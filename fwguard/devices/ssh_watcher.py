"""Changes of a Linux firewall as they happen, streamed by its gate (`watch` of gate.sh)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Final

import paramiko

from fwguard.devices.protocol import ChangeSeen, Endpoint
from fwguard.devices.ssh_session import SshSession
from fwguard.errors import DeviceError, DeviceUnreachableError

BEAT_S: Final = 15.0  # of the gate
MAX_LINE_BYTES: Final = 400  # what a person is shown of a change
_LOOK_S: Final = 1.0  # how soon `stop` is obeyed
_STARTS_S: Final = 5.0


class SshWatcher:
    """Streams the changes of one firewall over a connection of its own (see Watcher)."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._where = f"{endpoint.firewall.name} ({endpoint.firewall.address})"
        self.ready = Event()  # set while no change can be missed

    def run(self, on_change: Callable[[ChangeSeen], None], stop: Event) -> None:
        """Block until `stop`; see Watcher.run. The device is silent for 40 s: DeviceUnreachableError."""
        session = SshSession(self._endpoint)
        try:
            with session.channel("watch") as channel:
                for line in self._lines(channel, stop):
                    if line == "ready":
                        self.ready.set()
                    elif line != "beat":
                        on_change(ChangeSeen(at=datetime.now(UTC), what=line))
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise DeviceUnreachableError(f"{self._where}: the stream broke ({error})") from None
        finally:
            self.ready.clear()
            session.close()

    def _lines(self, channel: paramiko.Channel, stop: Event) -> Iterator[str]:
        """Lines until `stop`, each cut to what is shown. Raises DeviceError at its end or when silent."""
        channel.settimeout(_LOOK_S)
        heard = time.monotonic()
        allowed_s = _STARTS_S + self._endpoint.answer_s
        rest = b""
        while not stop.is_set():
            try:
                chunk = channel.recv(1 << 16)
            except TimeoutError:
                if time.monotonic() - heard > allowed_s:
                    raise DeviceUnreachableError(
                        f"{self._where}: no sign of life for {allowed_s:.0f} s"
                    ) from None
                continue
            if not chunk:
                said = channel.recv_stderr(1000).decode("utf-8", "replace").strip()
                raise DeviceError(f"{self._where} ended the stream of changes: {said or 'without a word'}")
            heard, allowed_s = time.monotonic(), BEAT_S * 2 + 10
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line[:MAX_LINE_BYTES].decode("utf-8", "replace")
            if len(rest) > MAX_LINE_BYTES:  # a line without end is cut, not kept
                rest = rest[:MAX_LINE_BYTES]
