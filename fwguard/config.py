"""Settings: one YAML file, then the environment; the secret key file; and where the three folders stand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_type_hints

import yaml

from fwguard.errors import InputError

DEFAULT_FILE: Final = Path("/etc/fwguard/fwguard.yaml")
MAX_BYTES: Final = 1 << 18
FOLDERS: Final = ("rules", "approvals", "web")
_PACKAGE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default; the name in capitals behind `FWGUARD_` is its variable.

    Times are in seconds. Without `database_url` it is SQLite in `state_dir`, where the key file stands too.
    """

    state_dir: Path = Path("/var/lib/fwguard")
    database_url: str = ""
    secret_key_file: Path = Path()
    rules_dir: Path | None = None
    approvals_dir: Path | None = None
    web_dir: Path | None = None

    listen_address: str = "127.0.0.1"
    listen_port: int = field(default=8080, metadata={"low": 1, "high": 65535})
    portal_url: str = "http://127.0.0.1:8080"
    trusted_proxies: int = field(default=0, metadata={"low": 0, "high": 8})
    languages: tuple[str, ...] = ("fr", "en")

    smtp_host: str = "127.0.0.1"
    smtp_port: int = field(default=25, metadata={"low": 1, "high": 65535})
    smtp_bind: str = ""
    desk_address: str = "desk@localhost.localdomain"
    mail_domain: str = "localhost.localdomain"
    authserv_id: str = ""
    lmtp_host: str = "127.0.0.1"
    lmtp_port: int = field(default=8024, metadata={"low": 0, "high": 65535})
    max_mail_bytes: int = field(default=25 << 20, metadata={"low": 1 << 16, "high": 1 << 28})
    mail_retry_s: int = field(default=60, metadata={"low": 1, "high": 86400})
    mail_lease_s: int = field(default=120, metadata={"low": 5, "high": 3600})

    poll_s: int = field(default=30, metadata={"low": 1, "high": 86400})
    confirm_s: int = field(default=60, metadata={"low": 5, "high": 3600})
    lease_s: int = field(default=180, metadata={"low": 10, "high": 3600})
    connect_s: int = field(default=5, metadata={"low": 1, "high": 300})
    answer_s: int = field(default=15, metadata={"low": 1, "high": 600})
    restore_cap: int = field(default=60, metadata={"low": 1, "high": 10_000})
    restore_cap_s: int = field(default=600, metadata={"low": 1, "high": 86400})
    breaker_clients: int = field(default=20, metadata={"low": 1, "high": 1_000_000})
    breaker_percent: int = field(default=10, metadata={"low": 1, "high": 100})
    keep_readings: int = field(default=200, metadata={"low": 1, "high": 100_000})
    checkpoint_s: int = field(default=3600, metadata={"low": 10, "high": 604_800})
    hypervisors: tuple[str, ...] = ()  # "libvirt:URI" or "file:PATH": which servers run (clause 4)
    hypervisors_s: int = field(default=30, metadata={"low": 1, "high": 86400})
    monitoring: tuple[str, ...] = ()  # the operator's own watchers, which may reach every port of an edge
    console_from: tuple[str, ...] = ()  # who reaches an isolated server to repair it, where its reason allows
    console_ports: tuple[str, ...] = ("22", "3389")
    remediation_to: tuple[str, ...] = ()  # where an isolated server gets updates and clean images
    remediation_ports: tuple[str, ...] = ("80", "443")
    edge_address: str = "0.0.0.0"  # noqa: S104  # edges come from elsewhere; each request is signed
    edge_port: int = field(
        default=0, metadata={"low": 0, "high": 65535}
    )  # 0: a proxy is in front of the portal
    edge_certificate: Path | None = None  # PEM, with its chain
    edge_key: Path | None = None
    edge_token_s: int = field(default=86400, metadata={"low": 60, "high": 604_800})
    edges_waiting: int = field(default=32, metadata={"low": 1, "high": 1024})  # for a newer state, at once
    workers: int = field(default=4, metadata={"low": 1, "high": 256})

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.state_dir / 'fwguard.sqlite'}")
        if self.secret_key_file == Path():
            object.__setattr__(self, "secret_key_file", self.state_dir / "secret.key")
        for name in self.languages:
            if name not in ("fr", "en"):
                raise InputError(f"language {name!r}", where="languages", expected="fr, en or both")

    @property
    def keys(self) -> SecretKeys:
        """Read the secret keys. Raises InputError when there is no file or others may read it."""
        return SecretKeys.read(self.secret_key_file)

    @property
    def rules(self) -> Path:
        """Return the folder `rules/`. Raises InputError when it is nowhere."""
        return self.rules_dir or find_folder("rules")

    @property
    def approvals(self) -> Path:
        """Return the folder `approvals/`. Raises InputError when it is nowhere."""
        return self.approvals_dir or find_folder("approvals")

    @property
    def web(self) -> Path:
        """Return the folder `web/`. Raises InputError when it is nowhere."""
        return self.web_dir or find_folder("web")


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """Keys by id, newest first in the file; lines of `ID:BASE64 of 32 bytes`."""

    newest: str
    _keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> SecretKeys:
        """Read a key file. Raises InputError with file and line."""
        try:
            if path.stat().st_mode & 0o077:
                raise InputError("others may read it", where=str(path), expected="chmod 600")
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError as error:
            raise InputError(
                f"{error.strerror}", where=str(path), expected="a key file; `fwguard init` makes it"
            ) from None
        except UnicodeDecodeError:
            raise InputError("no text", where=str(path), expected="lines of ID:KEY") from None
        keys: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            key_id, _, body = line.partition(":")
            try:
                key = base64.b64decode(body, validate=True)
            except ValueError:
                key = b""
            if not key_id.isalnum() or len(key) != 32 or key_id in keys:
                raise InputError("no key", where=f"{path}:{number}", expected="ID:BASE64 of 32 bytes, once")
            keys[key_id] = key
        if not keys:
            raise InputError("is empty", where=str(path), expected="a key; `fwguard init` makes one")
        return cls(next(iter(keys)), keys)

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose, from the newest key (HKDF-Expand, RFC 5869 2.3)."""
        return self.derive_all(purpose)[self.newest]

    def derive_all(self, purpose: str) -> dict[str, bytes]:
        """Return 32 bytes for one purpose from every key, by key id, newest first."""
        info = f"fwguard {purpose}".encode() + b"\x01"
        return {key_id: hmac.new(key, info, hashlib.sha256).digest() for key_id, key in self._keys.items()}


def make_secret_key(path: Path) -> bool:
    """Make a key file (mode 0600) if there is none; return whether it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(_new_line())
        file.flush()
        os.fsync(file.fileno())
    return True


