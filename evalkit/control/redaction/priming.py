"""What the cases of a suite hold of personal data, looked for once for all their sessions."""

from evalkit.control.redaction.redactor import Redactor, redact_primed
from evalkit.records.case import Case
from evalkit.records.cases import Cases


class Priming:
    """Redactors of cases. A bit a case remembers which hold nothing, as most do."""

    def __init__(self, cases: Cases) -> None:
        """Nothing is known of any case before `redact_all`."""
        self._cases = cases
        self._clean = bytearray(len(cases))

    def redact_all(self) -> Cases:
        """The cases as they may be stored, each redacted with what it holds itself."""
        at = -1

        def redact(case: Case) -> Case:
            nonlocal at
            at += 1
            redactor = Redactor.primed_with(case)
            if not redactor.knows:
                self._clean[at] = 1
                return case
            return redact_primed(case, redactor)

        return self._cases.map(redact)

    def redactor(self, case: Case) -> Redactor:
        """A redactor that knows what one of the cases holds, for one session over it."""
        at = self._cases.position(case.id)
        if at is not None and self._clean[at]:
            return Redactor()
        return Redactor.primed_with(case)
