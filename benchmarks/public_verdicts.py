"""What `evalkit judge calibrate` makes of verdicts that real judges gave on public label sets.

    python benchmarks/public_verdicts.py FOLDER              # every figure the folder has data for
    python benchmarks/public_verdicts.py FOLDER --draws 400  # the naive rate over more samples

FOLDER holds .csv files with the columns family, subset, item, gold (1 or 2: the better of two
outputs, as its authors say), judge, strategy, winner_original, winner_swapped (which it chose in
either order of showing) and score_1, score_2 (its rating of each output from 0 to 10). Files with
other columns are passed over, rows that stand twice are read once.

Each figure comes from the command itself: labels and verdicts are written into a project in a
temporary folder, and what `--json` prints is read. `expected` are figures that were worked out from
the same data without evalkit.
"""

import argparse
import csv
import io
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from evalkit.cli.main import run
from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabelledItem
from evalkit.records.subject import subject_id

COLUMNS = {
    *("family", "subset", "item", "gold", "judge", "strategy"),
    *("winner_original", "winner_swapped", "score_1", "score_2"),
}
PASS_FROM = 6
RATING = "Rating"
NATURAL, OTHER = "LLMBar Natural", "LLMBar Adversarial"
ADVERSARIAL = ("adversarial", "neighbor", "gptinst", "gptout", "manual")
SETS = (NATURAL, "MT-Bench", "FairEval")
TRUTH, JUDGED, LABELS = 0.85, 1000, 100
CONFIG = "version: 1\nroutes: []\nsuites: {}\n"
RUBRIC = """\
name: public
version: 1
compare: {compare}
scale: {scale}
criteria: [The output follows the instruction.]
judge:
  recorded: {{file: verdicts.csv, judge: a judge of public verdicts}}
"""
LEVELS = "{'0': useless, '10': faultless}"
GRADED = f"{{kind: graded, lowest: 0, highest: 10, levels: {LEVELS}, pass_from: {PASS_FROM}}}"
BINARY = "{kind: binary, pass: It is the better one., fail: It is not.}"

Row = dict[str, str]


@dataclass(frozen=True)
class Judged:
    """An output with its label, what the judge said, and how likely it was to be labelled."""

    name: str
    truth: bool
    said: str
    weight: float = 1.0
    part: str = "test"


