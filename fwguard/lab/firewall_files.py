"""What stands on the disks of the lab's Linux firewalls: rules, redirections, routes, v4 and v6."""

from __future__ import annotations

from typing import Final

from fwguard.lab import plan as p
from fwguard.lab.plan import FirewallPlan

NFTABLES_CONF: Final = "/etc/nftables.conf"
RULES_V4: Final = "/etc/iptables/rules.v4"
RULES_V6: Final = "/etc/iptables/rules.v6"
IPSETS: Final = "/etc/iptables/ipsets"
ROUTES: Final = "/etc/network/static-routes"  # lines of ip -batch
ADDRESSES: Final = "/etc/network/addresses"  # the same, for what is no route
SYSCTL: Final = "/etc/sysctl.d/60-forward.conf"

SYSCTL_TEXT: Final = """\
net.ipv4.ip_forward = 1
net.ipv6.conf.all.forwarding = 1
net.ipv4.conf.all.rp_filter = 1
"""


def addresses(firewall: FirewallPlan) -> str:
    """Return the links and addresses of a firewall."""
    lines = [
        f"addr add {firewall.link4[1]}/30 dev wan0",
        f"addr add {firewall.link6[1]}/126 dev wan0 nodad",
        *(f"addr add {address}/32 dev wan0" for address in firewall.public4),
        *(f"addr add {address}/128 dev wan0 nodad" for address in firewall.public6),
        f"addr add {p.GATEWAY4}/24 dev lan0",
        f"addr add {p.GATEWAY6}/64 dev lan0 nodad",
        f"addr add {firewall.mgmt4}/16 dev mgmt0",
        f"addr add {firewall.mgmt6}/64 dev mgmt0 nodad",
        *(f"link set {port} up" for port in ("wan0", "lan0", "mgmt0")),
    ]
    return "".join(f"{line}\n" for line in lines)


def static_routes(firewall: FirewallPlan) -> str:
    """Return its static routes: out, to the partners by name, and nowhere for what is private."""
    via4, via6 = firewall.link4[0], firewall.link6[0]
    return f"""\
route replace default via {via4} dev wan0 proto static
route replace default via {via6} dev wan0 proto static
route replace {p.PARTNERS4} via {via4} dev wan0 proto static
route replace {p.PARTNERS6} via {via6} dev wan0 proto static
route replace blackhole 192.168.0.0/16 proto static
route replace blackhole fd00:dead::/32 proto static
"""


def nftables_conf(firewall: FirewallPlan) -> str:
    """Return the ruleset of a firewall with a web server and, on acme, mail and a database behind it."""
    web, *others = firewall.servers
    public4, public6 = firewall.public4, firewall.public6
    mail = next((server for server in others if server.role == "mail"), None)
    return f"""\
#!/usr/sbin/nft -f
# {firewall.name}
flush ruleset

table inet filter {{
	set partners4 {{
		type ipv4_addr
		flags interval
		elements = {{ {p.PARTNERS4} }}
	}}

	set partners6 {{
		type ipv6_addr
		flags interval
		elements = {{ {p.PARTNERS6} }}
	}}

	chain input {{
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		iifname "lo" accept
		meta l4proto {{ icmp, ipv6-icmp }} accept
		iifname "mgmt0" tcp dport 22 accept comment "operator"
	}}

	chain forward {{
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		icmp type echo-request accept
		icmpv6 type {{ echo-request, packet-too-big, time-exceeded }} accept
		iifname "lan0" oifname "wan0" accept comment "out"
		iifname "wan0" oifname "lan0" jump services
	}}

	chain services {{
		ip saddr {p.SCANNER4} drop comment "scanner"
		ip6 saddr {p.SCANNER6} drop comment "scanner"
		ip daddr {web.address4} tcp dport {{ 80, 443 }} accept comment "web"
		ip6 daddr {web.address6} tcp dport {{ 80, 443 }} accept comment "web"
		ip saddr @partners4 ip daddr {web.address4} tcp dport 22 accept comment "partners"
		ip6 saddr @partners6 ip6 daddr {web.address6} tcp dport 22 accept comment "partners"
{_nft_mail_services(mail.address4, mail.address6) if mail else ""}\
	}}
}}

table ip nat {{
	chain prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr {public4[0]} tcp dport {{ 80, 443 }} dnat to {web.address4}
		ip daddr {public4[0]} tcp dport 2222 dnat to {web.address4}:22
{f"		ip daddr {public4[1]} tcp dport {{ 25, 587 }} dnat to {mail.address4}" + chr(10) if mail else ""}\
	}}

	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
{f'		oifname "wan0" ip saddr {mail.address4} snat to {public4[1]}' + chr(10) if mail else ""}\
		oifname "wan0" ip saddr {p.INSIDE4} snat to {public4[0]}
	}}
}}

table ip6 nat {{
	chain prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		ip6 daddr {public6[0]} tcp dport {{ 80, 443 }} dnat to {web.address6}
		ip6 daddr {public6[0]} tcp dport 2222 dnat to [{web.address6}]:22
{f"		ip6 daddr {public6[1]} tcp dport {{ 25, 587 }} dnat to {mail.address6}" + chr(10) if mail else ""}\
	}}

	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
{f'		oifname "wan0" ip6 saddr {mail.address6} snat to {public6[1]}' + chr(10) if mail else ""}\
		oifname "wan0" ip6 saddr {p.INSIDE6} snat to {public6[0]}
	}}
}}
"""


