"""pfSense and OPNsense over SSH: one file, config.xml, is what runs and what starts, and a script loads it.

FreeBSD's shell is a real one, so a write is one detached operation there as on Linux: lock, pre-image by its
hash, our own timer, whole file renamed into place, loaded. The script (config_xml.sh) comes with each command
and nothing is installed. Rules that somebody loads by pfctl alone stand in no file and are not seen. The file is
also what starts: a firewall that loses power before the confirm keeps the write, and the next look judges it.

Tried: the script on Debian's sh over a real sshd, the product's own reload in its place; on neither product.
Source: Netgate, "XML Configuration File" and "Using the PHP pfSense Shell" (docs.netgate.com; /tmp/config.cache:
pfsensible/core wiki, "Developer Notes"); /etc/rc.reload_all of pfSense, /usr/local/etc/rc.reload_all of OPNsense.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from fwguard.devices.frame import decode_text, encode_text
from fwguard.devices.protocol import Endpoint, Flow
from fwguard.devices.ssh_session import Answer, SshSession
from fwguard.errors import (
    CommitRefusedError,
    DeviceError,
    DeviceUnreachableError,
    InputError,
    NotPendingError,
    PartialReadingError,
    PreimageMovedError,
)
from fwguard.model.inventory import Platform
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Warrant

CONFIG: Final = "/conf/config.xml"
RELOAD: Final[Mapping[Platform, str]] = {
    Platform.PFSENSE: "/etc/rc.reload_all",
    Platform.OPNSENSE: "/usr/local/etc/rc.reload_all",
}
RELOAD_S: Final = 120.0  # both restart every service
_SCRIPT: Final = (Path(__file__).parent / "config_xml.sh").read_text(encoding="utf-8")
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_MOVED: Final = 77
_NOT_WRITTEN: Final = frozenset({70, 75, 78})
_NOT_PENDING: Final = frozenset({80, 81})


class ConfigXmlDevice:
    """A session to one firewall (see Device). The part `running` is its config.xml, byte for byte."""

    written_by_confirm: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, endpoint: Endpoint, *, config: str = CONFIG, reload: str = "") -> None:
        self._name = endpoint.firewall.name
        self._config = config
        self._reload = reload or RELOAD[endpoint.firewall.platform]
        self._session = SshSession(endpoint)
        self._where = self._session.where

    def read(self) -> Snapshot:
        """Return config.xml, whatever is in it. Raises PartialReadingError unless it came to its last byte."""
        answer = self._run("read")
        if answer.status is None and not answer.stdout:
            raise DeviceUnreachableError(f"{self._where} does not answer in time: is it overloaded?")
        if answer.status != 0:
            why = answer.stderr or "the answer stops in the middle"
            raise PartialReadingError(f"{self._where}: {self._config} was not read whole: {why}")
        return Snapshot({"running": decode_text(answer.stdout)} if answer.stdout else {})

    def glance(self, approved: Snapshot) -> Snapshot | None:
        """Return None: the file is read as fast as anything; see Device.glance."""
        return None

    def apply(
        self,
        before: Snapshot,
        after: Snapshot,
        *,
        warrant: Warrant,
        confirm_s: int,
        end: tuple[Flow, ...] = (),
    ) -> None:
        """Write the file if it is still `before`, and load it; see Device.apply. `end` is pf's own matter:
        states of rules that are gone are killed by its reload where the product does so."""
        warrant.require(subject=f"firewall:{self._name}", before=before.digest, after=after.digest)
        if not 1 <= confirm_s <= 9999:
            raise InputError(f"confirm_s {confirm_s}", expected="1 to 9999 seconds")
        answer = self._run("apply", warrant, before=before, after=after, wait_s=confirm_s)
        said = f"{self._where}: {answer.stderr or 'no word of why'}"
        if answer.status == 0:
            return
        if answer.status == _MOVED:
            raise PreimageMovedError(f"{said}: read and decide again")
        if answer.status in _NOT_WRITTEN:
            raise CommitRefusedError(said)
        if answer.status is None:
            raise DeviceError(
                f"{self._where}: the line broke during a write; it undoes itself in {confirm_s} s: read again"
            )
        raise DeviceError(f"{said} (it ended with {answer.status})")

    def confirm(self, warrant: Warrant) -> None:
        """Make the write of this warrant final; see Device.confirm."""
        self._decide("confirm", warrant)

    def roll_back(self, warrant: Warrant) -> None:
        """Undo the unconfirmed write of this warrant now; see Device.roll_back."""
        self._decide("rollback", warrant)

    def close(self) -> None:
        """End the session; never raises."""
        self._session.close()

    def _decide(self, verb: str, warrant: Warrant) -> None:
        answer = self._run(verb, warrant)
        if answer.status == 0:
            return
        said = f"{self._where}: {answer.stderr or f'the line broke during {verb}: ask again, or read'}"
        raise (NotPendingError if answer.status in _NOT_PENDING else DeviceError)(said)

    def _run(
        self,
        verb: str,
        warrant: Warrant | None = None,
        *,
        before: Snapshot | None = None,
        after: Snapshot | None = None,
        wait_s: int = 0,
    ) -> Answer:
        """Run the script with what it asks for. The login shell sees `/bin/sh -s` and nothing else of it."""
        id = warrant.id if warrant else "none"
        if not _ID.fullmatch(id):
            raise InputError(f"warrant {id!r}", expected="letters, digits and -, at most 64")
        held = encode_text(before.get("running")) if before else b""
        words = {
            "verb": verb, "id": id, "before": hashlib.sha256(held).hexdigest(), "wait": str(wait_s),
            "reload": self._reload, "config": self._config,
        }  # fmt: skip
        head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in words.items())
        script = head.encode() + _new_file(after) + _SCRIPT.encode()
        # In braces: the shell reads all of it before it runs any.
        return self._session.run("/bin/sh -s", b"{\n" + script + b"\n}\n", within_s=self._within_s(verb))

    def _within_s(self, verb: str) -> float | None:
        return None if verb in ("read", "confirm") else RELOAD_S


def _new_file(after: Snapshot | None) -> bytes:
    """Return a shell function that prints exactly this text, whatever its last byte is."""
    if after is None:
        return b""
    text = encode_text(after.get("running"))
    if b"\0" in text:
        raise CommitRefusedError("a file with a NUL byte is none of XML")
    mark = f"end-{secrets.token_hex(16)}".encode()
    cut = (
        b""
        if text.endswith(b"\n")
        else b" | awk 'NR > 1 { print last } { last = $0 } END { printf \"%s\", last }'"
    )
    text = text if text.endswith(b"\n") else text + b"\n"
    return b"new_file() {\ncat <<'" + mark + b"'" + cut + b"\n" + text + mark + b"\n}\n"
