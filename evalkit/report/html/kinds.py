"""What became of a case, in the words of the report."""

from evalkit.records.comparison import ChangeKind

KIND_ORDER: tuple[ChangeKind, ...] = ("regression", "error", "fix", "flip", "failing", "same")
_LABELS: dict[ChangeKind, str] = {
    "regression": "newly failing",
    "error": "without a result",
    "fix": "fixed",
    "flip": "flipping between trials",
    "failing": "failing as before",
    "same": "passing as before",
}
_ALONE: dict[ChangeKind, str] = {"failing": "failing", "same": "passing"}


def kind_label(kind: ChangeKind, *, alone: bool = False) -> str:
    """'newly failing', 'fixed', ...; `alone` is for a suite with nothing to compare with."""
    return _ALONE.get(kind, _LABELS[kind]) if alone else _LABELS[kind]
