"""Host keys as texts."""

from __future__ import annotations

import paramiko
import pytest

from fwguard.devices.hostkey import check_host_key, host_key_fingerprint, parse_host_key
from fwguard.errors import HostKeyChangedError, InputError

# RFC 8032, section 7.1, the public keys of tests 1 and 2
PINNED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID1AF8PoQ4lanrcKpwMHK7aSylp+lS3zSXCnqZIPMvxG"


def key(text: str) -> paramiko.PKey:
    return paramiko.Ed25519Key(data=parse_host_key(text)[1])


def test_the_pinned_key_passes() -> None:
    """With or without a comment behind it."""
    check_host_key(key(PINNED), PINNED + " root@fw1", device="fw1")


def test_another_key_is_named_by_both_fingerprints() -> None:
    """So that a person can compare them with the client."""
    with pytest.raises(HostKeyChangedError) as caught:
        check_host_key(key(OTHER), PINNED, device="fw1")
    assert host_key_fingerprint(PINNED) in str(caught.value)
    assert host_key_fingerprint(OTHER) in str(caught.value)


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-dss AAAA", "ssh-ed25519 !!!!", "AAAA ssh-ed25519"])
def test_what_is_no_key_is_refused(text: str) -> None:
    """With the form that is expected."""
    with pytest.raises(InputError, match="known_hosts"):
        parse_host_key(text)
