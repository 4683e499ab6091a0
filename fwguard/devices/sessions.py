"""One kept session for each firewall, so that a look costs no connection; and a fresh one to verify by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fwguard.devices.protocol import Device, Endpoint
from fwguard.errors import DeviceError


class Sessions:
    """Kept sessions by firewall name. One that is used is taken out meanwhile, so that no two share it;
    one that failed in any way is closed and not used again."""

    def __init__(self, connect: Callable[[Endpoint], Device]) -> None:
        self._connect = connect
        self._kept: dict[str, tuple[Endpoint, Device]] = {}
        self._guard = threading.Lock()

    @contextmanager
    def kept(self, endpoint: Endpoint) -> Iterator[Device]:
        """Use the kept session, or open one and keep it. Raises DeviceError."""
        device = self._take(endpoint) or self._connect(endpoint)
        try:
            yield device
        except BaseException as error:
            if isinstance(error, DeviceError) or not isinstance(error, Exception):
                device.close()
            else:
                self._put(endpoint, device)
            raise
        self._put(endpoint, device)

    @contextmanager
    def fresh(self, endpoint: Endpoint) -> Iterator[Device]:
        """Use a new session: what it reads cannot come from a session that was there before the write.

        It replaces the kept one. Raises DeviceError.
        """
        old = self._take(endpoint)
        if old is not None:
            old.close()
        with self.kept(endpoint) as device:
            yield device

    def forget(self, name: str) -> None:
        """Close the kept session of a firewall."""
        with self._guard:
            entry = self._kept.pop(name, None)
        if entry is not None:
            entry[1].close()

    def close(self) -> None:
        """Close every session."""
        for name in list(self._kept):
            self.forget(name)

    def _take(self, endpoint: Endpoint) -> Device | None:
        with self._guard:
            entry = self._kept.pop(endpoint.firewall.name, None)
        if entry is None:
            return None
        if entry[0] != endpoint:
            entry[1].close()  # its address or keys have changed since
            return None
        return entry[1]

    def _put(self, endpoint: Endpoint, device: Device) -> None:
        with self._guard:
            before = self._kept.get(endpoint.firewall.name)
            self._kept[endpoint.firewall.name] = (endpoint, device)
        if before is not None and before[1] is not device:
            before[1].close()
