"""What is no difference between two texts of FortiOS, and what is."""

from __future__ import annotations

import pytest

from fwguard.dialects.fortios import FORTIOS

TEXT = """#config-version=FGT60F-7.2.5-FW-build1517-230606:opmode=0:vdom=0:user=admin
#conf_file_ver=123
config system admin
    edit "admin"
        set password ENC SH2abc
    next
end
config firewall address
    edit "a"
        set uuid 11111111-2222-3333-4444-555555555555
        set comment "first"
        set subnet 192.0.2.0 255.255.255.0
    next
    edit "b"
        set subnet 192.0.2.7 255.255.255.255
    next
end
config firewall policy
    edit 3
        set srcintf "wan1"
        set dstintf "dmz"
        set srcaddr "a" "b"
        set dstaddr "all"
        set service "HTTP" "HTTPS"
        set action accept
        set comments "ticket 7"
    next
    edit 1
        set srcintf "dmz"
        set dstintf "wan1"
        set srcaddr "all"
        set dstaddr "all"
        set service "ALL"
    next
end
"""
FIRST, SECOND = (
    TEXT[TEXT.index("    edit 3") : TEXT.index("    edit 1\n")],
    TEXT[TEXT.index("    edit 1\n") : -4],
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("#conf_file_ver=123", "#conf_file_ver=124"),
        ("ENC SH2abc", "ENC SH2xyz"),
        ("11111111-2222", "22222222-2222"),
        ('set comment "first"', 'set comment "second"'),
        ('set comments "ticket 7"', 'set comments "ticket 8"'),
        ('"wan1"', "wan1"),
        ('"a" "b"', '"b" "a"'),
        ('"HTTP" "HTTPS"', "HTTPS\n        append service HTTP"),
        ("192.0.2.0 255.255.255.0", "192.0.2.0/24"),
        ("        set action", "  set   action"),
        (FIRST + SECOND, SECOND + FIRST + "    move 3 before 1\n"),
        ('edit "b"', "edit b"),
    ],
)
def test_this_is_no_difference(old: str, new: str) -> None:
    """Comments, identifiers, encryption, quotes, the order of members, the way a state was reached."""
    assert old in TEXT
    assert FORTIOS.canonical(TEXT) == FORTIOS.canonical(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"HTTP" "HTTPS"', '"HTTP"'),
        (FIRST + SECOND, SECOND + FIRST),
        (SECOND, ""),
        ("192.0.2.7", "192.0.2.8"),
        ("set action accept", "set action deny"),
        ("set action accept", "set action accept\n        set status disable"),
        ("set action accept", "set action accept\n        set made-up thing"),
    ],
)
def test_this_is_a_difference(old: str, new: str) -> None:
    """Another value, another order of policies, something that is not known."""
    assert old in TEXT
    assert FORTIOS.canonical(TEXT) != FORTIOS.canonical(TEXT.replace(old, new))
