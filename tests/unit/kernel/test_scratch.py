"""Which interfaces a text's chains hook to."""

from __future__ import annotations

from fwguard.kernel.scratch import hooked_devices


def test_devices_of_base_chains_are_found() -> None:
    """Quoted, bare, several in braces; a comment names none, loopback is everywhere."""
    text = """table netdev edge {
    chain a { type filter hook ingress device "srv-1" priority 0; }
    chain b { type filter hook ingress devices = { srv-2, "srv.3", lo } priority 0; }
    chain c { iifname "srv-9" drop; } # type filter hook ingress device srv-8 priority 0
}"""
    assert ("srv-1", "srv-2", "srv.3") == hooked_devices(text)
