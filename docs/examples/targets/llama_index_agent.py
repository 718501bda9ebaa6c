"""A LlamaIndex agent as a command: JSON on stdin, JSON on stdout, and not a word of evalkit.

Needs `llama-index-core` and `llama-index-llms-openai`. It takes the address and the key of its
models from the environment: `command: {argv: [python, llama_index_agent.py], gateway: true}`.
"""

import asyncio
import json
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI

ORDERS = {"A-1": "sent on Monday", "A-2": "waiting for the bank"}


def lookup_order(order_id: str) -> str:
    """Say how an order stands."""
    return ORDERS.get(order_id, "there is no such order")


agent = FunctionAgent(
    tools=[lookup_order],
    llm=OpenAI(model="gpt-4.1-mini", temperature=0, max_retries=0),
    system_prompt="Answer questions about orders. Look every order up.",
)


async def answer(question: str) -> str:
    return str(await agent.run(question))


given = json.load(sys.stdin)
print(json.dumps({"output": asyncio.run(answer(given["question"]))}))
