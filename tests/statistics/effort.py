"""How many draws a simulation makes, and what so many leave to chance."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Brief in every test run; full behind the marker `full_simulation`, to half a point."""

    full: bool

    def draws(self, brief: int, full: int) -> int:
        """One of the two."""
        return full if self.full else brief


def chance(percent: float, draws: int) -> float:
    """Percentage points that the share among so many draws misses once in two thousand times."""
    share = min(max(percent / 100, 0.002), 0.998)
    return 350 * math.sqrt(share * (1 - share) / draws)
