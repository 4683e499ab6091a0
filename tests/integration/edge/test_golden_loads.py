"""Every golden state passes `nft -c` and `tc`, and loads into a real kernel, twice."""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.compile.shaping import IFB, first_tc_text

pytestmark = pytest.mark.integration


def _golden() -> ModuleType:
    file = Path(__file__).parents[2] / "golden" / "test_compile.py"
    spec = importlib.util.spec_from_file_location("golden_compile", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOLDEN = _golden()


@pytest.fixture
def netns() -> Iterator[str]:
    """A namespace of its own, gone afterwards."""
    name = f"golden-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=30)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, timeout=30)


def run(netns: str, *words: str, stdin: str = "") -> str:
    """Run a command in the namespace; raises with its complaint."""
    done = subprocess.run(
        ["ip", "netns", "exec", netns, *words], input=stdin, text=True, capture_output=True, check=False, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:2000]
    return done.stdout


@pytest.mark.parametrize("folder", GOLDEN.CASES, ids=lambda folder: folder.name)
def test_loads(folder: Path, netns: str) -> None:
    """nft finds no fault, the kernel takes it, and taking it again changes nothing."""
    state = GOLDEN.state_of(folder)
    compiled = compile_edge(state, now_s=GOLDEN.NOW_S)
    text = first_load_text(compiled, now_s=GOLDEN.NOW_S)
    for name in (*state.uplinks, *(port.interface for port in state.ports)):
        run(netns, "ip", "link", "add", name, "type", "veth", "peer", "name", f"x{secrets.token_hex(5)}")
        run(netns, "ip", "link", "set", name, "up")
    run(netns, "nft", "-c", "-f", "-", stdin=text)
    run(netns, "nft", "-f", "-", stdin=text)
    once = run(netns, "nft", "-s", "list", "ruleset")
    run(netns, "nft", "-f", "-", stdin=text)
    assert len(once.splitlines()) == len(run(netns, "nft", "-s", "list", "ruleset").splitlines())
    run(netns, "ip", "link", "add", IFB, "type", "ifb")
    run(netns, "tc", "-batch", "-", stdin=first_tc_text(compiled.shaping))
    classes = run(netns, "tc", "class", "show", "dev", IFB)
    assert len(compiled.shaping.classes) + 2 == classes.count("class htb")
