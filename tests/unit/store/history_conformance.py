"""What every implementation of ports.History has to do: subclass it with a fixture `history`."""

from collections.abc import Mapping
from typing import Any

from evalkit.ports import History
from evalkit.records.history import ArmEntry, CaseTally, RunEntry, Trend
from evalkit.records.run import Flake
from evalkit.records.verdict import Outcome

SHA = "0123456789abcdef0123456789abcdef01234567"
Measured = Mapping[str, Mapping[str, bool]]


def arm(**changes: Any) -> ArmEntry:
    """A candidate of suite `ask` with content `c1`, by its changes."""
    return ArmEntry(
        **{
            "suite": "ask",
            "variant": "candidate",
            "content": "c1",
            "source": "working tree",
            "prompt": "ask@v1",
            "models": {"tiny": "tiny-2026-01-01"},
            "assets": {"prompts/ask/v1.yaml": "p1", "golden:ask@v1": "g1", "gate": "t1"},
            "cases": 3,
            "trials": 1,
            "metrics": {"pass_rate": 0.5, "tokens": 12.0, "latency_s": None},
            "slices": {"odd": 0.25},
            "outcome": Outcome.PASS,
            **changes,
        }
    )


def run(number: int, **changes: Any) -> RunEntry:
    """The run of hour `number` on main, which passed, by its changes."""
    at = f"2026-11-24T{number:02}:00:00+00:00"
    return RunEntry(
        **{
            "id": f"20261124T{number:02}0000Z-0000",
            "path": f".evalkit/runs/{number}",
            "started_at": at,
            "finished_at": at,
            "state": "complete",
            "exit_code": 0,
            "outcome": Outcome.PASS,
            "gates": True,
            "sha": SHA,
            "branch": "main",
            "main": True,
            "evalkit": "0.3.0",
            "billed_usd": 0.25,
            "arms": (arm(),),
            "stamp": f"s{number}",
            **changes,
        }
    )


def tallies(cases: Measured) -> tuple[CaseTally, ...]:
    """Tallies by case, then by measurement: whether it passed."""
    return tuple(
        CaseTally(case=case, passes=sum(seen.values()), runs=len(seen), measured=dict(seen))
        for case, seen in cases.items()
    )


def put(history: History, entry: RunEntry, cases: Measured | None = None) -> None:
    """Record a run whose every arm measured the same."""
    measured = tallies(cases or {})
    history.record(entry, {(each.suite, each.variant): measured for each in entry.arms})


def ids(entries: tuple[RunEntry, ...]) -> list[int]:
    """The hours of runs."""
    return [int(entry.id[9:11]) for entry in entries]


def values(trend: Trend) -> list[float | None]:
    """What a series goes through."""
    return [point.value for point in trend.points]


