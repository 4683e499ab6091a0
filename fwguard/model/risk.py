"""How dangerous an opening is: classes, reasons as values, and the weights that people edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from fwguard.errors import InputError
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.ports import parse_ports
from fwguard.model.risk_words import RISK_WORDS


class RiskClass(StrEnum):
    """What quorum and longest duration hang on (`approvals/policy.yaml`)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason as a value: a code of the table of words, and what fills its blanks; words come last."""

    code: str
    params: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: str, **params: object) -> Reason:
        """Build with named blanks."""
        return cls(code, tuple((name, str(value)) for name, value in params.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The class, the points that led to it, and why: the heaviest reason first."""

    risk_class: RiskClass
    score: int
    why: tuple[Reason, ...]

    def words(self, language: Language) -> tuple[str, ...]:
        """Say why, one line a reason."""
        return tuple(RISK_WORDS[one.code][language].format(**dict(one.params)) for one in self.why)


# SSH, Telnet, RPC, NetBIOS, LDAP, SMB, SNMP, rlogin, RDP, VNC, WinRM, X11, IPMI, Docker, Kubernetes, etcd,
# Webmin, Proxmox, Winbox: what an intruder would use to take the machine over.
MANAGEMENT_TCP: Final = parse_ports(
    "22,23,111,135,139,389,445,512-514,623,636,2222,2375-2380,3389,5900-5910,5985-5986,6000-6010,"
    "6443,8006,8291,10000,10250"
)
MANAGEMENT_UDP: Final = parse_ports("69,111,137-138,161-162,177,389,623,3389")
# MS SQL, Oracle, MySQL, PostgreSQL, Redis, memcached, MongoDB, Elasticsearch, CouchDB, Cassandra, DB2…
DATABASES_TCP: Final = parse_ports(
    "1433-1434,1521-1522,3050,3306,5432-5433,5984,6379,7000-7001,7474,8086,9042,9200,9300,11211,"
    "27017-27019,50000"
)
DATABASES_UDP: Final = parse_ports("1434,11211")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskWeights:
    """Points for each reason, and the points at which a class begins. Key `risk` of `policy.yaml`.

    `*_at` are thresholds of the sum; `wide_prefix_v4`/`_v6`: a source prefix this short or shorter is
    wide; `many_ports`: more ports than this in one opening; `long_days`: an end later than this.
    """

    source_anyone: int = 30
    source_wide: int = 15
    wide_prefix_v4: int = 20
    wide_prefix_v6: int = 44
    management: int = 45
    database: int = 45
    any_service: int = 50
    many_ports: int = 32
    many_ports_points: int = 20
    no_end: int = 10
    long_days: int = 365
    long_end: int = 5
    first_opening: int = 10
    wider_than_asked: int = 60
    undecided: int = 25
    closes_too: int = 15
    medium_at: int = 25
    high_at: int = 60
    critical_at: int = 100
    management_tcp: Intervals = field(default=MANAGEMENT_TCP)
    management_udp: Intervals = field(default=MANAGEMENT_UDP)
    database_tcp: Intervals = field(default=DATABASES_TCP)
    database_udp: Intervals = field(default=DATABASES_UDP)

    def __post_init__(self) -> None:
        if not 0 < self.medium_at <= self.high_at <= self.critical_at:
            raise InputError(
                f"risk classes begin at {self.medium_at}, {self.high_at}, {self.critical_at}",
                expected="medium_at ≤ high_at ≤ critical_at",
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str = "risk") -> RiskWeights:
        """Read weights; what is absent keeps its default. Raises InputError that names the key.

        Points and thresholds are whole numbers from 0 to 1000; port lists are texts like "22,8000-8010".
        """
        known = {entry.name: entry for entry in fields(cls)}
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise InputError(f"{where}.{name} is not known", expected="one of " + ", ".join(known))
            if isinstance(known[name].default, Intervals):
                if not isinstance(value, (str, int)) or isinstance(value, bool):
                    raise InputError(f"{where}.{name}: {value!r}", expected='ports, as in "22,8000-8010"')
                read[name] = parse_ports(str(value))
            elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:
                raise InputError(f"{where}.{name}: {value!r}", expected="a whole number from 0 to 10000")
            else:
                read[name] = value
        return cls(**read)

    def class_of(self, score: int) -> RiskClass:
        """Return the class in which a sum of points falls."""
        if score >= self.critical_at:
            return RiskClass.CRITICAL
        if score >= self.high_at:
            return RiskClass.HIGH
        return RiskClass.MEDIUM if score >= self.medium_at else RiskClass.LOW
