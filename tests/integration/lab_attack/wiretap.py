"""What crosses a port of the lab's edge, heard with an AF_PACKET socket, and what the detectors say of it."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

from fwguard.detect.engine import Engine
from fwguard.lab import namespaces
from fwguard.lab import plan as p
from fwguard.lab.plan import ServerPlan
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detection
from fwguard.rules.detectors import read_detectors

THRESHOLDS = read_detectors(Path(__file__).parents[3] / "rules")
_ETH_P_ALL = 3  # <linux/if_ether.h>
_SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>
_SO_RCVBUFFORCE = 33
_ETHERNET = 1  # LINKTYPE_ETHERNET
_STILL_COMING_S = 0.15


class Wiretap:
    """Every frame at a server's port while the context lasts: kernel's time, bytes, and whether the server sent it."""

    def __init__(self, netns: str, server: ServerPlan) -> None:
        self.server = server
        self.frames: list[tuple[float, bytes, bool]] = []
        self._end = Event()
        self._socket = namespaces.inside(netns, self._open)
        self._thread = Thread(target=self._listen, daemon=True)

    def _open(self) -> socket.socket:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.bind((self.server.port, 0))
        tap.settimeout(0.05)
        return tap

    def __enter__(self) -> Wiretap:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        time.sleep(_STILL_COMING_S)
        self._end.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                frame, ancillary, _, address = self._socket.recvmsg(65600, 64)
            except TimeoutError:
                if self._end.is_set():
                    return
                continue
            stamp = [data for _, kind, data in ancillary if kind == _SO_TIMESTAMPNS]
            seconds, nanoseconds = struct.unpack("qq", stamp[0])
            self.frames.append((seconds + nanoseconds / 1e9, frame, address[2] != socket.PACKET_OUTGOING))

    def scan(self) -> list[Detection]:
        """Return what all detectors say, as of a capture at an edge: who is behind the port is known."""
        engine = Engine(
            THRESHOLDS,
            inside=AddressSet.parse(p.INSIDE4, p.INSIDE6),
            allowed={self.server.port: AddressSet.parse(self.server.address4, self.server.address6)},
        )
        said: list[Detection] = []
        for number, (time_s, frame, from_server) in enumerate(self.frames, 1):
            ingress = self.server.port if from_server else ""
            said += engine.feed(number, time_s, _ETHERNET, frame, ingress)
        return said + engine.finish()