class HistoryConformance:
    """Subclass it as `Test…` and give it a fixture `history` with an empty one."""

    def test_a_run_comes_back_as_it_was_recorded(self, history: History) -> None:
        entry = run(
            1,
            tags=("v1.0", "v1.1"),
            changes={"suites.ask.target.prompt": "ask@v2", "n": [1, 2.5, None]},
            dirty=True,
            exit_code=3,
            outcome=Outcome.INCONCLUSIVE,
            arms=(arm(variant="baseline", outcome=None), arm(content=""), arm(suite="other")),
        )
        put(history, entry)
        assert history.runs() == (entry,)
        assert history.known() == {entry.id}
        assert history.stamps() == {entry.id: "s1"}

    def test_an_empty_history_has_nothing_to_say(self, history: History) -> None:
        assert history.runs() == history.trends() == history.of_content("ask", "c1") == ()
        assert history.flakes("ask", "c1") == history.tallies("ask", "c1") == ()
        assert history.known() == frozenset()
        history.forget(["20261124T010000Z-0000"])

    def test_runs_are_newest_first_and_limited(self, history: History) -> None:
        for number in (2, 1, 3):
            put(history, run(number))
        assert ids(history.runs()) == [3, 2, 1]
        assert ids(history.runs(limit=2)) == [3, 2]

    def test_runs_match_everything_that_is_asked(self, history: History) -> None:
        put(history, run(1, branch="feature", main=False, sha="abcdef0" + "0" * 33))
        put(history, run(2, exit_code=1, outcome=Outcome.FAIL))
        put(history, run(3, tags=("v1.0",)))
        put(history, run(4, arms=(arm(suite="other"),), sha=None, branch=None))
        put(history, run(5, exit_code=0, outcome=Outcome.INCONCLUSIVE))
        assert ids(history.runs(branch="feature")) == [1]
        assert ids(history.runs(sha="abcdef0")) == ids(history.runs(sha="ABCDEF00")) == [1]
        assert ids(history.runs(sha=SHA)) == [5, 3, 2]
        assert ids(history.runs(tag="v1.0")) == [3]
        assert ids(history.runs(passed=True)) == [4, 3, 1]
        assert ids(history.runs(passed=True, main=True, suite="ask")) == [3]
        assert ids(history.runs(suite="other")) == [4]
        assert history.runs(branch="feature", tag="v1.0") == ()

    def test_a_wildcard_is_no_prefix(self, history: History) -> None:
        put(history, run(1))
        assert history.runs(sha="%") == history.runs(sha="_" * 7) == ()

    def test_runs_that_did_not_finish_or_do_not_gate_are_known_and_never_found(
        self, history: History
    ) -> None:
        put(history, run(1, state="incomplete"), {"a": {"m1": True}})
        put(history, run(2, gates=False), {"a": {"m2": True}})
        put(history, run(3, state="running", arms=()))
        assert len(history.known()) == 3
        assert history.runs() == history.of_content("ask", "c1") == history.trends() == ()
        assert history.tallies("ask", "c1") == ()

    def test_runs_of_a_content_are_oldest_first_whatever_arm_has_it(self, history: History) -> None:
        put(history, run(3))
        put(history, run(1, arms=(arm(variant="baseline"), arm(content="c2"))))
        put(history, run(2, arms=(arm(content="c2"), arm(suite="other", content="c1"))))
        assert ids(history.of_content("ask", "c1")) == [1, 3]
        assert ids(history.of_content("ask", "c2")) == [1, 2]
        assert [each.variant for each in history.of_content("ask", "c1")[0].arms] == [
            "baseline",
            "candidate",
        ]

    def test_arms_without_a_content_are_pooled_with_nothing(self, history: History) -> None:
        put(history, run(1, arms=(arm(content=""),)), {"a": {"m1": True}})
        assert history.of_content("ask", "") == ()
        assert history.tallies("ask", "") == ()

    def test_measurements_of_one_content_add_up(self, history: History) -> None:
        put(history, run(1), {"a": {"m1": True, "m2": False}, "b": {"m3": True}})
        put(history, run(2), {"a": {"m4": True}})
        put(history, run(3, arms=(arm(content="c2"),)), {"a": {"m5": False}})
        assert history.tallies("ask", "c1") == (
            CaseTally(case="a", passes=2, runs=3),
            CaseTally(case="b", passes=1, runs=1),
        )

    def test_a_replay_is_no_new_measurement(self, history: History) -> None:
        put(history, run(1), {"a": {"m1": True}})
        put(history, run(2), {"a": {"m1": True}, "b": {"m1": False}})
        put(history, run(3, arms=(arm(variant="baseline"), arm())), {"a": {"m1": True}})
        assert history.tallies("ask", "c1") == (
            CaseTally(case="a", passes=1, runs=1),
            CaseTally(case="b", passes=0, runs=1),
        )

    def test_a_flake_passed_some_of_five_and_not_all(self, history: History) -> None:
        def case(*passed: bool) -> dict[str, bool]:
            return {f"m{number}": each for number, each in enumerate(passed)}

        put(
            history,
            run(1),
            {
                "always": case(True, True, True, True, True),
                "never": case(False, False, False, False, False),
                "of four": case(True, False, True, False),
                "some": case(True, False, True, True, True),
            },
        )
        assert history.flakes("ask", "c1") == (Flake(case="some", runs=5, passes=4),)
        assert history.flakes("other", "c1") == history.flakes("ask", "c2") == ()

    def test_a_candidate_tells_of_flakes_only_where_it_was_the_default_branch(
        self, history: History
    ) -> None:
        put(history, run(1, main=False, branch="feature"), {"a": {"m1": False}})
        put(history, run(2, changes={"x": 1}), {"a": {"m2": False}})
        assert history.tallies("ask", "c1") == ()
        put(history, run(3), {"a": {"m3": True}})
        for number, variant in ((4, "baseline"), (5, "anchor")):
            entry = run(number, main=False, arms=(arm(variant=variant),))
            put(history, entry, {"a": {f"m{number}": True}})
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=3, runs=3),)

    def test_recording_a_run_again_replaces_all_of_it(self, history: History) -> None:
        put(history, run(1, tags=("old",)), {"a": {"m1": True, "m2": True}})
        put(history, run(2), {"a": {"m2": True}})
        again = run(1, tags=("new",), exit_code=1, outcome=Outcome.FAIL, stamp="later")
        put(history, again, {"b": {"m3": False}})
        assert ids(history.runs(tag="new")) == [1]
        assert history.runs(tag="old") == ()
        assert history.runs()[1] == again
        assert history.tallies("ask", "c1") == (
            CaseTally(case="a", passes=1, runs=1),
            CaseTally(case="b", passes=0, runs=1),
        )

    def test_a_measurement_that_is_scored_again_counts_as_it_was_scored_last(
        self, history: History
    ) -> None:
        put(history, run(1), {"a": {"m1": True, "m2": True}})
        put(history, run(1), {"a": {"m1": False, "m2": True}})
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=1, runs=2),)
        put(history, run(2), {"a": {"m1": True}})
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=2, runs=2),)

    def test_a_run_that_was_main_and_is_not_lends_nothing_any_more(self, history: History) -> None:
        put(history, run(1), {"a": {"m1": True}})
        put(history, run(1, main=False), {"a": {"m1": True}})
        assert history.tallies("ask", "c1") == ()
        put(history, run(1, arms=()), {})
        put(history, run(1), {"a": {"m1": True}})
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=1, runs=1),)

    def test_what_is_forgotten_leaves_nothing_but_what_others_measured(
        self, history: History
    ) -> None:
        put(history, run(1, tags=("v1",)), {"a": {"m1": True, "m2": False}})
        put(history, run(2), {"a": {"m2": False, "m3": False}})
        put(history, run(3, arms=(arm(content="c2"),)), {"a": {"m1": True}})
        history.forget([run(1).id, run(3).id, "unknown"])
        assert history.known() == {run(2).id}
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=0, runs=2),)
        assert history.tallies("ask", "c2") == history.runs(tag="v1") == ()
        put(history, run(1), {"a": {"m1": True}})
        assert history.tallies("ask", "c1") == (CaseTally(case="a", passes=1, runs=3),)

    def test_a_trend_is_a_series_of_the_candidates_oldest_first(self, history: History) -> None:
        for number, rate in ((3, 0.3), (1, 0.1), (2, None)):
            candidate = arm(metrics={"pass_rate": rate, "tokens": 10.0 * number})
            put(history, run(number, arms=(arm(variant="baseline"), candidate)))
        (trend,) = history.trends()
        assert (trend.suite, trend.metric, trend.slice) == ("ask", "pass_rate", None)
        assert values(trend) == [0.1, None, 0.3]
        assert [point.at[11:13] for point in trend.points] == ["01", "02", "03"]
        assert [point.outcome for point in trend.points] == [Outcome.PASS] * 3
        assert values(history.trends(metric="tokens")[0]) == [10.0, 20.0, 30.0]
        assert values(history.trends(metric="unheard_of")[0]) == [None, None, None]

    def test_trends_come_by_suite_and_slice(self, history: History) -> None:
        put(history, run(1, arms=(arm(suite="b"), arm(suite="a", slices={"x": 1.0, "y": 0.5}))))
        put(history, run(2, arms=(arm(suite="a", slices={"y": 0.75}),)))
        found = history.trends(slices=True)
        assert [(each.suite, each.slice) for each in found] == [
            ("a", None),
            ("a", "x"),
            ("a", "y"),
            ("b", None),
            ("b", "odd"),
        ]
        assert [values(each) for each in found[1:3]] == [[1.0, None], [0.5, 0.75]]
        assert [each.suite for each in history.trends(suite="b")] == ["b"]
        assert [each.slice for each in history.trends(metric="tokens", slices=True)] == [None, None]

    def test_a_trend_has_the_last_runs_of_each_suite_on_a_branch(self, history: History) -> None:
        for number in range(1, 6):
            branch = "main" if number % 2 else "feature"
            put(
                history, run(number, branch=branch, arms=(arm(metrics={"pass_rate": number / 10}),))
            )
        put(history, run(6, arms=(arm(suite="other"),)))
        assert values(history.trends(suite="ask", limit=2)[0]) == [0.4, 0.5]
        assert values(history.trends(suite="ask", branch="main")[0]) == [0.1, 0.3, 0.5]
        assert [len(each.points) for each in history.trends(limit=1)] == [1, 1]
        assert history.trends(branch="unknown") == ()

    def test_a_point_names_what_changed_since_the_run_before(self, history: History) -> None:
        put(history, run(1))
        changed = arm(
            prompt="ask@v2",
            models={"tiny": "tiny-2026-06-01"},
            assets={"prompts/ask/v2.yaml": "p2", "golden:ask@v1": "g2", "gate": "t1"},
        )
        put(history, run(2, sha="f" * 40, arms=(changed,)))
        put(history, run(3, sha="f" * 40, arms=(changed,), dirty=True))
        first, second, third = history.trends()[0].points
        words = (
            "commit fffffff",
            "prompt ask@v1 → ask@v2",
            "model tiny: tiny-2026-01-01 → tiny-2026-06-01",
            "golden set ask@v1 edited",
        )
        assert (first.changed, second.changed, third.changed) == ((), words, ())
        assert (second.dirty, third.dirty) == (False, True)

    def test_the_first_point_that_is_shown_is_held_against_the_one_that_is_not(
        self, history: History
    ) -> None:
        put(history, run(1))
        put(history, run(2, arms=(arm(prompt="ask@v2"),)))
        (point,) = history.trends(limit=1)[0].points
        assert point.changed == ("prompt ask@v1 → ask@v2",)

    def test_names_are_data(self, history: History) -> None:
        odd = "x'; DROP TABLE runs; --\n\"ü"
        entry = run(1, branch=odd, tags=(odd,), arms=(arm(suite=odd, slices={odd: 1.0}),))
        put(history, entry, {odd: {odd: True}})
        assert history.runs(branch=odd, tag=odd, suite=odd) == (entry,)
        assert history.tallies(odd, "c1") == (CaseTally(case=odd, passes=1, runs=1),)
        assert history.trends(suite=odd, slices=True)[1].slice == odd

    def test_closing_twice_is_harmless(self, history: History) -> None:
        history.close()
        history.close()
