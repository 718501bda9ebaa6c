"""The same agent with evalkit's session: `python: session_loop:answer`.

Every call goes through the route, its budget and its policies, is recorded and cached, and stands
in the trace. In production the session comes from `evalkit.Project.session`.
"""

from typing import Any

from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Tool
from evalkit.records.call import Message

ORDERS = {"A-1": {"state": "in transit", "expected": "Thursday"}}
TOOLS = (
    Tool(
        name="get_order",
        description="Read the state of an order.",
        effect="read",
        parameters={
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "required": ["id"],
        },
    ),
)


async def answer(given: dict[str, Any], session: Any) -> str:
    """Ask until the model answers without a tool; the route caps how often."""
    messages = [Message(role="user", content=given["question"])]
    while True:
        reply = await session.complete(messages, tools=TOOLS, interim=True)
        if not reply.tool_calls:
            return str(reply.content)
        messages.append(
            Message(role="assistant", content=reply.content, tool_calls=reply.tool_calls)
        )
        for call in reply.tool_calls:
            try:
                session.authorize(call)
            except PolicyBlocked as denied:
                messages.append(session.tool_result(call, None, error=str(denied)))
                continue
            order = ORDERS.get((call.arguments or {}).get("id", ""))
            error = None if order else "no such order"
            messages.append(session.tool_result(call, order, error=error))
