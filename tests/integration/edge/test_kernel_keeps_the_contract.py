"""For random edges and packets, the kernel's verdict equals the contract's plain statement; v4 and v6."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_judge import EdgeJudge
from random_edges import NOW_S, random_frames, random_state

from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.compile.contract import Contract

pytestmark = pytest.mark.integration

CASES = 6
PACKETS = 300


@pytest.mark.parametrize("seed", range(CASES))
def test_the_kernel_decides_as_the_contract_says(seed: int) -> None:
    """Every packet that begins a flow passes exactly when the contract lets it."""
    random = Random(seed)
    state = random_state(random)
    frames = random_frames(state, random, PACKETS)
    contract = Contract(state, now_s=NOW_S)
    said = [contract.judge(packet, ether=ether) for packet, ether in frames]
    with EdgeJudge(state) as edge:
        edge.load(first_load_text(compile_edge(state, now_s=NOW_S), now_s=NOW_S))
        arrived = edge.judge_frames(frames)
    wrong = [
        (decision, frame)
        for decision, came, frame in zip(said, arrived, frames, strict=True)
        if decision.passes != came
    ]
    assert [] == wrong[:5]
    assert {True, False} == {decision.passes for decision in said}
