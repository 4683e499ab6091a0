"""Suricata beside the agent: its alerts are verdicts too, bound to a port only where it captured at that port."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

import structlog

from fwguard.detect.outside.eve import read_eve
from fwguard.detect.outside.reporting import Held
from fwguard.edge.answering import Answering
from fwguard.edge.eve_stream import EveFile, EveSocket
from fwguard.errors import InputError
from fwguard.model.edge import EdgePort, EdgeState
from fwguard.model.thresholds import Thresholds

log = structlog.get_logger(__name__)
KINDS: Final = ("file", "stream", "datagram")
_EVERY_S: Final = 0.1


Source = EveFile | EveSocket


def open_source(words: str) -> Source:
    """Open `file:PATH`, `stream:PATH` or `datagram:PATH`. Raises InputError."""
    kind, _, path = words.partition(":")
    if kind not in KINDS or not path.startswith("/"):
        raise InputError(
            f"{words!r}", where="suricata", expected="file:, stream: or datagram: and a whole path"
        )
    return EveFile(Path(path)) if kind == "file" else EveSocket(Path(path), datagrams=kind == "datagram")


class Sensing(threading.Thread):
    """Reads alerts. `read` counts lines, `spoken` verdicts, `refused` lines that are none of EVE."""

    def __init__(self, *, source: Source, thresholds: Thresholds, answering: Answering) -> None:
        super().__init__(name="sensing", daemon=True)
        self._source, self._thresholds, self._answering = source, thresholds, answering
        self._ports: tuple[EdgePort, ...] = ()
        self._ended = threading.Event()
        self.read = self.spoken = self.refused = 0

    def follow(self, state: EdgeState) -> None:
        """Judge by this state from now on."""
        self._ports = state.ports

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join(timeout=5)

    def run(self) -> None:
        """Read until told to stop; a line that is no EVE record is counted."""
        while not self._ended.wait(_EVERY_S):
            try:
                for line in self._source.lines():
                    self.read += 1
                    self._take(line)
            except Exception:
                log.exception("sensing goes on after an error")
        self._source.close()

    def _take(self, line: bytes) -> None:
        try:
            detection = read_eve(line, self._thresholds, self._who_had, time.time())
        except InputError:
            self.refused += 1
            return
        if detection is not None:
            self.spoken += 1
            self._answering.on_detection(detection, lambda _: b"")

    def _who_had(self, address: str, _at_s: float) -> Held | None:
        """Return the one port that holds an address; of private addresses that clients share, nobody."""
        held = [port for port in self._ports if port.is_started and address in port.addresses]
        return Held(server=held[0].server, ingress=held[0].interface) if len(held) == 1 else None
