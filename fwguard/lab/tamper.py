"""What a client can do to its own firewall as root, from inside, with the firewall's own programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.errors import InputError
from fwguard.lab import netconf_tamper
from fwguard.lab import plan as p
from fwguard.lab.firewall_files import IPSETS, NFTABLES_CONF, ROUTES, RULES_V4, RULES_V6
from fwguard.lab.plan import FirewallPlan, Kind

# In words, for --help. Those in UNCHANGED leave what the firewall does as it was, now and after a boot.
WAYS: Final[Mapping[str, str]] = {
    "add-rule": "let anyone reach tcp/8080 of the web server (filter only)",
    "add-redirection": "redirect tcp/8080 of the public address to the web server (NAT only)",
    "open-port": "both: tcp/8080 of the web server is open to anyone",
    "add-route": "add a static route",
    "add-ip-rule": "add a policy rule and a route in its own table",
    "delete-rule": "delete the rule that lets the web in, over IPv4",
    "reorder": "move the rule that drops a scanner behind those that accept",
    "flush": "flush everything",
    "allow-all": "accept everything first",
    "policy": "make accept the default of what is forwarded",
    "add-table": "add a table of its own that redirects udp/53",
    "set-add": "add a prefix to the partners' set",
    "ipset-add": "the same with ipset, in a set of its own where rules have none",
    "legacy-rule": "add a rule with iptables-legacy, which nft does not list",
    "sysctl": "stop forwarding IPv6",
    "boot-file": "open tcp/8080 in the boot file only: it runs after the next start",
    "boot-route": "add a route to the boot file only",
    "counters": "change counters",
    "comment": "change a rule's comment",
    "reload": "load the same rules again: other handles, the same rules",
    "reboot": "load the boot files, as a restart does",
    "off": "take the firewall off the management network",
    "on": "put it back",
    "hang": "stop its SSH server without ending it",
    "wake": "let it go on",
    "new-host-key": "change its SSH host key",
    "no-keys": "take away the operator's key",
}
UNCHANGED: Final = frozenset({"counters", "comment", "reload", "reboot"})
FAULTS: Final = frozenset({"off", "on", "hang", "wake", "new-host-key", "no-keys"})

_SNEAKY: Final = """\
nft add table inet sneaky
nft 'add chain inet sneaky pre { type nat hook prerouting priority dstnat - 5; }'
nft add rule inet sneaky pre ip daddr $PUBLIC4 udp dport 53 dnat ip to $WEB4
nft add rule inet sneaky pre ip6 daddr $PUBLIC6 udp dport 53 dnat ip6 to $WEB6
"""

# sh, as root inside the firewall, with the variables of `_variables`.
_LINUX: Final[Mapping[str, str]] = {
    "add-route": """\
ip route add 198.18.250.0/24 via $VIA4 dev wan0 proto static
ip route add 2001:db8:fa::/48 via $VIA6 dev wan0 proto static
""",
    "add-ip-rule": """\
ip route add default via $VIA4 dev wan0 table 100
ip rule add from $WEB4 lookup 100
ip -6 route add default via $VIA6 dev wan0 table 100
ip -6 rule add from $WEB6 lookup 100
""",
    "add-table": _SNEAKY,
    "legacy-rule": """\
iptables-legacy -I FORWARD -p tcp --dport 443 -j DROP
ip6tables-legacy -I FORWARD -p tcp --dport 443 -j DROP
""",
    "sysctl": "sysctl -q -w net.ipv6.conf.all.forwarding=0\n",
    "boot-route": f"echo 'route replace 198.18.251.0/24 via '$VIA4' dev wan0 proto static' >> {ROUTES}\n",
}
# The same on every firewall, whatever it speaks: sshd carries NETCONF too.
_FAULTS: Final[Mapping[str, str]] = {
    "off": "ip link set mgmt0 down\n",
    "on": "ip link set mgmt0 up\nip addr replace $MGMT6/64 dev mgmt0 nodad\n",
    "hang": "pkill -STOP sshd\n",
    "wake": "pkill -CONT sshd\n",
    "new-host-key": """\
rm -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
pkill -HUP -o sshd
""",
    "no-keys": ": > /root/.ssh/authorized_keys\n",
}

_NFT_ADD_RULE: Final = """\
nft add rule inet filter services ip daddr $WEB4 tcp dport 8080 accept
nft add rule inet filter services ip6 daddr $WEB6 tcp dport 8080 accept
"""
_NFT_ADD_REDIRECTION: Final = """\
nft add rule ip nat prerouting ip daddr $PUBLIC4 tcp dport 8080 dnat to $WEB4
nft add rule ip6 nat prerouting ip6 daddr $PUBLIC6 tcp dport 8080 dnat to $WEB6
"""
# `handle TEXT` prints the handle of the first rule of the services that holds it.
_NFT_HANDLE: Final = """\
handle() { nft -a list chain inet filter services | grep -m1 -F -- "$1" | sed 's/.*# handle //'; }
"""
_NFT_RELOAD: Final = """\
nft list ruleset > /tmp/same.nft
{ echo flush ruleset; cat /tmp/same.nft; } | nft -f -
"""

_NFTABLES: Final[Mapping[str, str]] = {
    "add-rule": _NFT_ADD_RULE,
    "add-redirection": _NFT_ADD_REDIRECTION,
    "open-port": _NFT_ADD_RULE + _NFT_ADD_REDIRECTION,
    "delete-rule": _NFT_HANDLE
    + 'nft delete rule inet filter services handle $(handle "ip daddr $WEB4 tcp dport { 80, 443 }")\n',
    "reorder": _NFT_HANDLE
    + """\