def rotate_secret_key(path: Path) -> None:
    """Put a new key before the old ones, which still open what they sealed; atomic."""
    old = path.read_text(encoding="ascii")
    SecretKeys.read(path)
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(_new_line() + old)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _new_line() -> str:
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"


def find_folder(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return a folder from $FWGUARD_HOME, /etc/fwguard, the packaged data, or the checkout, in this order."""
    homes = [Path(environment["FWGUARD_HOME"])] if environment.get("FWGUARD_HOME") else []
    homes += [Path("/etc/fwguard"), _PACKAGE / "_data", _PACKAGE.parent]
    for home in homes:
        if (home / name).is_dir():
            return home / name
    raise InputError(f"no folder {name}/", expected="one in " + ", ".join(str(home) for home in homes))


def load_settings(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings file ($FWGUARD_CONFIG, else /etc/fwguard/fwguard.yaml if it exists), then FWGUARD_….

    Raises InputError with file and line, or the variable, and what was expected.
    """
    named = path or (Path(environment["FWGUARD_CONFIG"]) if environment.get("FWGUARD_CONFIG") else None)
    file = named or DEFAULT_FILE
    given: dict[str, tuple[str, Any]] = {}
    if named is not None or file.is_file():
        given.update(_read_file(file))
    for one in fields(Settings):
        variable = f"FWGUARD_{one.name.upper()}"
        if environment.get(variable):
            given[one.name] = (f"${variable}", environment[variable])
    types = get_type_hints(Settings)
    bounds = {one.name: one.metadata for one in fields(Settings)}
    return Settings(
        **{name: _value(types[name], where, raw, bounds[name]) for name, (where, raw) in given.items()}
    )


def _read_file(file: Path) -> dict[str, tuple[str, Any]]:
    """Return each key's place ("file:line: key") and text, or list of texts."""
    try:
        raw = file.read_bytes()
        if len(raw) > MAX_BYTES:
            raise InputError(f"{len(raw)} bytes", where=str(file), expected=f"at most {MAX_BYTES}")
        root = yaml.compose(raw.decode(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise InputError(f"{error.strerror}", where=str(file), expected="a file of settings") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{error.problem}", where=f"{file}:{line}", expected="key: value lines") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"no YAML: {error}", where=str(file), expected="key: value lines") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise InputError("is no mapping", where=f"{file}:1", expected="key: value lines")
    known = {one.name for one in fields(Settings)}
    given: dict[str, tuple[str, Any]] = {}
    for key, node in root.value:
        where = f"{file}:{key.start_mark.line + 1}: {key.value}"
        if key.value not in known:
            raise InputError("is no setting", where=where, expected="one of " + ", ".join(sorted(known)))
        if key.value in given:
            raise InputError("stands twice", where=where, expected="it once")
        if isinstance(node, yaml.SequenceNode):
            given[key.value] = (where, ",".join(str(item.value) for item in node.value))
        elif isinstance(node, yaml.ScalarNode):
            given[key.value] = (where, node.value)
        else:
            raise InputError("is a mapping", where=where, expected="one value")
    return given


def _value(kind: Any, where: str, raw: str, bounds: Mapping[str, int]) -> Any:
    if kind is int:
        expected = f"a whole number from {bounds['low']} to {bounds['high']}"
        try:
            number = int(raw)
        except ValueError:
            raise InputError(f"{raw!r} is no number", where=where, expected=expected) from None
        if not bounds["low"] <= number <= bounds["high"]:
            raise InputError(f"{number} is out of bounds", where=where, expected=expected)
        return number
    if kind == tuple[str, ...]:
        return tuple(word.strip() for word in raw.split(",") if word.strip())
    if kind is str:
        return raw
    return Path(raw)
