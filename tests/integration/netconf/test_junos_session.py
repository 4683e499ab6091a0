"""The session of a Junos over NETCONF on a real server that is none: framing, refusals, and no write there."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fwguard.devices.junos_netconf import JunosNetconfDevice
from fwguard.devices.open import open_device
from fwguard.errors import CommitRefusedError, PartialReadingError
from fwguard.lab import namespaces
from fwguard.lab.netconf_alone import Site
from fwguard.model.inventory import Platform
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant

pytestmark = pytest.mark.integration


def test_a_server_that_is_no_junos_is_not_read_and_not_written(site: Site) -> None:
    """netconfd does not know the operation and says so; the session outlives its refusal."""
    firewall = replace(site.endpoint.firewall, platform=Platform.JUNOS)
    endpoint = replace(site.endpoint, firewall=firewall)
    device = namespaces.inside(site.netns("controller"), lambda: open_device(endpoint))
    try:
        assert isinstance(device, JunosNetconfDevice)
        time.sleep(0.1)  # netconfd loses what comes with the hello
        for _ in range(2):
            with pytest.raises(PartialReadingError, match="was not read: .*"):
                device.read()
        before, after = Snapshot({"running": "version 1;\n"}), Snapshot({"running": "version 2;\n"})
        warrant = Warrant(
            id="w-1", ground=Ground.BASELINE, clause="7.1.1", author="ana", reason="test",
            subject=f"firewall:{firewall.name}", before=before.digest, after=after.digest,
            issued_at=datetime.now(UTC),
        )  # fmt: skip
        with pytest.raises(CommitRefusedError, match="does not say that it is a Junos"):
            device.apply(before, after, warrant=warrant, confirm_s=60)
    finally:
        device.close()
