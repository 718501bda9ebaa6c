"""schemathesis against the gateway: it does what its description says."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from evalkit.gateway.openapi.document import openapi_document
from tests.peers.gateway import Gateway, gateway, upstream

# keys have tests of their own: it does not know that one of the two headers is enough
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    negative_data_rejection,
]
described = schemathesis.openapi.from_dict(openapi_document())


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with upstream() as up, gateway(tmp_path_factory.mktemp("gateway"), up.url) as served:
        yield served


@described.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_path_does_what_it_says(case: Any, door: Gateway) -> None:
    for name in ("model", "route"):  # what it draws is the name of no route
        if isinstance(case.body, dict) and isinstance(case.body.get(name), str):
            case.body[name] = "plain"
    case.headers.pop("x-evalkit-route", None)
    headers = {"authorization": f"Bearer {door.key}"}
    told = case.call_and_validate(
        base_url=door.url.removesuffix("/v1"), headers=headers, checks=CHECKS
    )
    # 502: the model does not answer in the form that was drawn
    assert told.status_code != 500
