"""An agent in a process of its own, in any language: `command: [python3, command_agent.py]`.

It reads the case's input as JSON from stdin and writes its answer as JSON to stdout; what it writes
to stderr is shown where it fails.
"""

import json
import sys

ORDERS = {"A-1": "in transit, expected on Thursday"}

given = json.load(sys.stdin)
number = next((word.strip(".,?!") for word in given["question"].split() if "A-" in word), None)
print(f"looking for {number}", file=sys.stderr)
json.dump(
    {
        "output": ORDERS.get(number or "", "I do not find that order."),
        "tool_calls": [{"name": "get_order", "arguments": {"id": number}}] if number else [],
        "cost_usd": 0,
    },
    sys.stdout,
)
