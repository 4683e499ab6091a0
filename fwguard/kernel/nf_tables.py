"""The numbers of nf_tables, by the kernel's own names, and the families by nft(8)'s.

Source: <linux/netfilter/nf_tables.h>; NFT_TABLE_F_PERSIST is there from Linux 6.9 on,
NFT_MSG_DESTROYSETELEM from 6.3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fwguard.errors import InputError

NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_DELTABLE = 0, 1, 2
NFT_MSG_NEWCHAIN, NFT_MSG_GETCHAIN, NFT_MSG_DELCHAIN = 3, 4, 5
NFT_MSG_NEWRULE, NFT_MSG_GETRULE, NFT_MSG_DELRULE = 6, 7, 8
NFT_MSG_NEWSET, NFT_MSG_GETSET, NFT_MSG_DELSET = 9, 10, 11
NFT_MSG_NEWSETELEM, NFT_MSG_GETSETELEM, NFT_MSG_DELSETELEM = 12, 13, 14
NFT_MSG_NEWGEN, NFT_MSG_GETGEN, NFT_MSG_TRACE = 15, 16, 17
NFT_MSG_NEWOBJ, NFT_MSG_GETOBJ, NFT_MSG_DELOBJ = 18, 19, 20

NFTA_LIST_ELEM: Final = 1
NFTA_GEN_ID, NFTA_GEN_PROC_PID, NFTA_GEN_PROC_NAME = 1, 2, 3

NFT_TABLE_F_DORMANT, NFT_TABLE_F_OWNER, NFT_TABLE_F_PERSIST = 0x1, 0x2, 0x4
NFTA_TABLE_NAME, NFTA_TABLE_FLAGS, NFTA_TABLE_USE, NFTA_TABLE_USERDATA, NFTA_TABLE_OWNER = 1, 2, 3, 6, 7

NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE = 1, 3, 4, 5, 7
NFTA_CHAIN_FLAGS, NFTA_CHAIN_USERDATA = 10, 12
NFT_CHAIN_BINDING: Final = 0x4

NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE, NFTA_RULE_EXPRESSIONS, NFTA_RULE_COMPAT = 1, 2, 3, 4, 5
NFTA_RULE_USERDATA: Final = 7

NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN = 1, 2, 3, 4, 5
NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN, NFTA_SET_POLICY, NFTA_SET_DESC, NFTA_SET_ID = 6, 7, 8, 9, 10
NFTA_SET_TIMEOUT, NFTA_SET_GC_INTERVAL, NFTA_SET_USERDATA = 11, 12, 13
NFTA_SET_OBJ_TYPE, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS = 15, 17, 18
NFT_SET_ANONYMOUS, NFT_SET_CONSTANT, NFT_SET_INTERVAL, NFT_SET_MAP, NFT_SET_TIMEOUT = 0x1, 0x2, 0x4, 0x8, 0x10

NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_FLAGS, NFTA_SET_ELEM_TIMEOUT = 1, 2, 3, 4
NFTA_SET_ELEM_EXPIRATION, NFTA_SET_ELEM_USERDATA, NFTA_SET_ELEM_EXPR = 5, 6, 7
NFTA_SET_ELEM_OBJREF, NFTA_SET_ELEM_KEY_END, NFTA_SET_ELEM_EXPRESSIONS = 9, 10, 11
NFT_SET_ELEM_INTERVAL_END, NFT_SET_ELEM_CATCHALL = 0x1, 0x2
NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3

NFTA_DATA_VALUE, NFTA_DATA_VERDICT = 1, 2
NFTA_VERDICT_CODE, NFTA_VERDICT_CHAIN = 1, 2
NFTA_EXPR_NAME, NFTA_EXPR_DATA = 1, 2
NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS = 1, 2
NFTNL_UDATA_SET_ELEM_COMMENT: Final = 0  # of the userdata, as nft writes it (libnftnl/udata.h)

NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA, NFTA_OBJ_USERDATA = 1, 2, 3, 4, 8

NFNLGRP_NFTABLES: Final = 7

# Verdicts: netfilter's and nf_tables' share their numbers (enum nft_verdicts).
VERDICTS: Final[Mapping[str, int]] = {
    "drop": 0, "accept": 1, "continue": -1, "jump": -3, "goto": -4, "return": -5,
}  # fmt: skip
VERDICT_NAMES: Final[Mapping[int, str]] = {number: name for name, number in VERDICTS.items()}

# nft(8), ADDRESS FAMILIES -> <linux/netfilter.h> NFPROTO_.
FAMILIES: Final[Mapping[str, int]] = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}


@dataclass(frozen=True, slots=True)
class Table:
    """One table by family and name, as `table inet edge`. Raises InputError on an unknown family."""

    family: str
    name: str

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise InputError(
                f"family {self.family}", where=f"table {self.name}", expected=", ".join(FAMILIES)
            )
        if not self.name or len(self.name) >= 256:
            raise InputError(f"table name of {len(self.name)} letters", expected="1 to 255 (NFT_NAME_MAXLEN)")

    @property
    def number(self) -> int:
        """Return the family as NFPROTO_ number."""
        return FAMILIES[self.family]

    def __str__(self) -> str:
        return f"{self.family} {self.name}"


def kernel_release() -> tuple[int, int]:
    """Return the running kernel's version, as (6, 18); (0, 0) for a release without one."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