def _nft_mail_services(v4: str, v6: str) -> str:
    return f"""\
		ip daddr {v4} tcp dport {{ 25, 587 }} accept comment "mail"
		ip6 daddr {v6} tcp dport {{ 25, 587 }} accept comment "mail"
"""


def ipsets() -> str:
    """Return the sets of an iptables firewall, as `ipset save` writes them."""
    return f"""\
create partners4 hash:net family inet hashsize 1024 maxelem 65536
add partners4 {p.PARTNERS4}
create partners6 hash:net family inet6 hashsize 1024 maxelem 65536
add partners6 {p.PARTNERS6}
"""


def iptables_rules(firewall: FirewallPlan, *, v6: bool) -> str:
    """Return the rules of an iptables firewall with a web server and a database, for one family."""
    web, db = firewall.servers[0], firewall.servers[1]
    suffix, bits, icmp, inside = ("6", 128, "ipv6-icmp", p.INSIDE6) if v6 else ("4", 32, "icmp", p.INSIDE4)
    web_at, db_at = (web.address6, db.address6) if v6 else (web.address4, db.address4)
    public = firewall.public6 if v6 else firewall.public4
    scanner = p.SCANNER6 if v6 else p.SCANNER4
    ssh = f"[{web_at}]:22" if v6 else f"{web_at}:22"
    return f"""\
# {firewall.name}
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:SERVICES - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -i lo -j ACCEPT
-A INPUT -p {icmp} -j ACCEPT
-A INPUT -i mgmt0 -p tcp -m tcp --dport 22 -m comment --comment operator -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -p {icmp} -j ACCEPT
-A FORWARD -i lan0 -o wan0 -j ACCEPT
-A FORWARD -i wan0 -o lan0 -j SERVICES
-A SERVICES -s {scanner}/{bits} -m comment --comment scanner -j DROP
-A SERVICES -d {web_at}/{bits} -p tcp -m multiport --dports 80,443 -m comment --comment web -j ACCEPT
-A SERVICES -d {web_at}/{bits} -p udp -m udp --dport 53 -j ACCEPT
-A SERVICES -d {web_at}/{bits} -p tcp -m set --match-set partners{suffix} src -m tcp --dport 22 -j ACCEPT
-A SERVICES -d {db_at}/{bits} -p tcp -m set --match-set partners{suffix} src -m tcp --dport 5432 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d {public[0]}/{bits} -p tcp -m multiport --dports 80,443 -j DNAT --to-destination {web_at}
-A PREROUTING -d {public[0]}/{bits} -p udp -m udp --dport 53 -j DNAT --to-destination {web_at}
-A PREROUTING -d {public[0]}/{bits} -p tcp -m tcp --dport 2222 -j DNAT --to-destination {ssh}
-A PREROUTING -d {public[1]}/{bits} -p tcp -m tcp --dport 5432 -j DNAT --to-destination {db_at}
-A POSTROUTING -s {db_at}/{bits} -o wan0 -j SNAT --to-source {public[1]}
-A POSTROUTING -s {inside} -o wan0 -j SNAT --to-source {public[0]}
COMMIT
"""
