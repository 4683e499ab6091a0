"""Where verdicts are put together: the clause comes from the thresholds, one place for all detectors."""

from __future__ import annotations

from dataclasses import dataclass, field

from fwguard.detect.flow import show
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.thresholds import Thresholds

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp", 47: "gre", 50: "esp"}
MAX_PACKETS = 64


@dataclass(slots=True)
class Accuser:
    """Takes what detectors found; `taken` empties it."""

    thresholds: Thresholds
    said: list[Detection] = field(default_factory=list)

    def accuse(
        self,
        detector: Detector,
        reason: Reason,
        *,
        server: bytes | str,
        peer: bytes | str = "",
        port: int = 0,
        protocol: int | str = "",
        packets: tuple[int, ...],
        first_packet: int = 0,
        first_s: float,
        last_s: float,
        server_port: int = 0,
        peer_port: int = 0,
        ingress: str = "",
    ) -> None:
        """Add one verdict. `packets` are put in order; without `first_packet` it is the first of them."""
        numbers = tuple(sorted(set(packets)))[:MAX_PACKETS]
        self.said.append(
            Detection(
                detector=detector,
                server=server if isinstance(server, str) else show(server),
                peer=peer if isinstance(peer, str) else show(peer),
                port=port,
                protocol=protocol if isinstance(protocol, str) else PROTOCOLS.get(protocol, str(protocol)),
                reason=reason,
                clause=self.thresholds.clauses[detector],
                first_packet=first_packet or (numbers[0] if numbers else 0),
                packets=numbers,
                first_s=first_s,
                last_s=last_s,
                server_port=server_port,
                peer_port=peer_port,
                ingress=ingress,
            )
        )

    def taken(self) -> list[Detection]:
        """Return what was said since the last time."""
        said, self.said = self.said, []
        return said
