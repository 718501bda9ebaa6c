"""A whole project: loaded once, refused with everything that is wrong anywhere in it."""

import json
import shutil
from typing import Any

import pytest

from evalkit.errors import ConfigError, Problem, UsageError

RUBRIC = """\
name: tone
version: 1
scale: {kind: binary, pass: It is kind., fail: It is not.}
criteria: [Kindness.]
judge: {route: judge, prompt: "{% for c in criteria %}{{ c }}{% endfor %} {{ output.reply }}"}
"""


def _warnings(sample: Any, **options: Any) -> list[Problem]:
    return [each for each in sample.load(**options).warnings if "not frozen" not in each.message]


def test_a_project_in_order_has_its_suites_and_digests(sample: Any) -> None:
    assets = sample.load()
    suite = assets.suites["desk"]
    assert assets.label == "working tree"
    assert (suite.name, suite.route.name, suite.golden.reference) == ("desk", "desk", "desk@v1")
    assert suite.suite is assets.config.suites["desk"]
    assert set(assets.digests) == {
        "goldensets/desk/v1/cases.jsonl",
        "prompts/desk/v1.yaml",
        "schemas/answer.json",
        "tools/call_finder.json",
    }
    assert [warning.message for warning in assets.warnings] == [
        "the golden set is not frozen, so its cases may change without anybody noticing"
    ]


def test_everything_wrong_anywhere_is_reported_at_once(sample: Any) -> None:
    sample.change("evalkit.yaml", "fallback: small", "falback: small")
    sample.change("prompts/desk/v1.yaml", "{{ input.letter }}", "{{ input.letter }")
    sample.write("prompts/other/v1.yaml", "name: other\n")
    sample.write("tools/broken.json", "{")
    sample.write("schemas/broken.json", '{"type": "strin"}')
    sample.write("rubrics/tone/v1.yaml", RUBRIC.replace("criteria: ", "criterion: "))
    sample.write("goldensets/lone/v1/set.yaml", "")
    sample.write("goldensets/lone/v1/cases.jsonl", '{"id": NaN}\n')
    sample.write_cases([{"id": "a", "input": {"letter": "x"}, "expected": {}}])
    assert {each.file for each in sample.problems()} == {
        "evalkit.yaml",
        "prompts/desk/v1.yaml",
        "prompts/other/v1.yaml",
        "tools/broken.json",
        "schemas/broken.json",
        "rubrics/tone/v1.yaml",
        "goldensets/lone/v1/set.yaml",
        "goldensets/lone/v1/cases.jsonl",
        "goldensets/desk/v1/cases.jsonl",
    }


def test_a_configuration_that_cannot_be_read_does_not_hide_the_rest(sample: Any) -> None:
    sample.write("evalkit.yaml", "suites: [")
    sample.write("tools/broken.json", "{")
    assert [each.file for each in sample.problems()] == ["evalkit.yaml", "tools/broken.json"]
    assert [each.file for each in sample.problems(suites=["desk"])] == ["evalkit.yaml"]


def test_a_broken_suite_does_not_hide_the_assets_of_another(sample: Any) -> None:
    text = (sample.root / "evalkit.yaml").read_text()
    sample.write("evalkit.yaml", text + "  second: {golden: desk@v1}\n")
    sample.change("evalkit.yaml", "prompt: desk@v1", "prompt: desk@v9")
    assert [each.key for each in sample.problems()] == [
        "suites.second.route",
        "suites.second.target",
        "suites.second.scorers",
        "suites.desk.target.prompt",
    ]


def test_only_the_assets_of_the_named_suites_are_loaded(sample: Any) -> None:
    sample.write("prompts/other/v1.yaml", "name: other\n")
    sample.write("tools/broken.json", "{")
    assert set(sample.load(suites=["desk"]).suites) == {"desk"}
    assert sample.load(suites=["desk"]).warnings == ()


def test_an_unknown_suite_is_a_usage_error_that_lists_the_others(sample: Any) -> None:
    with pytest.raises(UsageError, match="has desk; did you mean 'desk'"):
        sample.load(suites=["dsk"])


def test_a_folder_without_a_configuration_is_refused(sample: Any) -> None:
    (sample.root / "evalkit.yaml").unlink()
    assert sample.problem().message == "there is no evalkit.yaml (working tree)"


def test_changes_reach_the_assets_they_name(sample: Any) -> None:
    text = (sample.root / "prompts/desk/v1.yaml").read_text()
    sample.write("prompts/desk/v2.yaml", text.replace("version: 1", "version: 2"))
    changes = {"suites.desk.target.prompt": "desk@v2", "routes.desk.models.primary": "small"}
    changed = sample.load(changes={**changes, "routes.desk.models.fallback": "big"})
    assert changed.suites["desk"].prompt.version == 2
    assert changed.suites["desk"].route.models.order == ("small", "big")
    before = sample.load().suites["desk"]
    assert changed.suites["desk"].digests != before.digests
    assert changed.suites["desk"].scorers_digest == before.scorers_digest


