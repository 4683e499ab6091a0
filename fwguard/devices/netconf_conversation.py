"""Requests over one pinned NETCONF session, one after another: refusals and broken lines in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lxml import etree
from ncclient import NCClientError
from ncclient.manager import Manager
from ncclient.operations import RPCError, TimeoutExpiredError

from fwguard.devices.netconf_session import PinnedSession
from fwguard.devices.protocol import Endpoint
from fwguard.errors import CommitRefusedError, DeviceError, DeviceUnreachableError, PartialReadingError

T = TypeVar("T")


class Conversation:
    """What every device over NETCONF has: a session, ncclient's manager over it, and one way to ask.

    `probe`: see PinnedSession. Raises DeviceUnreachableError, HostKeyChangedError, AuthenticationError.
    """

    def __init__(self, endpoint: Endpoint, *, probe: bool = True) -> None:
        self._endpoint = endpoint
        self._where = f"firewall {endpoint.firewall.name}"
        self._session = PinnedSession(endpoint, probe=probe)
        self._manager = Manager(self._session, self._session.device_handler, timeout=endpoint.answer_s)
        self._capabilities = self._session.server_capabilities

    def _has(self, capability: str) -> bool:
        return capability in self._capabilities

    def close(self) -> None:
        """End the session; never raises. Locks go with it (RFC 6241 section 7.5)."""
        self._session.close()

    def _ask(self, request: Callable[[Any], T]) -> T:
        """Ask, and say a refusal in words.

        Raises CommitRefusedError with the device's rpc-error, DeviceUnreachableError, PartialReadingError.
        """
        try:
            return request(self._manager)
        except RPCError as error:
            raise CommitRefusedError(f"{self._where} refuses: {in_words(error)}") from None
        except (NCClientError, etree.XMLSyntaxError, OSError) as error:
            raise self._broken(error) from None

    def _answer(self, rpc: Any) -> None:
        """Wait for the answer to a request that was sent with others."""
        if not rpc.event.wait(self._endpoint.answer_s):
            raise self._broken(TimeoutExpiredError("no answer"))
        if rpc.error is not None:
            raise self._broken(rpc.error)
        if rpc.reply.error is not None:
            raise CommitRefusedError(f"{self._where} refuses: {in_words(rpc.reply.error)}")

    def _broken(self, error: Exception) -> DeviceError:
        """The session is of no use any more, whatever happened."""
        partial = self._session.has_partial_message
        self.close()
        if isinstance(error, TimeoutExpiredError):
            if partial:
                return PartialReadingError(f"{self._where} stopped in the middle of an answer")
            return DeviceUnreachableError(f"{self._where} did not answer in {self._endpoint.answer_s:g} s")
        if partial:
            return PartialReadingError(f"{self._where} answered half: the line broke")
        return DeviceUnreachableError(
            f"{self._where}: {str(error).splitlines()[0][:200] or 'the line broke'}"
        )


def in_words(error: RPCError) -> str:
    """Say what an rpc-error says: what, where, and what else it holds, bounded."""
    said = []
    for one in getattr(error, "errors", None) or [error]:
        parts = [one.message or one.tag or "no reason given", f"at {one.path}" if one.path else ""]
        if one.tag == "lock-denied":
            parts.append("(another session of the device holds the lock)")
        said.append(" ".join(" ".join(part.split()) for part in parts if part))
    return "; ".join(dict.fromkeys(said))[:600]
