"""What an audit asks a judge: the sampled outputs as they are, again, and changed."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError
from evalkit.execute.judging import Question
from evalkit.judge.bias import Verdict
from evalkit.judge.drift import MINIMUM_ANCHORS
from evalkit.records.asset import Rubric
from evalkit.records.judgment import Opinion, Subject
from evalkit.records.label import LabelledItem
from evalkit.score.judging.asking import Judge
from evalkit.score.judging.fencing import fence_token
from evalkit.score.judging.injections import build_injections
from evalkit.score.judging.perturbing import pad

Sees = Callable[[Subject, Subject], bool]
CLEAN, AGAIN, PADDED = "clean", "again", "padded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One kind of question: the subjects by item. `trial` above 1 is asked past every cache.

    `unseen` outputs are left out of it: it changes a part of them that the judge is not shown, so
    that asking would tell nothing.
    """

    name: str
    subjects: Mapping[str, Subject]
    trial: int = 1
    unseen: int = 0

    @property
    def anew(self) -> bool:
        """Whether no stored reply may answer."""
        return self.trial > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that will be asked."""

    probes: tuple[Probe, ...]

    @property
    def repeats(self) -> tuple[str, ...]:
        """Names of the probes that ask unchanged subjects again."""
        return tuple(probe.name for probe in self.probes if probe.anew)

    def unseen(self, name: str) -> int:
        """How many outputs a probe changes where the judge does not look."""
        return sum(probe.unseen for probe in self.probes if probe.name == name)

    @property
    def questions(self) -> int:
        """How many opinions that takes."""
        return sum(len(probe.subjects) for probe in self.probes)

    def of_suite(self, suite: str) -> list[Question]:
        """Every question, those about clean outputs first; `scorer` names the probe."""
        return [
            Question(suite=suite, scorer=probe.name, case=item, id=item, subject=subject)
            for probe in self.probes
            for item, subject in probe.subjects.items()
        ]


def sample_items(items: Sequence[LabelledItem], count: int, seed: int) -> list[LabelledItem]:
    """`count` items that have a truth, half of them passes as far as there are enough.

    Sorted by id before they are drawn, so that a seed means the same however the file is sorted.
    """
    known = sorted((item for item in items if item.truth is not None), key=lambda item: item.id)
    chance = random.Random(seed)
    chance.shuffle(known)
    passes = [item for item in known if item.truth]
    fails = [item for item in known if not item.truth]
    half = max(count - len(fails), min(len(passes), (count + 1) // 2))
    return [*passes[:half], *fails[: count - min(half, len(passes))]]


def plan_probes(
    rubric: Rubric,
    sample: Sequence[LabelledItem],
    *,
    anchors: Sequence[LabelledItem] = (),
    repeats: int,
    sees: Sees | None,
) -> Plan:
    """What to ask. `anchors` are further items that drift is told by; they are asked once, anew.

    `sees(before, after)` tells whether the judge is shown anything of a change; None asks about
    unchanged outputs only. An output without a text cannot be changed.
    """
    clean = {item.id: item.subject for item in sample}
    probes = [Probe(name=CLEAN, subjects=clean)]
    for number in range(repeats):
        more = {} if number else {item.id: item.subject for item in anchors}
        probes.append(Probe(name=f"{AGAIN} {number + 1}", subjects=clean | more, trial=number + 2))
    if sees is not None:
        named = [(PADDED, pad), *((each.name, each.apply) for each in build_injections(rubric))]
        for name, change in named:
            changed = {item: change(subject) for item, subject in clean.items()}
            kept = {item: new for item, new in changed.items() if sees(clean[item], new)}
            probes.append(Probe(name=name, subjects=kept, unseen=len(changed) - len(kept)))
    return Plan(probes=tuple(probes))


def draw_anchors(
    items: Sequence[LabelledItem],
    sample: Sequence[LabelledItem],
    verdicts: Mapping[str, object],
    seed: int,
) -> list[LabelledItem]:
    """Further items with an old verdict, so that as many as drift needs have one; none where there
    are too few of them in all."""
    sampled = {item.id for item in sample}
    there = sum(item in verdicts for item in sampled)
    more = sorted(
        (item for item in items if item.id in verdicts and item.id not in sampled),
        key=lambda item: item.id,
    )
    if there + len(more) < MINIMUM_ANCHORS:
        return []
    random.Random(seed).shuffle(more)
    return more[: max(0, MINIMUM_ANCHORS - there)]


class Answers:
    """What came back, by probe and item."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._opinions: dict[str, dict[str, Opinion]] = {}

    def take(self, probe: str, item: str, opinion: Opinion) -> None:
        """Keep an opinion."""
        self._opinions.setdefault(probe, {})[item] = opinion

    def __len__(self) -> int:
        """How many opinions there are."""
        return sum(map(len, self._opinions.values()))

    @property
    def opinions(self) -> Iterator[Opinion]:
        """All of them."""
        for of_probe in self._opinions.values():
            yield from of_probe.values()

    def of(self, probe: str) -> Mapping[str, Opinion]:
        """A probe's opinions by item, without those that are errors: nobody said anything there."""
        return {
            item: opinion
            for item, opinion in self._opinions.get(probe, {}).items()
            if opinion.state != "error"
        }

    def error(self, probe: str) -> str | None:
        """What the first question of a probe met that got no answer; None where all got one."""
        for opinion in self._opinions.get(probe, {}).values():
            if opinion.state == "error":
                return next((call.error for call in opinion.calls if call.error), None)
        return None

    def verdicts(self, probe: str) -> dict[str, Verdict]:
        """The same as verdicts."""
        return {item: verdict_of(opinion) for item, opinion in self.of(probe).items()}

    def moves(self, probe: str) -> dict[str, tuple[Verdict, Verdict]]:
        """(clean verdict, verdict under the probe) of the items that have both."""
        clean, changed = self.verdicts(CLEAN), self.verdicts(probe)
        return {item: (clean[item], after) for item, after in changed.items() if item in clean}


def verdict_of(opinion: Opinion) -> Verdict:
    """Pass, fail, or None for no verdict."""
    return opinion.passed if opinion.state == "judged" else None


def sees_change(judge: Judge) -> Sees:
    """Whether a judge's prompt shows a change: its messages differ by more than their fences."""

    def shown(subject: Subject) -> list[str]:
        token = fence_token(subject)
        return [each.content.replace(token, "") for each in judge.messages(subject)]

    def sees(before: Subject, after: Subject) -> bool:
        try:
            return shown(before) != shown(after)
        except ConfigError:  # a prompt that reads what the output does not have
            return before != after

    return sees