def test_a_change_to_a_prompt_that_does_not_exist_is_refused(sample: Any) -> None:
    problem = sample.problem(changes={"suites.desk.target.prompt": "desk@v2"}, suites=["desk"])
    assert problem.line is None
    assert problem.expected == "one of desk@v1"


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("golden: desk@v1", "golden: desk@v2", "suites.desk.golden", "has no version v2"),
        ("golden: desk@v1", "golden: dask@latest", "suites.desk.golden", "no golden set 'dask'"),
        ("prompt: desk@v1", "prompt: deks@v1", "suites.desk.target.prompt", "no prompt 'deks'"),
        ("{exact: {fields: [queue]}}", "{json_schema: schemas/answr.json}",
         "suites.desk.scorers[0].json_schema", "there is no file schemas/answr.json"),
        ("{exact: {fields: [queue]}}", "{regex: {pattern: '(?=x)'}}",
         "suites.desk.scorers[0].regex.pattern", "RE2"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_said_where_it_stands(
    sample: Any, old: str, new: str, key: str, words: str
) -> None:
    sample.change("evalkit.yaml", old, new)
    problem = sample.problem()
    assert (problem.file, problem.key) == ("evalkit.yaml", key)
    assert problem.line is not None
    assert words in problem.message


def test_a_file_that_several_name_is_complained_about_once(sample: Any) -> None:
    sample.change(
        "evalkit.yaml", "{exact: {fields: [queue]}}", "{json_schema: schemas/answer.json}"
    )
    sample.write("schemas/answer.json", '{"requird": ["queue"]}')
    assert sample.problem().file == "schemas/answer.json"


def test_the_schemas_of_scorers_are_handed_over(sample: Any) -> None:
    before = sample.load().suites["desk"]
    assert before.schemas == {}
    sample.change(
        "evalkit.yaml", "{exact: {fields: [queue]}}", "{json_schema: schemas/answer.json}"
    )
    after = sample.load().suites["desk"]
    assert after.schemas["schemas/answer.json"]["required"] == ["queue"]
    sample.change("schemas/answer.json", '"queue"]', '"queue", "why"]')
    digests = {before.scorers_digest, after.scorers_digest}
    assert sample.load().suites["desk"].scorers_digest not in digests


def test_a_symlink_out_of_the_project_is_refused_and_hides_nothing(
    sample: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "tool.json"
    outside.write_text("{}")
    (sample.root / "tools" / "call_finder.json").unlink()
    (sample.root / "tools" / "call_finder.json").symlink_to(outside)
    sample.write("schemas/broken.json", "")
    problems = sample.problems()
    assert {each.file for each in problems} >= {"tools/call_finder.json", "schemas/broken.json"}


def test_a_folder_that_leads_round_in_a_circle_is_refused_and_hides_nothing(sample: Any) -> None:
    (sample.root / "rubrics").symlink_to("rubrics")
    (sample.root / "prompts" / "loop").symlink_to("loop")
    sample.write("schemas/broken.json", "")
    problems = sample.problems()
    assert [each.file for each in problems if "circle" in each.message] == [
        "prompts/loop",
        "rubrics",
    ]
    assert "schemas/broken.json" in {each.file for each in problems}


class TestInventory:
    def test_a_prompt_that_no_suite_uses_is_a_warning(self, sample: Any) -> None:
        text = (sample.root / "prompts/desk/v1.yaml").read_text()
        sample.write("prompts/desk/v2.yaml", text.replace("version: 1", "version: 2"))
        (warning,) = _warnings(sample)
        assert warning.file == "prompts/desk/v2.yaml"
        assert warning.suggestion is not None and warning.suggestion.endswith("=desk@v2")

    def test_a_prompt_of_a_baseline_is_used(self, sample: Any) -> None:
        text = (sample.root / "prompts/desk/v1.yaml").read_text()
        sample.write("prompts/desk/v2.yaml", text.replace("version: 1", "version: 2"))
        sample.change("evalkit.yaml", "prompt: desk@v1", "prompt: desk@v2")
        baseline = "{set: {suites.desk.target.prompt: desk@v1}}"
        sample.change("evalkit.yaml", "golden:", f"baseline: {baseline}\n    golden:")
        assert _warnings(sample) == []

    def test_a_baseline_with_a_prompt_that_does_not_exist_is_refused(self, sample: Any) -> None:
        baseline = "{set: {suites.desk.target.prompt: desk@v7}}"
        sample.change("evalkit.yaml", "golden:", f"baseline: {baseline}\n    golden:")
        problem = sample.problem()
        assert (problem.line, problem.value) == (11, '"desk@v7"')

    def test_a_disallowed_action_that_no_tool_is_called_is_a_warning(self, sample: Any) -> None:
        policies = "small}\n  policies: {disallow_actions: [call_finder, call_findr]}"
        sample.change("evalkit.yaml", "small}", policies)
        (warning,) = _warnings(sample)
        assert warning.key == "routes.desk.policies.disallow_actions[1]"
        assert warning.suggestion == "did you mean 'call_finder'?"

    def test_files_that_look_like_assets_and_are_not_read_are_warnings(self, sample: Any) -> None:
        sample.write("prompts/desk/v2.yml", "")
        sample.write("schemas/notes.txt", "")
        sample.write("schemas/README.md", "")
        sample.write("goldensets/desk/v1.zip", "")
        assert [each.file for each in _warnings(sample)] == [
            "schemas/notes.txt",
            "prompts/desk/v2.yml",
            "goldensets/desk/v1.zip",
        ]

    def test_a_script_that_a_suite_would_be_answered_from_has_to_be_there(
        self, sample: Any
    ) -> None:
        sample.change("evalkit.yaml", "HOSTED_KEY}", "HOSTED_KEY, without_key: written}")
        written = '\n  written: {kind: scripted, path: "scripted/{suite}.jsonl"}\nmodels:'
        sample.change("evalkit.yaml", "\nmodels:", written)
        problem = sample.problem()
        assert problem.key == "providers.written.path"
        assert "scripted/desk.jsonl" in problem.message
        sample.write("scripted/desk.jsonl", "")
        assert _warnings(sample) == []

    def test_a_rubric_is_checked_with_its_template(self, sample: Any) -> None:
        sample.write("rubrics/tone/v1.yaml", RUBRIC)
        sample.write("rubrics/tone/v1.labels.jsonl", "")
        assert _warnings(sample) == []
        assert "rubrics/tone/v1.yaml" in sample.load().digests
        sample.change("rubrics/tone/v1.yaml", "output.reply", "outptu.reply")
        problem = sample.problem()
        assert (problem.line, problem.key) == (5, "judge.prompt")
        assert problem.suggestion == "did you mean 'output'?"

    def test_a_golden_set_without_a_suite_is_checked_too(self, sample: Any) -> None:
        shutil.copytree(sample.root / "goldensets/desk", sample.root / "goldensets/lone")
        assert [each.file for each in sample.problems()] == ["goldensets/lone/v1/set.yaml"]
        sample.change("goldensets/lone/v1/set.yaml", "name: desk", "name: lone")
        assert "goldensets/lone/v1/cases.jsonl" in sample.load().digests


class TestTools:
    @pytest.mark.parametrize(
        ("change", "key", "words"),
        [
            ({"name": "call finder"}, "name", "wrong value"),
            ({"effect": "delete"}, "effect", "wrong value"),
            ({"efect": "read"}, "efect", "unknown key"),
            ({"parameters": {"type": "array"}}, "parameters.type", "always an object"),
            ({"parameters": {"type": "objekt"}}, "parameters.type", "no valid JSON Schema"),
            ({"parameters": {"properties": {"a": {"pattern": "(?=x)"}}}},
             "parameters.properties.a.pattern", "RE2"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_in_a_tool_is_said_at_its_place(
        self, sample: Any, change: dict[str, Any], key: str, words: str
    ) -> None:
        tool = {"name": "call_finder", "parameters": {"type": "object"}}
        sample.write("tools/call_finder.json", json.dumps(tool | change, indent=1))
        problem = next(each for each in sample.problems() if each.file == "tools/call_finder.json")
        assert problem.key == key
        assert words in problem.message
        assert problem.line is not None

    def test_a_tool_that_names_no_effect_executes(self, sample: Any) -> None:
        sample.write("tools/call_finder.json", '{"$schema": "x", "name": "call_finder"}')
        (tool,) = sample.load().suites["desk"].prompt.tools
        assert (tool.effect, tool.parameters) == ("execute", {})


def test_without_cases_kept_a_suite_is_checked_and_counted(sample: Any) -> None:
    golden = sample.load(keep_cases=False).suites["desk"].golden
    assert (golden.cases, golden.count, golden.groups) == ((), 3, 3)
    sample.write_cases([{"id": "a", "input": {"letter": "x"}}])
    with pytest.raises(ConfigError, match="nothing decides"):
        sample.load(keep_cases=False)
