"""The columns of a promptfoo evaluation, and which of them is meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError
from evalkit.sources.results.faults import Faults, shown

SELECTORS = ("prompt", "provider", "promptIdx")
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One prompt with one provider. `index` is promptfoo's promptIdx, from 0."""

    index: int
    prompt: str
    prompt_id: str
    provider: str
    provider_id: str

    def __str__(self) -> str:
        """For a message."""
        return (
            f"promptIdx={self.index} (prompt={shown(self.prompt)}, provider={shown(self.provider)})"
        )

    def fits(self, select: Mapping[str, str]) -> bool:
        """Whether it is one of those that are meant. A label and an id both name a column."""
        names = {
            "prompt": (self.prompt, self.prompt_id),
            "provider": (self.provider, self.provider_id),
            "promptIdx": (str(self.index),),
        }
        return all(value in names[key] for key, value in select.items())


def choose_column(columns: Sequence[Column], select: Mapping[str, str], faults: Faults) -> Column:
    """The only column that fits. Raises ConfigError that lists them where that is not one."""
    fitting = [column for column in columns if column.fits(select)]
    if len(fitting) == 1:
        return fitting[0]
    wanted = ", ".join(f"{key}={shown(value)}" for key, value in select.items())
    if not fitting:
        raise _listed(faults, f"has no column with {wanted}", columns)
    which = f" with {wanted}" if wanted else ""
    raise _listed(faults, f"holds {len(fitting)} columns{which}", fitting)


def _listed(faults: Faults, message: str, columns: Sequence[Column]) -> ConfigError:
    names = "; ".join(str(column) for column in columns[:_SHOWN])
    more = f"; and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return faults.error(
        f"{message}: {names}{more}",
        suggestion="say which is meant: --select prompt=… or provider=… or promptIdx=…, with "
        "base. or cand. in front for one side",
    )
