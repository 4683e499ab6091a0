"""What is no difference between two configurations of IOS, and what is; which texts are of IOS at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.dialects.ios import IOS
from fwguard.dialects.table import detect

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls"
TEXT = """Building configuration...

Current configuration : 1234 bytes
!
! Last configuration change at 10:00:00 UTC Mon Mar 2 2026 by ops
version 15.7
hostname rt
interface GigabitEthernet0/0
 description uplink
 ip address 203.0.113.2 255.255.255.248
 ip access-group FAR in
ip access-list extended FAR
 remark the web
 permit tcp any host 192.0.2.10 eq www 443
 permit tcp any 192.0.2.9 0.0.0.0
 deny   ip any any
access-list 20 permit 192.0.2.1
ntp clock-period 17180000
end
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1234 bytes", "999 bytes"),
        ("10:00:00 UTC Mon Mar 2 2026 by ops", "11:00:00 UTC Tue Mar 3 2026"),
        ("ntp clock-period 17180000", "ntp clock-period 17180011"),
        (" remark the web\n", ""),
        (" description uplink\n", ""),
        ("eq www 443", "eq 80 443"),
        ("192.0.2.9 0.0.0.0", "host 192.0.2.9"),
        ("permit tcp any host", "permit 6 any host"),
        (" deny   ip", " deny ip"),
        (" permit tcp any host", " 5 permit tcp any host"),
        ("access-list 20 permit 192.0.2.1", "ip access-list standard 20\n permit host 192.0.2.1"),
    ],
)
def test_this_is_no_difference(old: str, new: str) -> None:
    """Times, sizes, comments, spelling, the numbers of entries."""
    assert old in TEXT
    assert IOS.canonical(TEXT) == IOS.canonical(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("eq www 443", "eq www 444"),
        (" deny   ip any any\n", ""),
        ("FAR in", "FAR out"),
        (" permit tcp any 192.0.2.9 0.0.0.0\n deny   ip any any\n",
         " deny   ip any any\n permit tcp any 192.0.2.9 0.0.0.0\n"),
        ("hostname rt", "hostname other"),
    ],
)  # fmt: skip
def test_this_is_a_difference(old: str, new: str) -> None:
    """Another value, an entry gone, another order."""
    assert old in TEXT
    assert IOS.canonical(TEXT) != IOS.canonical(TEXT.replace(old, new))


def test_no_other_vendors_file_is_taken_for_ios() -> None:
    """By what it says."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is proven of other people's configurations")
    for path in sorted(CORPUS.glob("**/*")):
        if path.is_file():
            assert IOS.sniff(path.read_text(errors="replace")) < 25, path.name
    assert "ios" == detect(TEXT).name
