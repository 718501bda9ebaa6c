"""Tiers, places, pressures and work in evalkit.yaml: what they stand for, and what is refused."""

import pytest

from evalkit.config.load import LoadedConfig, load_config
from evalkit.config.routes import Route
from evalkit.errors import ConfigError, Problem, UsageError

PARTS = """\
providers:
  us: {kind: openai, region: us}
  eu: {kind: anthropic, region: eu, limits: {requests_per_minute: 60}}
  box: {kind: openai, base_url: "http://127.0.0.1:8080/v1", region: eu}
  nowhere: {kind: openai, base_url: "http://127.0.0.1:8081/v1"}
  keyed: {kind: openai, region: eu, api_key_env: NO_KEY, without_key: us}
  inside: {kind: local}
models:
  nano: {provider: us, tier: small}
  haiku: {provider: eu, tier: small}
  opus: {provider: eu, tier: top, price: {input_usd_per_mtok: 5, output_usd_per_mtok: 25}}
  moved: {provider: us, tier: top, region: eu}
  lost: {provider: nowhere, tier: mid}
  stood: {provider: keyed}
  own: {provider: box, tier: local}
  embedded: {provider: inside, tier: local}
routes:
"""
FIRST_ROUTE = PARTS.count("\n") + 1


def load(*routes: str) -> LoadedConfig:
    return load_config((PARTS + "".join(f"- {route}\n" for route in routes)).encode())


def route(text: str) -> Route:
    return load(f"{{name: r, models: {text}}}").config.routes[0]


def problems(*routes: str) -> list[Problem]:
    with pytest.raises(ConfigError) as raised:
        load(*routes)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("models", "order"),
    [
        ("{primary: opus, fallback: nano}", ("opus", "nano")),
        ("{tier: small}", ("nano", "haiku")),
        ("{tier: small, fallback: {tier: top}}", ("nano", "haiku", "opus", "moved")),
        (
            "{tier: top, fallback: [lost, {tier: small}]}",
            ("opus", "moved", "lost", "nano", "haiku"),
        ),
        ("{primary: haiku, fallback: {tier: small}}", ("haiku", "nano")),
    ],
)
def test_a_tier_stands_for_its_models_in_the_order_of_the_file(
    models: str, order: tuple[str, ...]
) -> None:
    assert route(models).models.order == order
    assert route(models).models.first == order[0]


def test_of_a_tier_only_models_that_the_route_may_ask_are_asked() -> None:
    config = load("{name: r, models: {tier: small, fallback: {tier: top}}, regions: [eu]}").config
    assert config.routes[0].models.order == ("haiku", "opus", "moved")
    assert config.left_out(config.routes[0]) == {
        "nano": "through us it is in region us, and the route is for eu"
    }


def test_the_route_degrades_to_a_tier_as_well_and_every_model_is_known_once() -> None:
    config = load(
        "{name: r, models: {primary: opus, fallback: haiku}, degrade: {to: {tier: small}}}"
    ).config
    assert config.routes[0].every_model == ("opus", "haiku", "nano")
    assert not config.routes[0].names_models


@pytest.mark.parametrize("risk", ["risk: pii", "risk: [high, pii]", "local_only: true"])
def test_personal_data_stays_on_local_models(risk: str) -> None:
    config = load(f"{{name: r, models: {{tier: local}}, {risk}}}").config
    assert config.routes[0].models.order == ("own", "embedded")
    (problem,) = problems(f"{{name: r, models: {{primary: own, fallback: haiku}}, {risk}}}")
    assert problem.key == "routes.r.models.fallback"
    assert "tier local" in problem.message


def test_what_is_said_outright_goes_before_the_risk_class() -> None:
    text = "{name: r, models: {primary: haiku}, risk: pii, local_only: false, regions: [eu]}"
    assert load(text).config.routes[0].models.order == ("haiku",)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("nano", "in region us"),
        ("lost", "nothing says in which region"),
        ("stood", "through us it is in region us"),
        ("unknown", "nothing is known of the model"),
    ],
)
def test_a_model_elsewhere_is_refused_wherever_the_route_names_it(model: str, why: str) -> None:
    for written in (
        f"models: {{primary: {model}}}",
        f"models: {{primary: opus, fallback: [haiku, {model}]}}",
        f"models: {{primary: opus}}, degrade: {{to: {model}}}",
    ):
        (problem,) = problems(f"{{name: r, {written}, regions: [eu]}}")
        assert why in problem.message
        assert (problem.line, problem.value) == (FIRST_ROUTE, f'"{model}"')
        assert problem.column