class Command:
    """`evalkit judge calibrate` in a project of its own."""

    def __init__(self, folder: Path, *, pair: bool) -> None:
        """Write the project into `folder`."""
        self.root = folder
        self.pair = pair
        rubrics = folder / "rubrics/public"
        rubrics.mkdir(parents=True)
        (folder / "evalkit.yaml").write_text(CONFIG, encoding="utf-8")
        (rubrics / "v1.yaml").write_text(
            RUBRIC.format(compare="pair", scale=BINARY)
            if pair
            else RUBRIC.format(compare="output", scale=GRADED),
            encoding="utf-8",
        )

    def measure(self, items: Sequence[Judged]) -> dict[str, Any]:
        """What the command measured: the `measured` of its JSON."""
        labels, verdicts = [], []
        for each in items:
            other = f"{each.name} (the other)" if self.pair else None
            subject = Subject(input={"item": each.name}, output=each.name, other=other)
            label = Label(passed=each.truth, labeller="authors", by="person", at="2023-10-01")
            item = LabelledItem(
                id=subject_id(subject),
                subject=subject,
                part="tuning" if each.part == "tuning" else "test",
                labels=(label,),
                weight=each.weight,
            )
            labels.append(msgspec.json.encode(item))
            verdicts.append((item.id, each.said))
        (self.root / "rubrics/public/v1.labels.jsonl").write_bytes(b"\n".join(labels) + b"\n")
        with open(self.root / "verdicts.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "verdict" if self.pair else "score"))
            writer.writerows(verdicts)
        return self._called()

    def _called(self) -> dict[str, Any]:
        out, err = io.StringIO(), io.StringIO()
        with chdir(self.root), redirect_stdout(out), redirect_stderr(err):
            code = run(["judge", "calibrate", "public@v1", "--json"])
        if code != 0:
            raise SystemExit(f"the command ended with {code}: {err.getvalue()}")
        measured: dict[str, Any] = json.loads(out.getvalue())["measured"]
        return measured


def read_rows(folder: Path) -> list[Row]:
    """Every row of every file with the columns."""
    found: dict[tuple[str, ...], Row] = {}
    for path in sorted(folder.glob("*.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if set(reader.fieldnames or ()) >= COLUMNS:
                for row in reader:
                    found.setdefault(tuple(row[key] for key in sorted(COLUMNS)), row)
    return list(found.values())


def label_set(row: Row) -> str:
    """The label set of a row: LLMBar's parts are two, any other set is one."""
    name = f"{row['family']} {row['subset']}".casefold()
    if any(part in name for part in ADVERSARIAL):
        return "LLMBar Adversarial"
    return next((known for known in SETS if known.casefold() in name), row["subset"])


def by_strategy(rows: Iterable[Row], judge: str, *sets: str) -> dict[str, list[Row]]:
    """A judge's rows on some label sets, by the way it was asked."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["judge"] == judge and label_set(row) in sets:
            found[row["strategy"]].append(row)
    return dict(found)


def rated(rows: Iterable[Row]) -> list[Judged]:
    """Two outputs a row, each with its rating; the better one is labelled pass."""
    return [
        Judged(
            f"{row['subset']} {row['item']} output {side}",
            row["gold"] == side,
            row[f"score_{side}"],
        )
        for row in rows
        for side in ("1", "2")
    ]


def preferred(rows: Iterable[Row], *, both: bool) -> list[Judged]:
    """A pair a row: pass says that the first output is better. With `both` orders no verdict where
    they differ, else the verdict of the first order."""

    def said(row: Row) -> str:
        winner = row["winner_original"]
        if not winner or (both and winner != row["winner_swapped"]):
            return ""
        return "pass" if winner == "1" else "fail"

    return [Judged(f"{row['subset']} {row['item']}", row["gold"] == "1", said(row)) for row in rows]


def sampled(items: Sequence[Judged], rng: random.Random) -> tuple[float, list[Judged]]:
    """A run of outputs of which `TRUTH` pass, and labels on as many passed as failed ones.

    Gives the run's true pass rate and the labelled sample with its weights.
    """
    passes = [each for each in items if each.truth]
    fails = [each for each in items if not each.truth]
    good = round(TRUTH * JUDGED)
    drawn = rng.choices(passes, k=good) + rng.choices(fails, k=JUDGED - good)
    outputs = [Judged(f"{each.name} #{n}", each.truth, each.said) for n, each in enumerate(drawn)]
    sample: list[Judged] = []
    for verdict in (True, False):
        stratum = [each for each in outputs if (float(each.said) >= PASS_FROM) is verdict]
        take = min(len(stratum), LABELS // 2)
        weight = len(stratum) / max(1, take)
        sample += [
            Judged(each.name, each.truth, each.said, weight=weight)
            for each in rng.sample(stratum, take)
        ]
    return good / JUDGED, sample


def show(name: str, figures: str, expected: str = "") -> None:
    """A line of the table."""
    print(f"{name:<46}{figures:<48}{'expected ' + expected if expected else ''}".rstrip())


def errors_of(measured: dict[str, Any]) -> str:
    """TPR, FPR and J."""
    if measured["tpr"] is None or measured["tnr"] is None:
        return "no labels of both kinds with a verdict"
    tpr, fpr = measured["tpr"]["value"], 1 - measured["tnr"]["value"]
    fit = "fit" if measured["fit"] else "UNFIT"
    return f"TPR {tpr:.3f}  FPR {fpr:.3f}  J {measured['youden']['value']:+.3f}  {fit}"


def show_ratings(command: Command, rows: Sequence[Row]) -> list[Judged]:
    """Error rates of GPT-4's ratings, whole and by part; gives the outputs if there are all."""
    found = by_strategy(rows, "GPT-4", NATURAL, OTHER).get(RATING, [])
    parts = {NATURAL: "TPR .92 FPR .40", OTHER: "TPR .85 FPR .38"}
    by_part = {name: [row for row in found if label_set(row) == name] for name in parts}
    whole = all(by_part.values())
    if whole:
        figures = errors_of(command.measure(rated(found)))
        show(f"GPT-4 rating >= {PASS_FROM} on LLMBar", figures, "TPR .87 FPR .38")
    for name, expected in parts.items():
        if by_part[name]:
            figures = errors_of(command.measure(rated(by_part[name])))
            show(f"GPT-4 rating >= {PASS_FROM} on {name}", figures, expected)
    return rated(found) if whole else []


def show_corrected(command: Command, items: Sequence[Judged], draws: int) -> None:
    """How far the judge's own rate and the corrected ones are from the truth, over many samples."""
    rng = random.Random(20231001)
    errors: defaultdict[str, list[float]] = defaultdict(list)
    covered: defaultdict[str, list[bool]] = defaultdict(list)
    for _ in range(draws):
        truth, sample = sampled(items, rng)
        for each in command.measure(sample)["rates"]:
            rate = each["rate"]
            if rate is not None:
                errors[each["method"]].append(rate["value"] - truth)
                covered[each["method"]].append(rate["lower"] <= truth <= rate["upper"])
    expected = {"naive": "-5.5 pp", "post_stratified": "-.5 pp"}
    print(f"truth {TRUTH}, {JUDGED} judged, {LABELS} labels, {draws} samples:")
    for method, off in errors.items():
        show(
            f"  {method}",
            f"off by {100 * fmean(off):+.1f} pp, covers in {100 * fmean(covered[method]):.0f} %",
            expected.get(method, ""),
        )


def show_refused(command: Command, rows: Sequence[Row]) -> None:
    """A judge that tells nothing: ChatGPT's ratings on the adversarial subsets."""
    found = by_strategy(rows, "ChatGPT", OTHER).get(RATING, [])
    if not found:
        return
    items = rated(found)
    # probabilities are learnt on the tuning part: the first pair's two outputs, one of a kind
    items[:2] = [Judged(each.name, each.truth, each.said, part="tuning") for each in items[:2]]
    measured = command.measure(items)
    auc = (measured["reliability"] or {}).get("auc")
    figures = errors_of(measured) + ("" if auc is None else f"  AUC {auc:.2f}")
    show(f"ChatGPT rating on {OTHER}", figures, "AUC .43, J < 0, refused")


def show_orders(command: Command, rows: Sequence[Row]) -> None:
    """What asking in both orders does, for every judge and way of asking."""
    expected = {
        ("MT-Bench", "GPT-4"): "one of them .81 -> .856, 13 %",
        ("FairEval", "ChatGPT"): "one of them .576 -> .917, 82 %",
    }
    print("\nagreement with the labels: in one order -> in both, where they agree")
    for name, judge in sorted({(label_set(row), row["judge"]) for row in rows}):
        show(f"{judge} on {name}", "", expected.get((name, judge), ""))
        for strategy, found in sorted(by_strategy(rows, judge, name).items()):
            one = command.measure(preferred(found, both=False))["agreement"]
            both = command.measure(preferred(found, both=True))["agreement"]
            if one is not None and both is not None:
                figures = f"{one['raw']:.3f} -> {both['raw']:.3f}"
                apart = sum(map(is_inconsistent, found)) / len(found)
                show(
                    f"  {strategy}", f"{figures}, {100 * apart:.0f} % of {len(found)} inconsistent"
                )


def is_inconsistent(row: Row) -> bool:
    """Whether the two orders gave two winners; no verdict in one of them is no second one."""
    winners = {row["winner_original"], row["winner_swapped"]}
    return winners == {"1", "2"}


def main() -> None:
    """Print every figure that the folder has the data for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the .csv files of public verdicts are")
    parser.add_argument("--draws", type=int, default=200, help="samples for the corrected rates")
    options = parser.parse_args()
    rows = read_rows(options.folder)
    if not rows:
        sys.exit(
            f"{options.folder} holds no .csv file with the columns {', '.join(sorted(COLUMNS))}"
        )
    with tempfile.TemporaryDirectory() as folder:
        graded = Command(Path(folder) / "graded", pair=False)
        pairs = Command(Path(folder) / "pairs", pair=True)
        if items := show_ratings(graded, rows):
            show_corrected(graded, items, options.draws)
        show_refused(graded, rows)
        show_orders(pairs, rows)


if __name__ == "__main__":
    main()
