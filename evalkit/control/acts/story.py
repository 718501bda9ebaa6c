"""What a session did, step by step; redacted when somebody asks for it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.control.redaction import Redactor
from evalkit.records.attempt import Step
from evalkit.records.call import Message
from evalkit.records.stored import stored_text, stored_value


class Story:
    """Collects the steps of one session in the order in which they happened.

    Steps are kept as they were and redacted on the way out, once each: a service that never looks
    at them does not pay for it.
    """

    def __init__(self, redactor: Redactor) -> None:
        """No step yet."""
        self._redactor = redactor
        self._raw: list[Step] = []
        self._stored: list[Step] = []
        self.turns = 0
        self.workflow_step = ""

    def add(self, step: Step) -> None:
        """One more step, which belongs to the step of the workflow that the session is in."""
        if self.workflow_step:
            step = msgspec.structs.replace(step, step=self.workflow_step)
        self._raw.append(step)
        self.turns += step.kind == "model"

    def add_user_turns(self, messages: Sequence[Message]) -> None:
        """What the user said since the model last spoke, in a conversation that goes on."""
        if not self.turns:
            return
        for index in range(len(messages) - 1, -1, -1):
            if messages[index].role != "user":
                break
        else:
            index = -1
        for message in messages[index + 1 :]:
            self.add(Step(kind="user", name="user", output=message.content))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far, as they may be stored."""
        for step in self._raw[len(self._stored) :]:
            self._stored.append(self._redacted(step))
        return tuple(self._stored)

    def _redacted(self, step: Step) -> Step:
        redact = self._redactor.redact

        def text(value: str | None) -> str | None:
            return None if value is None else stored_text(value, redact)

        arguments: Any = step.arguments
        if arguments is not None:
            arguments = stored_value(arguments, redact)
        output = step.output
        if output is not None:
            # JSON stays JSON, whatever is replaced in it
            output = stored_text(output, self._redactor.redact_json)
        return msgspec.structs.replace(
            step,
            name=stored_text(step.name, redact),
            message=text(step.message),
            arguments=arguments,
            output=output,
            call=stored_text(step.call, redact),
            documents=tuple(stored_text(each, redact) for each in step.documents),
            refused=tuple(stored_text(each, redact) for each in step.refused),
        )