@pytest.mark.parametrize("model", ["opus", "moved", "own", "embedded"])
def test_a_model_in_the_region_or_in_the_process_is_asked(model: str) -> None:
    text = f"{{name: r, models: {{primary: {model}}}, regions: [eu]}}"
    assert load(text).config.routes[0].models.order == (model,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: r, models: {primary: opus, tier: top}}", "and not both"),
        ("{name: r, models: {fallback: opus}}", "have a `primary`, or a `tier`"),
        ("{name: r, models: {tier: huge}}", "small, mid, top, local"),
        ("{name: r, models: {tier: small}, regions: [asia]}", "no model of this tier may be asked"),
        ("{name: r, models: {primary: opus}, degrade: {to: opus}}", "is no way out"),
        ("{name: r, models: {primary: opus}, degrade: {to: nano, on: [heat]}}", "load, budget"),
        ("{name: r, models: {primary: opus}, degrade: {to: nano, on: []}}", "at least 1 entry"),
        ("{name: r, models: {primary: opus}, regions: []}", "at least 1 entry"),
        ("{name: r, models: {primary: opus, fallback: opus}}", "already"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(text: str, words: str) -> None:
    (problem,) = problems(text)
    assert words in str(problem)
    assert problem.place.startswith(f"evalkit.yaml:{FIRST_ROUTE}:")


def test_a_local_model_is_not_reached_at_a_vendors_address() -> None:
    text = PARTS.replace("nano: {provider: us, tier: small}", "nano: {provider: us, tier: local}")
    with pytest.raises(ConfigError, match="the vendor's own address"):
        load_config(f"{text}- {{name: r, models: {{primary: opus}}}}\n".encode())


def test_a_dearer_way_out_and_a_misspelt_risk_are_warnings() -> None:
    text = PARTS.replace(
        "haiku: {provider: eu, tier: small}",
        "haiku: {provider: eu, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 5}}",
    )
    route = "{name: r, models: {primary: haiku}, degrade: {to: opus}, risk: hihg}"
    found = {each.key: str(each) for each in load_config(f"{text}- {route}\n".encode()).warnings}
    assert "costs more than haiku" in found["routes.r.degrade.to"]
    assert "did you mean 'high'" in found["routes.r.risk"]


def test_two_routes_for_one_kind_of_work_are_refused() -> None:
    first = "{name: a, models: {primary: opus}, task: [triage, review], risk: [low, high]}"
    (problem,) = problems(first, "{name: b, models: {primary: opus}, task: review, risk: high}")
    assert problem.message == "route a is for task review and risk high already"
    load(first, "{name: b, models: {primary: opus}, task: review, risk: medium}")


WORK = (
    "{name: any, models: {primary: opus}, task: triage}",
    "{name: low, models: {primary: nano}, task: triage, risk: low}",
    "{name: private, models: {tier: local}, risk: pii}",
    "{name: review, models: {primary: opus}, task: review, risk: [low, high]}",
)


@pytest.mark.parametrize(
    ("task", "risk", "name"),
    [
        ("triage", None, "any"),
        ("triage", "low", "low"),
        ("triage", "pii", "private"),
        (None, "pii", "private"),
        ("review", None, "review"),
        ("review", "high", "review"),
        ("anything", "pii", "private"),
    ],
)
def test_a_route_is_found_by_its_work(task: str | None, risk: str | None, name: str) -> None:
    assert load(*WORK).config.route_for(task=task, risk=risk).name == name


@pytest.mark.parametrize(
    ("task", "risk", "words"),
    [
        ("triage", "high", "no route is for task 'triage' and risk 'high'"),
        ("triaje", None, "did you mean 'triage'"),
        (None, "low", "several routes are for risk 'low': low, review; name a task"),
        (None, None, "by its name, by a task"),
    ],
)
def test_work_that_no_route_names_is_done_by_none(
    task: str | None, risk: str | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        load(*WORK).config.route_for(task=task, risk=risk)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("breaker: {failure_rate: 2}", "at most 1"),
        ("breaker: {min_calls: 0}", "at least 1"),
        ("breaker: {cooldown_s: 5}", "cool_down_s"),
        ("providers: {p: {kind: openai, limits: {requests_per_minute: 0}}}", "at least 1"),
        ("providers: {p: {kind: openai, limits: {rpm: 5}}}", "requests_per_minute"),
    ],
)
def test_breaker_and_limits_are_checked(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(f"{text}\n".encode())


def test_the_breaker_has_defaults_and_null_switches_it_off() -> None:
    assert load_config(b"version: 1\n").config.breaker is not None
    assert load_config(b"breaker: null\n").config.breaker is None
