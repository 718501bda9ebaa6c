"""A LangGraph agent as a command: JSON on stdin, JSON on stdout, and not a word of evalkit.

Needs `langgraph` and `langchain-openai`. It takes the address and the key of its models from the
environment, as those packages do: `command: {argv: [python, langgraph_agent.py], gateway: true}`.
"""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

ORDERS = {"A-1": "sent on Monday", "A-2": "waiting for the bank"}


@tool
def lookup_order(order_id: str) -> str:
    """Say how an order stands."""
    return ORDERS.get(order_id, "there is no such order")


model = ChatOpenAI(model="gpt-4.1-mini", temperature=0, max_retries=0).bind_tools([lookup_order])


def think(state: MessagesState) -> dict:
    return {"messages": [model.invoke(state["messages"])]}


def goes_on(state: MessagesState) -> str:
    return "tools" if state["messages"][-1].tool_calls else END


graph = StateGraph(MessagesState)
graph.add_node("think", think)
graph.add_node("tools", ToolNode([lookup_order]))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", goes_on, ["tools", END])
graph.add_edge("tools", "think")
agent = graph.compile()

given = json.load(sys.stdin)
told = agent.invoke({"messages": [("user", given["question"])]})
print(json.dumps({"output": told["messages"][-1].content}))
