"""The names that spans use, in one place, because the conventions for generative models still move.

`gen_ai.*` is from OpenTelemetry's conventions for generative models, which all have the status
Development; `CONVENTIONS` names the state that this file was written against. What they have no
name for is in a namespace of our own, `evalkit.*`.
"""

from typing import Final

CONVENTIONS: Final = "open-telemetry/semantic-conventions-genai, Development, read 2026-11"

# Required of every span of a model's, tool's or index's operation.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

CONVERSATION: Final = "gen_ai.conversation.id"
WORKFLOW: Final = "gen_ai.workflow.name"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "gen_ai.prompt.version"
OUTPUT_TYPE: Final = "gen_ai.output.type"

REQUEST_MODEL: Final = "gen_ai.request.model"
# By the name of the parameter in a prompt.
REQUEST_PARAMS: Final = {
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "stop": "gen_ai.request.stop_sequences",
}
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"

# input_tokens holds the cached ones and those written to a cache, output_tokens the reasoning.
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
DATA_SOURCE: Final = "gen_ai.data_source.id"
RETRIEVED: Final = "gen_ai.retrieval.documents"

# Content: only with `telemetry.content: redacted`.
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
OUTPUT_SCHEMA: Final = "evalkit.output.schema"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
# The conventions give documents an id and a score; what was read stands here, in their order.
RETRIEVED_TEXTS: Final = "evalkit.retrieval.texts"
CONTENT: Final = frozenset(
    (
        INPUT_MESSAGES,
        OUTPUT_MESSAGES,
        TOOL_DEFINITIONS,
        OUTPUT_SCHEMA,
        TOOL_ARGUMENTS,
        TOOL_RESULT,
        RETRIEVAL_QUERY,
        RETRIEVED_TEXTS,
    )
)

# OpenTelemetry's registry has a name for the pseudonym of whom something is done for.
PSEUDONYM: Final = "enduser.pseudo.id"

# Ours.
ROUTE: Final = "evalkit.route"
USE: Final = "evalkit.use"
SUITE: Final = "evalkit.suite"
VARIANT: Final = "evalkit.variant"
CASE: Final = "evalkit.case"
TRIAL: Final = "evalkit.trial"
RUN: Final = "evalkit.run"
MODEL: Final = "evalkit.model"
ORIGIN: Final = "evalkit.origin"
TRY: Final = "evalkit.try"
COST_USD: Final = "evalkit.cost_usd"
BILLED_USD: Final = "evalkit.billed_usd"
CALLS: Final = "evalkit.calls"
DENIED: Final = "evalkit.denied"
REQUEST_ID: Final = "evalkit.provider.request_id"
USAGE_ESTIMATED: Final = "evalkit.usage.estimated"
REFUSED_DOCUMENTS: Final = "evalkit.retrieval.refused"
TOOL_EFFECT: Final = "evalkit.tool.effect"
GUARDRAILS: Final = "evalkit.guardrails"

# Every decision is an event of the span in which it was made.
DECISION_EVENT: Final = "evalkit.decision"
DECISION_ACT: Final = "evalkit.decision.act"
DECISION_OUTCOME: Final = "evalkit.decision.outcome"
DECISION_RULE: Final = "evalkit.decision.rule"
DECISION_MESSAGE: Final = "evalkit.decision.message"
DECISION_DATA: Final = "evalkit.decision.data"

# What the conventions call the vendors, by the kind of the configured provider.
PROVIDER_NAMES: Final = {
    "openai": "openai",
    "openai_responses": "openai",
    "azure_openai": "azure.ai.openai",
    "anthropic": "anthropic",
    "gemini": "gcp.gemini",
    "bedrock": "aws.bedrock",
    "local": "evalkit.local",
    "scripted": "evalkit.scripted",
}
VERTEX: Final = "gcp.vertex_ai"
