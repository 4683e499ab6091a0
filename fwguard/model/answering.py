"""How verdicts are answered: which detectors act, how far each is trusted, how long a cut lasts, when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fwguard.model.detection import Detector


class DetectorMode(StrEnum):
    """Whether what a detector says has an effect."""

    ACT = "act"
    DRY_RUN = "dry-run"  # a new detector on trial: it says what it would have done


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """One detector: its mode, and of a hundred of its verdicts how many are taken to be right."""

    mode: DetectorMode
    confidence_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is common to all answers (clauses 6.1, 7.1, 7.4, 7.5, 8).

    A detector trusted less than `cut_from_percent` warns; less than `server_from_percent` it never cuts more
    than a service. After a warning nothing follows for `grace_s`. The n-th cut of a server lasts the n-th of
    `cut_for_s`, then until a person releases it; for `probation_s` after a release the next breach is answered
    without a warning and one rung higher. When more than the larger of `breaker_clients` and `breaker_percent`
    of all clients would be cut within `breaker_window_s`, nothing more is cut and a person is called.
    At `shared_ports`, where all sorts of services are reached, a client's flow is cut and not the port.
    """

    cut_from_percent: int
    server_from_percent: int
    grace_s: int
    cut_for_s: tuple[int, ...]
    probation_s: int
    breaker_clients: int
    breaker_percent: int
    breaker_window_s: int
    shared_ports: frozenset[int]
    trust: Mapping[Detector, Trust]

    def breaker_most(self, clients: int) -> int:
        """Return how many distinct clients of so many may be cut within the window."""
        return max(self.breaker_clients, -(-clients * self.breaker_percent // 100))
