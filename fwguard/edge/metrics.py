"""The agent's figures for Prometheus, on a local port, gathered when they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from fwguard.edge.metering import Metering
from fwguard.errors import InputError

Figures = Callable[[], Mapping[str, float]]
"""Plain figures by name; those that end in `_total` only grow."""
_PORT: Final = ("client", "architecture", "server", "port", "direction")
_SUBJECT: Final = ("scope", "name", "direction", "step_s")


class EdgeCollector(Collector):
    """Asks the agent and its meters."""

    def __init__(self, figures: Figures, metering: Metering) -> None:
        self._figures, self._metering = figures, metering

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield every family once."""
        for name, value in self._figures().items():
            words = name.replace("_", " ")
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(f"fwguard_edge_{name}", words, value=value)
        octets = CounterMetricFamily("fwguard_edge_bytes_total", "bytes carried by a port", labels=_PORT)
        packets = CounterMetricFamily("fwguard_edge_packets_total", "packets carried by a port", labels=_PORT)
        for port, count in self._metering.carried():
            labels = [port.client, port.architecture, port.server, port.interface]
            octets.add_metric([*labels, "sent"], count.in_bytes)
            octets.add_metric([*labels, "received"], count.out_bytes)
            packets.add_metric([*labels, "sent"], count.in_packets)
            packets.add_metric([*labels, "received"], count.out_packets)
        yield octets
        yield packets
        mean = GaugeMetricFamily("fwguard_edge_rate_bps", "mean of the last finished step", labels=_SUBJECT)
        high = GaugeMetricFamily("fwguard_edge_rate_p95_bps", "95th percentile of that step", labels=_SUBJECT)
        for subject, direction, step, mean_bps, p95_bps in self._metering.latest():
            labels = [subject.scope, subject.name, direction, str(int(step))]
            mean.add_metric(labels, mean_bps)
            high.add_metric(labels, p95_bps)
        yield mean
        yield high


class MetricsDoor:
    """The listener; `port` is the one that it got."""

    def __init__(self, address: tuple[str, int], figures: Figures, metering: Metering) -> None:
        """Listen. Raises InputError when the address cannot be had."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(EdgeCollector(figures, metering))
        try:
            started = start_http_server(address[1], address[0], registry)
        except OSError as error:
            raise InputError(
                f"{error.strerror}", where=f"metrics {address[0]}:{address[1]}", expected="a free address"
            ) from None
        self._server: WSGIServer = started[0]
        self._thread: threading.Thread = started[1]
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)
