"""The engine of `opa_server`, run as a script: in the tests' own process it would corrupt the
memory of other C++ libraries there, and crash whatever test uses one of them next.

Each line of its input is `{"modules": …, "input": …, "query": …}` and is answered by one line:
`{"result": …}`, `{}` for what is undefined, `{"error": words}`.
"""

import json
import sys
from typing import Any


def evaluate(asked: dict[str, Any]) -> dict[str, Any]:
    """One query over fresh modules."""
    from regopy import Interpreter, LogLevel

    rego = Interpreter()
    rego.log_level = LogLevel.NONE
    for name, text in asked["modules"].items():
        rego.add_module(name, text)
    rego.set_input_term(json.dumps(asked["input"]))
    output = rego.query(asked["query"])
    if not output.ok():
        return {"error": str(output)}
    return {} if str(output) == "undefined" else {"result": output.results[0].expressions[0]}


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(evaluate(json.loads(line))), file=answers, flush=True)
