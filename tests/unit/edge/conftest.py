"""What the tests of the edge share: the tests' own folder, for states of edges."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
