"""One session on a device's command line: netmiko logs in and prepares it, we read it whole or not at all.

netmiko finds the prompt, turns paging off and widens the terminal as each vendor wants it. Its own reading
stops at the first thing that looks like a prompt, which a client can write into its configuration; so after
each listing a comment with a random number is entered, and what stands before its echo is the listing.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import paramiko
from netmiko.exceptions import NetmikoBaseException
from netmiko.ssh_dispatcher import ssh_dispatcher

from fwguard.devices.command_line.table import CommandLine
from fwguard.devices.frame import decode_text, encode_text
from fwguard.devices.protocol import Endpoint
from fwguard.devices.ssh_session import open_transport
from fwguard.errors import DeviceError, DeviceUnreachableError, PartialReadingError

MAX_BYTES: Final = 32 << 20
MAX_LINE: Final = 65_536
_TAIL: Final = 512  # a prompt is found at the end of what came, within so many bytes
_CHUNK: Final = 1 << 16
_BROKEN: Final = (OSError, EOFError, paramiko.SSHException)
_UNPREPARED: Final = (*_BROKEN, NetmikoBaseException, ValueError)  # what netmiko's drivers raise
_MORE: Final = re.compile(r"--More--[ \b]*\r *\r")  # a pager's question, once answered
_NEWLINES: Final = re.compile(r"\r+\n|\n\r+|\r")


class _PinnedClient(paramiko.SSHClient):
    """What netmiko takes for its SSH client: connected our way, with a pinned key and TCP_NODELAY."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    def connect(self, *_: Any, **__: Any) -> None:
        """Connect to the endpoint, whatever netmiko says of host, key and host keys."""
        self._transport = open_transport(self._endpoint)


