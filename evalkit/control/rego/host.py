"""The process that evaluates Rego. It is run as a script and imports nothing of evalkit.

A process of its own, because the engine's library brings an allocator of its own along, which
corrupts the memory of other C++ libraries in the same process; and because a policy that crashes,
or never ends, is then the end of this process and of nothing else. It has no environment to leak.

The first line of its input is `{"modules": {path: text}, "package": name}`, every further one an
input document; each is answered by one line, `{"ok": …}` or `{"error": words}`.
"""

import json
import re
import sys

# the engine tells a fault as a node of its syntax tree: (error 6:path|offset|length (errormsg 12:…
_FAULT = re.compile(r"\(error\s+\d+:([^|]*)\|(\d+)\|\d+\s+\(errormsg\s+(\d+):")
_MOST_FAULTS = 3


def main() -> None:
    """Serve until the input ends."""
    from regopy import Interpreter, LogLevel

    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    interpreter.strict_built_in_errors = True
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever prints may not get between the answers

    def answer(**words: object) -> None:
        answers.write(json.dumps(words) + "\n")
        answers.flush()

    asked = json.loads(sys.stdin.readline())
    try:
        for path, text in asked["modules"].items():
            interpreter.add_module(path, text)
        bundle = interpreter.build(f"data.{asked['package']}")
        if not bundle.ok():
            raise ValueError("it does not compile")
    except Exception as error:
        answer(error=_faults(str(error), asked["modules"]) or _words(error))
        return
    answer(ok=None)
    for line in sys.stdin:
        try:
            # As text: handed over as values, integers beyond 64 bits wrap round and a text is cut
            # at its first NUL, so that an amount or a name could be made to look harmless.
            interpreter.set_input_term(line)
            output = interpreter.query_bundle(bundle)
            if not output.ok():
                raise ValueError("an error while it was evaluated")
            answer(ok=output.results[0].expressions[0])
        except Exception as error:
            answer(error=_words(error))


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _faults(said: str, modules: dict[str, str]) -> str:
    """What is wrong with the modules, by line; nothing where the engine said something else."""
    told = []
    for found in _FAULT.finditer(said):
        path, offset, length = found[1], int(found[2]), int(found[3])
        line = modules.get(path, "").encode()[:offset].count(b"\n") + 1
        told.append(f"{path}:{line}: {said[found.end() : found.end() + length]}")
    return "; ".join(list(dict.fromkeys(told))[:_MOST_FAULTS])


if __name__ == "__main__":
    main()
