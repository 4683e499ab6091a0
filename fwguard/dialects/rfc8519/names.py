"""What we know of the modules that we read: names, which lists have an order, which values vary in form."""

from __future__ import annotations

from typing import Final

ACL: Final = "ietf-access-control-list"
NAT: Final = "ietf-nat"
ROUTING: Final = "ietf-routing"
ROUTES_V4: Final = "ietf-ipv4-unicast-routing"
ROUTES_V6: Final = "ietf-ipv6-unicast-routing"
INTERFACES: Final = "ietf-interfaces"
IP: Final = "ietf-ip"

# The top-level nodes of a firewall, in the order that they are written.
TOPS: Final = (
    (INTERFACES, "interfaces"),
    (ACL, "acls"),
    (NAT, "nat"),
    (ROUTING, "routing"),
)

# Lists that the server keeps in any order (no `ordered-by user`): the order of entries means nothing.
UNORDERED: Final = frozenset(
    {
        (ACL, "acl"), (ACL, "interface"), (INTERFACES, "interface"),
        (NAT, "instance"), (NAT, "policy"), (NAT, "external-ip-address-pool"), (NAT, "dst-ip-address-pool"),
        (NAT, "transport-protocols"), (NAT, "subscriber-match"), (NAT, "nptv6-prefixes"),
        (NAT, "nat-pass-through"), (NAT, "mapping-entry"),
        (ROUTING, "control-plane-protocol"), (ROUTING, "rib"),
        (ROUTES_V4, "route"), (ROUTES_V6, "route"), (ROUTES_V4, "next-hop"), (ROUTES_V6, "next-hop"),
        (IP, "address"), (IP, "neighbor"),
    }
)  # fmt: skip

# Every list that we may write into JSON as an array.
LISTS: Final = UNORDERED | {(ACL, "ace"), (ACL, "acl-set")}

PREFIXES: Final = frozenset(
    {
        "destination-ipv4-network", "source-ipv4-network", "destination-ipv6-network", "source-ipv6-network",
        "external-ip-pool", "dst-in-ip-pool", "dst-out-ip-pool", "subnet", "prefix",
        "internal-ipv6-prefix", "external-ipv6-prefix", "destination-prefix",
        "internal-src-address", "external-src-address", "internal-dst-address", "external-dst-address",
    }
)  # fmt: skip
ADDRESSES: Final = frozenset({"next-hop-address", "ip"})
NUMBERS: Final = frozenset(
    {
        "protocol", "port", "lower-port", "upper-port", "start-port-number", "end-port-number", "code",
        "transport-protocol", "protocol-id", "id", "index", "pool-id", "match-id", "prefix-length", "dscp",
        "ttl", "length",
    }
)  # fmt: skip

# What is written or left out with one meaning (RFC 8519, RFC 8343, RFC 8344 `default` statements).
DEFAULTS: Final = {
    (ACL, "operator"): "eq",
    (ACL, "logging"): "log-none",
    (INTERFACES, "enabled"): "true",
    (IP, "enabled"): "true",
}

# Counters and other `config false` nodes, and words for people: no difference.
NO_DIFFERENCE: Final = frozenset(
    {
        (ACL, "statistics"), (ACL, "ace-statistics"), (NAT, "statistics"), (NAT, "capabilities"),
        (INTERFACES, "statistics"), (INTERFACES, "description"), (ROUTING, "description"),
        (ROUTES_V4, "description"), (ROUTES_V6, "description"), (ROUTING, "interfaces"),
    }
)  # fmt: skip
