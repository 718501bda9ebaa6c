"""Whatever a client sends, the gateway does not break: the real core, behind it nobody."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.gateway.app import build_app
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.workflows.gateway.service import ProjectService
from evalkit.workflows.project import Project
from tests.unit.gateway.application import operating
from tests.unit.gateway.test_refusals import DOORS

CONFIG = """\
version: 1
run: {retries: 0}
breaker: null
providers: {up: {kind: openai, base_url: "http://127.0.0.1:9/v1"}}
models: {one: {provider: up, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}
routes:
  - name: plain
    models: {primary: one}
    policies: {pii_redaction: true, blocked_phrases: [falcon]}
"""
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["\ud800", "user", "assistant", "tool", "text", "function", "json_schema", "plain"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "name", "function", "arguments", "id", "text"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
WORDS = """
model messages tools tool_choice response_format max_tokens temperature top_p stop seed stream
stream_options user input instructions text reasoning metadata system top_k output_config
stop_sequences logit_bias parallel_tool_calls route call documents
"""
FIELDS = st.sampled_from(WORDS.split())


Post = Callable[[str, Any], httpx.Response]


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """Sends a body to the application; all in one event loop."""
    root = tmp_path_factory.mktemp("gateway")
    (root / "evalkit.yaml").write_text(CONFIG, encoding="utf-8")
    key, _ = GatewayKeys(root, now=lambda: datetime.now(UTC)).add(user="u1", team="t1")
    project = Project.load(root)

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        yield

    app = build_app(ProjectService(project), operating(), around=around)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://gateway",
        headers={"x-api-key": key, "content-type": "application/json"},
    )

    async def end() -> None:
        await client.aclose()
        await project.__aexit__(None, None, None)

    with asyncio.Runner() as runner:
        runner.run(project.__aenter__())
        yield lambda path, body: runner.run(client.post(path, content=json.dumps(body)))
        runner.run(end())


ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@pytest.mark.parametrize("path", [*DOORS, "/v1/evalkit/retrieve/check"])
@ANY
@given(changes=st.dictionaries(FIELDS, VALUES, max_size=3))
def test_a_request_with_anything_in_its_fields_is_answered(
    post: Post, path: str, changes: dict[str, Any]
) -> None:
    told = post(path, DOORS.get(path, {"route": "plain", "index": "x"}) | changes)
    # 502: a request that is in order, and nobody answers behind
    assert told.status_code in (200, 400, 403, 404, 502), told.text
    assert told.status_code == 200 or told.json()["error"]["code"]


@pytest.mark.parametrize("path", [*DOORS, "/v1/evalkit/approvals/x/grant"])
@ANY
@given(body=VALUES)
def test_any_json_is_answered(post: Post, path: str, body: Any) -> None:
    told = post(path, body)
    assert 400 <= told.status_code < 500, told.text
