"""Mining of currencies: stratum in its dialects, and work asked for over JSON-RPC.

Sources: the stratum protocol as Slush Pool wrote it down, the CryptoNote variant (login, job, submit), EthProxy
(eth_submitLogin, eth_getWork), BIP 22 and 23 (getblocktemplate), JSON-RPC 2.0.
"""

from __future__ import annotations

import re
from typing import Final

from fwguard.detect.flow import NEVER, WAIT, Flow, Opinion, Proof, Side, quote
from fwguard.detect.names import known, spoken_names
from fwguard.model.detection import Reason

_ASKS: Final = re.compile(
    rb'"method"\s*:\s*"(mining\.[a-z_]+(?:\.[a-z_]+)?'
    rb'|eth_(?:submitLogin|submitWork|getWork|submitHashrate|login)|getblocktemplate|getwork|submitblock)"'
)
_LOGIN: Final = re.compile(rb'"method"\s*:\s*"(?:login|submit)"')
_LOGIN_VALUES: Final = re.compile(rb'"(?:login|pass|nonce|job_id)"\s*:')
_TELLS: Final = re.compile(
    rb'"method"\s*:\s*"mining\.(?:notify|set_[a-z_]+)"|"job"\s*:\s*\{[^{}]{0,2000}"(?:blob|target)"\s*:'
    rb'|"method"\s*:\s*"job"\s*,\s*"params"\s*:\s*\{[^{}]{0,2000}"(?:blob|target)"\s*:'
)
_BEGINNINGS: Final = (b"{", b"P", b" ", b"\n", b"\r")
_CLOSE_BY_BYTES: Final = 1024


def judge(flow: Flow, client: Side, server: Side, final: bool) -> Proof | Opinion:
    """A miner that asks for work or logs in, or a pool that tells a job."""
    said, replied = client.head, server.head
    if said and not said.startswith(_BEGINNINGS):
        return NEVER
    if replied and not said and not replied.startswith(b"{"):
        return NEVER
    found = _ASKS.search(said) or _TELLS.search(replied)
    if found is None:
        login = _LOGIN.search(said)
        if login and len(_LOGIN_VALUES.findall(said[: login.end() + _CLOSE_BY_BYTES])) >= 2:
            found = login
    if found and (replied or final or server.packets == 0 or client.payloads > 2):
        reason = Reason("mining", (("said", quote(found[0])),))
        return Proof(reason, (*client.numbers[:2], *server.numbers[:2]))
    if final or (said.startswith(b"P") and len(said) >= 5 and not said.startswith(b"POST ")):
        return NEVER
    return WAIT


def judge_tls(
    suffixes: frozenset[str], flow: Flow, client: Side, server: Side, final: bool
) -> Proof | Opinion:
    """TLS that is not the web's, to a host of a known pool or called stratum."""
    hello, flight = flow.hello, flow.server_flight
    if hello is None or flight is None:
        return NEVER if final else WAIT
    if hello.alpn:
        return NEVER  # a browser on the pool's web site
    for name in spoken_names(flow):
        if (known(name, suffixes) and not name.startswith("www.")) or name.startswith("stratum"):
            reason = Reason("mining-tls", (("name", name),))
            return Proof(reason, (*client.numbers[:1], *server.numbers[:2]))
    return NEVER if final or flight.whole else WAIT