nft -f - <<EOF
delete rule inet filter services handle $(handle "ip saddr $SCANNER4 drop")
add rule inet filter services ip saddr $SCANNER4 drop comment "scanner"
EOF
""",
    "flush": "nft flush ruleset\n",
    "allow-all": "nft insert rule inet filter forward accept\n",
    "policy": "nft 'chain inet filter forward { policy accept; }'\n",
    "set-add": "nft 'add element inet filter partners4 { 203.0.113.0/24 }'\n",
    "ipset-add": "ipset -exist create own4 hash:net\nipset add own4 203.0.113.0/24\n",
    "boot-file": f"echo 'add rule inet filter services tcp dport 8080 accept' >> {NFTABLES_CONF}\n",
    "counters": _NFT_HANDLE + 'nft replace rule inet filter services handle $(handle "ip saddr $SCANNER4 ")'
    " ip saddr $SCANNER4 counter packets 7 bytes 700 drop 'comment \"scanner\"'\n",
    "comment": _NFT_HANDLE + 'nft replace rule inet filter services handle $(handle "ip saddr $SCANNER4 ")'
    " ip saddr $SCANNER4 drop 'comment \"seen in May\"'\n",
    "reload": _NFT_RELOAD,
    "reboot": f"ip route flush proto static\nip -6 route flush proto static\n"
    f"nft -f {NFTABLES_CONF}\nip -batch {ROUTES}\n",
}

_IPT_ADD_RULE: Final = """\
iptables -A SERVICES -d $WEB4 -p tcp -m tcp --dport 8080 -j ACCEPT
ip6tables -A SERVICES -d $WEB6 -p tcp -m tcp --dport 8080 -j ACCEPT
"""
_IPT_ADD_REDIRECTION: Final = """\
iptables -t nat -A PREROUTING -d $PUBLIC4 -p tcp -m tcp --dport 8080 -j DNAT --to-destination $WEB4
ip6tables -t nat -A PREROUTING -d $PUBLIC6 -p tcp -m tcp --dport 8080 -j DNAT --to-destination $WEB6
"""
_IPT_SCANNER: Final = "-s $SCANNER4/32 -m comment --comment scanner -j DROP"
_IPT_OPEN: Final = "-A SERVICES -p tcp -m tcp --dport 8080 -j ACCEPT"


def _both(arguments: str) -> str:
    """Return one iptables command for both families."""
    return f"iptables {arguments}\nip6tables {arguments}\n"


_IPTABLES: Final[Mapping[str, str]] = {
    "add-rule": _IPT_ADD_RULE,
    "add-redirection": _IPT_ADD_REDIRECTION,
    "open-port": _IPT_ADD_RULE + _IPT_ADD_REDIRECTION,
    "delete-rule": "iptables -D SERVICES -d $WEB4/32 -p tcp -m multiport --dports 80,443"
    " -m comment --comment web -j ACCEPT\n",
    "reorder": f"iptables -D SERVICES {_IPT_SCANNER}\niptables -A SERVICES {_IPT_SCANNER}\n",
    "flush": "".join(map(_both, ("-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-F", "-X", "-t nat -F"))),
    "allow-all": _both("-I FORWARD -j ACCEPT"),
    "policy": _both("-P FORWARD ACCEPT"),
    "set-add": "ipset add partners4 203.0.113.0/24\n",
    "ipset-add": "ipset add partners4 203.0.113.0/24\n",
    "boot-file": f"sed -i '0,/^COMMIT/s//{_IPT_OPEN}\\nCOMMIT/' {RULES_V4} {RULES_V6}\n",
    "counters": f"iptables -Z SERVICES\niptables -R SERVICES 1 -c 7 700 {_IPT_SCANNER}\n",
    "comment": "iptables -R SERVICES 1 -s $SCANNER4/32 -m comment --comment 'seen in May' -j DROP\n",
    "reload": "iptables-save > /tmp/same4\niptables-restore /tmp/same4\n"
    "ip6tables-save > /tmp/same6\nip6tables-restore /tmp/same6\n",
    "reboot": "ip route flush proto static\nip -6 route flush proto static\n"
    + "".join(map(_both, ("-F", "-t nat -F", "-X")))
    + f"ipset destroy\nipset restore -f {IPSETS}\niptables-restore {RULES_V4}\n"
    f"ip6tables-restore {RULES_V6}\nip -batch {ROUTES}\n",
}

SCRIPTS: Final[Mapping[Kind, Mapping[str, str]]] = {
    "nftables": {**_LINUX, **_NFTABLES, **_FAULTS},
    "iptables": {**_LINUX, **_IPTABLES, **_FAULTS},
    "netconf": {**netconf_tamper.SCRIPTS, **_FAULTS},
}


def ways_of(kind: Kind) -> list[str]:
    """Return the ways that a kind of firewall can be tampered with."""
    return [way for way in WAYS if way in SCRIPTS[kind]]


def script(firewall: FirewallPlan, way: str) -> str:
    """Return what a client would type, for `sh`. Raises InputError when there is no such way."""
    if way not in SCRIPTS[firewall.kind]:
        known = ", ".join(ways_of(firewall.kind))
        raise InputError(f"no way {way!r} to tamper with {firewall.name}", expected=f"one of: {known}")
    assignments = "".join(f"{name}={value}\n" for name, value in _variables(firewall).items())
    return f"set -eu\n{assignments}{SCRIPTS[firewall.kind][way]}"


def _variables(firewall: FirewallPlan) -> dict[str, str]:
    web = firewall.servers[0]
    return {
        "PUBLIC4": firewall.public4[0],
        "PUBLIC6": firewall.public6[0],
        "WEB4": web.address4,
        "WEB6": web.address6,
        "VIA4": firewall.link4[0],
        "VIA6": firewall.link6[0],
        "MGMT6": firewall.mgmt6,
        "SCANNER4": p.SCANNER4,
    }
