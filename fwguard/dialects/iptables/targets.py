"""What the target of a rule does to the verdict. Source: iptables-extensions(8), TARGET EXTENSIONS."""

from __future__ import annotations

from typing import Final

from fwguard.model.policy import Action, NatKind

VERDICTS: Final = {
    "ACCEPT": Action.ACCEPT,
    "DROP": Action.DROP,
    "REJECT": Action.REJECT,
    "RETURN": Action.RETURN,
}
# They write, count or mark, and the packet goes on to the next rule.
CONTINUE: Final = frozenset({
    "AUDIT", "CHECKSUM", "CLASSIFY", "CONNMARK", "CONNSECMARK", "CT", "DSCP", "ECN", "HL", "HMARK",
    "IDLETIMER",
    "IPMARK", "LED", "LOG", "LOGMARK", "MARK", "NFLOG", "NOTRACK", "RATEEST", "SECMARK", "SET", "TCPMSS",
    "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "ULOG",
})  # fmt: skip
# They decide in a way that the rule does not say: a program, a proxy, another address, a cookie.
UNDECIDED: Final = frozenset({
    "ACCOUNT", "CHAOS", "CLUSTERIP", "DELUDE", "DHCPMAC", "DNPT", "ECHO", "MIRROR", "NFQUEUE", "PROTO",
    "QUEUE",
    "RAWDNAT", "RAWSNAT", "ROUTE", "SNPT", "STEAL", "SYNPROXY", "SYSRQ", "TARPIT", "TPROXY",
})  # fmt: skip
TRANSLATIONS: Final = {
    "DNAT": NatKind.DNAT, "SNAT": NatKind.SNAT, "MASQUERADE": NatKind.MASQUERADE,
    "REDIRECT": NatKind.REDIRECT, "NETMAP": NatKind.NETMAP,
}  # fmt: skip
UNDECIDED_TRANSLATIONS: Final = frozenset({"SAME", "BALANCE", "NAT"})
EXTENSIONS: Final = CONTINUE | UNDECIDED | UNDECIDED_TRANSLATIONS | frozenset(TRANSLATIONS)
KNOWN: Final = EXTENSIONS | frozenset(VERDICTS)


def leads_to(target: str, own_chains: object, has_options: bool) -> bool:
    """Tell whether a target is a chain of the user's own rather than an extension.

    A name with options behind it is an extension even when nobody knows it: a jump takes none.
    """
    if not target or target in VERDICTS:
        return False
    if isinstance(own_chains, dict) and target in own_chains:
        return True
    return target not in EXTENSIONS and not has_options