class CommandSession:
    """A kept session on a command line that answers one line at a time.

    Nothing that netmiko's driver does on its own may change the configuration: nothing is written without a
    warrant. Raises DeviceUnreachableError, HostKeyChangedError, AuthenticationError.
    """

    def __init__(self, endpoint: Endpoint, row: CommandLine) -> None:
        self.where = f"{endpoint.firewall.name} ({endpoint.firewall.address})"
        self._answer_s = endpoint.answer_s
        self._row = row
        self._client = _PinnedClient(endpoint)
        driver: Any = ssh_dispatcher(row.device_type)  # its class attributes are ours to replace
        self._driver = driver(
            host=endpoint.firewall.address,
            username=endpoint.firewall.username,
            port=endpoint.firewall.port,
            device_type=row.device_type,
            auto_connect=False,
            allow_auto_change=False,
            conn_timeout=endpoint.connect_s,
            read_timeout_override=endpoint.answer_s,
        )
        self._driver._build_ssh_client = lambda: self._client
        for step in row.silenced:
            setattr(self._driver, step, lambda *_, **__: "")
        try:
            with self._guillotine(endpoint.connect_s + endpoint.answer_s):
                self._driver._open()
            self._prompt = _prompt_of(str(self._driver.base_prompt).strip().removesuffix(":~"))
            self._settle()
        except DeviceError:
            self.close()
            raise
        except _UNPREPARED as error:
            self.close()
            said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise DeviceUnreachableError(
                f"{self.where}: no command line after login ({said}): is its shell what the inventory says?"
            ) from None

    def listing(self, command: str) -> str:
        """Return all that a command prints, in lines that end with a newline.

        Raises PartialReadingError unless it is whole, DeviceUnreachableError when it does not answer.
        """
        end = time.monotonic() + self._answer_s
        printed = self._until_prompt(self._send(command, end), end)
        mark = self._send(self._mark(), end)
        printed += self._until_prompt(mark, end, after=mark)
        lines = printed.partition(mark)[0].split("\n")
        if not lines[0].endswith(command) or not self._prompt.search(lines[-1]):
            raise PartialReadingError(f"{self.where}: something else spoke into `{command}`: read again")
        return "".join(f"{line.rstrip()}\n" for line in lines[1:-1])

    def say(self, line: str, *, patience_s: float = 0.0) -> str:
        """Enter one line (or a block of lines) and return what the device answers to it, its prompt left off.

        A question of the device on the way is answered as the table says. `patience_s` comes on top of the
        usual deadline.

        Raises DeviceError when the line breaks: nobody knows then what the device has done.
        """
        end = time.monotonic() + self._answer_s + patience_s
        if line.startswith("hostname "):
            self._prompt = _prompt_of(line.split()[1][:16])  # netmiko's length too
        try:
            printed = self._until_prompt(self._send(line, end), end)
        except DeviceError as error:
            raise DeviceError(f"{self.where}: the line broke at {line[:60]!r}: {error}") from None
        _, _, answer = printed.partition("\n")
        return answer.rpartition("\n")[0]

    def file(self, path: str) -> str:
        """Return the text of a file on the device, by SFTP over the same connection; empty if there is none."""
        transport = self._client.get_transport()
        with self._guillotine(self._answer_s):
            try:
                if transport is None:
                    raise EOFError("the session is gone")
                sftp = paramiko.SFTPClient.from_transport(transport)
                assert sftp is not None  # noqa: S101
                with sftp:
                    channel = sftp.get_channel()
                    assert channel is not None  # noqa: S101
                    channel.settimeout(self._answer_s)
                    with sftp.open(path, "rb") as stream:
                        data = stream.read(MAX_BYTES + 1)
            except FileNotFoundError:
                return ""
            except PermissionError:
                raise PartialReadingError(
                    f"{self.where}: {path} may not be read: let our user read it there"
                ) from None
            except (OSError, EOFError, paramiko.SSHException) as error:
                self.close()
                raise PartialReadingError(f"{self.where}: {path} was not read whole ({error})") from None
        if len(data) > MAX_BYTES:
            raise PartialReadingError(f"{self.where}: {path} has more than {MAX_BYTES} bytes: not read")
        return decode_text(data)

    def close(self) -> None:
        """End the session; never raises."""
        transport = self._client.get_transport()
        try:
            if transport is not None:
                transport.close()
        except _BROKEN:
            return

    def _settle(self) -> None:
        """Read away what the login left, up to the answer to a number that only we know."""
        end = time.monotonic() + self._answer_s
        mark = self._send(self._mark(), end)
        self._until_prompt(mark, end, after=mark)

    def _mark(self) -> str:
        return f"{self._row.comment}{secrets.token_hex(8)}"

    def _send(self, line: str, end: float) -> str:
        if len(line) > MAX_BYTES or any(len(one) > MAX_LINE for one in line.split("\n")):
            raise DeviceError(f"{self.where}: a line of more than {MAX_LINE} characters is not entered")
        channel = self._driver.remote_conn
        try:
            channel.settimeout(max(0.001, end - time.monotonic()))
            channel.sendall(encode_text(line) + b"\n")
        except _BROKEN as error:
            self.close()
            raise DeviceUnreachableError(
                f"{self.where}: the session is gone ({error}): connect again"
            ) from None
        return line

    def _until_prompt(self, line: str, end: float, *, after: str = "") -> str:
        """Return what comes until a prompt ends it, and stands behind the echo of `after`."""
        channel, chunks, size, tail = self._driver.remote_conn, [], 0, b""
        seen = not after
        try:
            while True:
                channel.settimeout(max(0.001, end - time.monotonic()))
                chunk = channel.recv(_CHUNK)
                if not chunk:
                    raise EOFError("it ended the session")
                chunks.append(chunk)
                size += len(chunk)
                tail = (tail + chunk)[-max(_TAIL, len(chunk)) :]
                if size > MAX_BYTES:
                    self.close()
                    raise PartialReadingError(f"{self.where} answers more than {MAX_BYTES} bytes: not read")
                text = self._plain(tail)
                if after and after in text:
                    seen, text = True, text.rpartition(after)[2]
                if self._row.asks is not None and self._row.asks.search(text):
                    channel.sendall(self._row.answer.encode())
                    tail = b""
                    continue
                if seen and self._prompt.search(text):
                    return self._plain(b"".join(chunks))
        except _BROKEN as error:
            self.close()
            said = str(error) or f"silent past {self._answer_s:g} s"
            heard = self._plain(b"".join(chunks)).replace(line, "", 1).strip()
            kind = PartialReadingError if heard else DeviceUnreachableError
            raise kind(f"{self.where} stopped in the middle of {line[:60]!r}: {said}") from None

    def _plain(self, data: bytes) -> str:
        text: str = self._driver.strip_ansi_escape_codes(decode_text(data))
        return _NEWLINES.sub("\n", _MORE.sub("", text))

    @contextmanager
    def _guillotine(self, within_s: float) -> Iterator[None]:
        """Some waits of netmiko and paramiko know no deadline; closing the transport ends them all."""
        timer = threading.Timer(within_s + 1.0, self.close)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _prompt_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|\n){re.escape(name)}[^\n]{{0,80}}[#>$%]\s*\Z")
