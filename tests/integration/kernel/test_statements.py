"""Every statement and match that nft knows goes from text to kernel over our socket as nft itself would send it."""

from __future__ import annotations

from typing import Any

import pytest

from fwguard.kernel.ruleset import apply, compile_text, differences

pytestmark = pytest.mark.integration
_TEXT = """table inet edge {
    set times { type ipv4_addr; flags dynamic,timeout; timeout 1m; size 100; }
    set ports { typeof iifname; flags dynamic; size 10; }
    map marks { type ipv4_addr : mark; flags dynamic; size 10; }
    map ways { type ipv4_addr : verdict; flags interval; elements = { 1.0.0.0/8 : jump passage }; }
    set spans { typeof ip saddr . meta mark; flags interval; elements = { 10.0.0.0/8 . 1-5 }; }
    counter seen { }
    quota most { over 25 mbytes }
    limit often { rate 5/second }
    chain passage { }
    chain hooked { type %s; policy accept;
        %s
    }
}
"""
_RULES = {
    "filter hook prerouting priority -150": """
        notrack
        ct mark set meta mark
        meta mark set ct mark
        ct zone set iifname map { "a" : 1, "b" : 2 }
        ct original packets < 8 accept
        ct bytes > 5000 drop
        ct count over 5 drop
        ct expiration 5s-10s accept
        numgen inc mod 3 0 accept
        jhash ip saddr mod 256 vmap { 0 : accept, 1-255 : drop }
        ip saddr & 255.0.0.0 == 10.0.0.0 accept
        ip ttl set 5
        ip dscp set cs1
        quota over 10 mbytes drop
        limit rate over 10 mbytes/second burst 5 mbytes drop
        socket transparent 1 accept
        tcp doff . meta length { 5 . 41-65535, 6 . 45-65535 } accept
        @th,64,128 0x0 accept
        exthdr hbh exists drop
        ip frag-off & 0x1fff != 0 drop
        tcp flags & (syn|ack) == syn drop
        tcp option sack exists drop
        reset tcp option sack-perm
        meter m { ip saddr limit rate 5/second } accept
        update @times { ip saddr timeout 5s counter }
        update @times { ip saddr limit rate over 10/second burst 20 packets } add @ports { iifname } drop
        delete @times { ip saddr }
        add @marks { ip saddr : 5 }
        add @ports { iifname } log prefix "x" group 1 snaplen 128 queue-threshold 1
        meta hour "10:00"-"11:00" accept
        meta day { "Monday", "Sunday" } accept
        fib daddr type { local, broadcast } accept
        counter name "seen"
        limit name "often" accept
        quota name "most" drop
        ether saddr != 02:00:00:00:00:01 drop
        ip saddr . meta mark @spans accept
        ip saddr vmap @ways
        ip6 nexthdr vmap { tcp : jump passage, udp : goto passage }
        meta priority set 1:2a
        log level info flags all
        meta l4proto { tcp, udp } th dport 53 accept
        vlan id 5 drop
        icmp type echo-request icmp id 5 accept
        tcp dport != { 1, 2 } drop
        iif "lo" accept
        meta random 0-5 accept
        meta nftrace set 1""",
    "filter hook forward priority 0": """
        tcp option maxseg size set rt mtu
        reject with tcp reset
        reject with icmpx type admin-prohibited
        synproxy mss 1460 wscale 7""",
    "nat hook prerouting priority -100": """
        tcp dport 80 redirect to :8080
        tcp dport 1-5 dnat ip to 10.0.0.1-10.0.0.9
        ip daddr 1.2.3.4 tcp dport 80 dnat ip to 10.0.0.1:80
        dnat ip to ip daddr . tcp dport map { 1.2.3.4 . 80 : 10.0.0.1 . 8080 }""",
    "nat hook postrouting priority 100": """
        oifname "x" masquerade
        snat ip6 to fd00::1""",
}


@pytest.mark.parametrize("hook", list(_RULES))
def test_nft_shows_the_same_as_if_it_had_loaded_the_text(wire: Any, hook: str) -> None:
    """Rule by rule, sets without a name and stateful objects included."""
    # A reject and a synproxy want to know that it is TCP; nft adds that to the first by itself.
    text = _TEXT % (hook, _RULES[hook].replace("        synproxy", "        tcp dport 80 synproxy"))
    done = wire.nft("-f", "-", text=text)
    assert not done.returncode, done.stderr
    wanted = wire.nft("-s", "list", "ruleset").stdout
    wire.nft("flush", "ruleset")
    socket, compiled = wire.netlink(), compile_text(text)
    apply(socket, compiled, owned=False)
    assert wanted == wire.nft("-s", "list", "ruleset").stdout
    assert () == differences(socket, compile_text(text))
