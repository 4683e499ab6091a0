"""What the kernel shows: first packets for the detectors, ports that it cut, refusals, connection logs.

One thread, and never in a packet's way: what it misses was judged by the rules, and is only not seen.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from typing import Any, Final

import structlog

from fwguard.compile.names import LogGroup
from fwguard.detect.engine import Engine
from fwguard.detect.evidence import write_evidence
from fwguard.detect.frame import Decoder, Packet
from fwguard.detect.kept import Kept
from fwguard.detect.unapproved_opening import Approved
from fwguard.edge.answering import Answering
from fwguard.edge.telling import Teller
from fwguard.kernel.nflog import LoggedPacket, PacketLog
from fwguard.model.detection import Detection
from fwguard.model.edge import EdgePort, EdgeState, PortKind
from fwguard.model.edge_wire import EdgeEvent, EventKind
from fwguard.model.thresholds import Thresholds

log = structlog.get_logger(__name__)
RAW_IP: Final = 101  # LINKTYPE_RAW: begins with the IPv4 or IPv6 header
REFUSALS_EVERY_S: Final = 10.0
CONNECTIONS_EVERY_S: Final = 1.0
MOST_CONNECTIONS: Final = 500  # in one second, to the spool; more are counted
_WAIT_S: Final = 0.5
_pcap_head = Struct("<IHHiIII")
_pcap_record = Struct("<IIII")


class Listening(threading.Thread):
    """Reads the four log groups. `seen` are packets by group, `spoken` detections, `failed` errors survived."""

    def __init__(self, *, thresholds: Thresholds, answering: Answering, teller: Teller) -> None:
        """Bind the groups. Raises ConflictError when another program reads one."""
        super().__init__(name="listening", daemon=True)
        self._thresholds = thresholds
        self._answering, self._teller = answering, teller
        self._logs = {
            LogGroup.URGENT: PacketLog(LogGroup.URGENT, threshold=1, timeout_ms=10, snaplen_bytes=128),
            LogGroup.FIRST_PACKETS: PacketLog(LogGroup.FIRST_PACKETS, threshold=50, timeout_ms=10),
            LogGroup.REFUSED: PacketLog(LogGroup.REFUSED, threshold=16, timeout_ms=100),
            LogGroup.CONNECTIONS: PacketLog(LogGroup.CONNECTIONS, threshold=16, timeout_ms=100),
        }
        self._takes: dict[LogGroup, Callable[[LoggedPacket], None]] = {
            LogGroup.URGENT: self._urgent, LogGroup.FIRST_PACKETS: self._first,
            LogGroup.REFUSED: self._refused, LogGroup.CONNECTIONS: self._connection,
        }  # fmt: skip
        self._names: dict[int, str] = {}
        self._ports: dict[str, EdgePort] = {}
        self._zones: dict[str, bytes] = {}
        self._next_state: EdgeState | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._engine: Engine | None = None
        self._kept = Kept()
        self._decoder = Decoder()
        self._number = 0
        self._refusals: dict[tuple[int, str], int] = {}
        self._connections: list[EdgeEvent] = []
        self._skipped = 0
        self._flushed_s = {"refusals": 0.0, "connections": 0.0}
        self._told_lost = 0
        self._ended = threading.Event()
        self.seen = dict.fromkeys(LogGroup, 0)
        self.spoken: dict[str, int] = {}
        self.failed = 0

    def follow(self, state: EdgeState) -> None:
        """Judge by this state from now on."""
        self._next_state = state
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the thread, and with it the bindings."""
        self._ended.set()
        self.join(timeout=5)

    @property
    def lost(self) -> int:
        """Return how many packets the kernel could not hand over."""
        return sum(one.lost + one.overflows for one in self._logs.values())

    def run(self) -> None:
        """Read until told to stop; whatever goes wrong with one packet, the next is read."""
        by_fd = {one.fileno(): group for group, one in self._logs.items()}
        while not self._ended.is_set():
            try:
                found = select.select([self._wake, *by_fd], (), (), _WAIT_S)[0]
                self._take_state()
                ready = {by_fd[fd] for fd in found if fd in by_fd}
                # Urgent first: LogGroup's numbers are in this order.
                for group in sorted(ready):
                    for packet in self._logs[group].packets(0):
                        self.seen[group] += 1
                        self._takes[group](packet)
                self._flush()
            except Exception:
                self.failed += 1
                log.exception("listening goes on after an error")
                time.sleep(0.05)
        self._flush(everything=True)
        for one in self._logs.values():
            one.close()
        os.close(self._wake)

    def _take_state(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        state, self._next_state = self._next_state, None
        if state is None:
            return
        self._ports = {port.interface: port for port in state.ports}
        self._zones = {port.interface: port.zone.to_bytes(2, "big") for port in state.ports}
        # A firewall forwards for everyone; only a server speaks for itself alone.
        allowed = {
            port.interface: port.addresses
            for port in state.ports
            if port.is_started and port.kind is PortKind.SERVER
        }
        engine = Engine(self._thresholds, allowed=allowed, approved=Approved.of(state))
        if self._engine is not None:
            # Flows that stand go on under the new state; only who is who was renewed.
            self._engine.spoofs.allowed = allowed
            self._engine.spoofs.active = bool(allowed)
            self._engine.openings = engine.openings
            return
        self._engine = engine

    def _interface(self, index: int) -> str:
        name = self._names.get(index)
        if name is None or len(self._names) > 1 << 17:
            self._names = dict(socket.if_nameindex())
            name = self._names.get(index, "")
        return name

    def forget_names(self) -> None:
        """Look interfaces up again: a port came or went, and indexes are used anew."""
        self._names = {}

    def _first(self, packet: LoggedPacket) -> None:
        engine = self._engine
        if engine is None:
            return
        self._number += 1
        name = self._interface(packet.iif)
        frame = bytes(packet.payload)
        self._kept.add(self._number, packet.taken_s, RAW_IP, frame, name)
        for detection in engine.feed(
            self._number, packet.taken_s, RAW_IP, frame, name, self._zones.get(name, b"")
        ):
            self._said(detection)

    def _said(self, detection: Detection) -> None:
        self.spoken[detection.detector.value] = self.spoken.get(detection.detector.value, 0) + 1
        self._answering.on_detection(detection, lambda one: write_evidence(one, self._kept.of(one)))

    def _urgent(self, packet: LoggedPacket) -> None:
        what = "flood" if "flood" in packet.prefix else "scan"
        evidence = _pcap(packet.taken_s, bytes(packet.payload))
        self._answering.on_kernel_cut(self._interface(packet.iif), what, evidence)

    def _refused(self, packet: LoggedPacket) -> None:
        port = self._ports.get(self._interface(packet.iif))
        key = (port.number if port is not None else 0, packet.prefix[:60])
        self._refusals[key] = self._refusals.get(key, 0) + 1

    def _connection(self, packet: LoggedPacket) -> None:
        read = self._decoder.decode(RAW_IP, bytes(packet.payload))
        if not isinstance(read, Packet):
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            self._skipped += 1
            return
        into, out = self._ports.get(self._interface(packet.iif)), self._ports.get(self._interface(packet.oif))
        port = out or into
        self._connections.append(
            self._teller.event(
                EventKind.CONNECTION, port=port.number if port is not None else 0, why=packet.prefix[:60],
                source=_show(read.source), target=_show(read.target), protocol=read.protocol,
                source_port=read.sport, target_port=read.dport,
            )
        )  # fmt: skip

    def _flush(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        if self._connections and (everything or now - self._flushed_s["connections"] >= CONNECTIONS_EVERY_S):
            self._flushed_s["connections"] = now
            events, self._connections = self._connections, []
            self._teller.tell(*events)
        if not everything and now - self._flushed_s["refusals"] < REFUSALS_EVERY_S:
            return
        self._flushed_s["refusals"] = now
        refusals, self._refusals = self._refusals, {}
        self._teller.tell(
            *(
                self._teller.event(
                    EventKind.REFUSAL, port=port, clause=prefix.partition(" ")[0], why=prefix, packets=count
                )
                for (port, prefix), count in refusals.items()
            )
        )
        if self.lost + self._skipped > self._told_lost:
            lost, self._told_lost = self.lost + self._skipped - self._told_lost, self.lost + self._skipped
            self._teller.alarm("packets were not seen: the logs are faster than their reader", packets=lost)


def _pcap(taken_s: float, packet: bytes) -> str:
    """Return one packet as a capture (draft-ietf-opsawg-pcap) in base64."""
    seconds = int(taken_s)
    head = _pcap_head.pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)
    record = _pcap_record.pack(seconds, int((taken_s - seconds) * 1e6), len(packet), len(packet))
    return base64.b64encode(head + record + packet).decode("ascii")


def _show(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def facts_of(thread: Listening) -> dict[str, Any]:
    """Return what metrics show of the logs."""
    return {"seen": dict(thread.seen), "lost": thread.lost, "spoken": dict(thread.spoken)}
