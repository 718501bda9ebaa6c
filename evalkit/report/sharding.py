"""What a reader of a shard is told: it decides nothing, and what does."""

from evalkit.records.run import RunRecord
from evalkit.records.shard import Shard


def merge_words(shard: Shard) -> str:
    """Why there is no verdict, and what makes one."""
    others = "it is merged" if shard.of == 1 else f"all {shard.of} are merged"
    return f"{shard}: no verdict until {others} (evalkit merge)."


def merge_command(record: RunRecord) -> str:
    """What joins this shard with the others, of which only it is known here."""
    others = " SHARD…" if record.shard is not None and record.shard.of > 1 else ""
    return f"evalkit merge {record.id}{others}"
