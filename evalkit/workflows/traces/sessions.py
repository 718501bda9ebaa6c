"""What a session outside of runs leaves behind: its trace, its spans at a collector, its audit."""

import atexit
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.config.model import Config
from evalkit.config.routes import Route
from evalkit.control.factory import pseudonym
from evalkit.control.telemetry import attributes as names
from evalkit.errors import StoreError
from evalkit.ports import Clock
from evalkit.records.call import Decision
from evalkit.records.digest import digest_of
from evalkit.records.span import TRACE_ID_DIGITS, SessionTrace, Span, Use
from evalkit.records.stored import stored_decisions
from evalkit.store.traces import TraceStore, line_of
from evalkit.workflows.auditing import open_audit, whoever_runs
from evalkit.workflows.traces.exporting import open_exporter
from evalkit.workflows.traces.gathering import Gatherer

if TYPE_CHECKING:
    from evalkit.control.session import ControlSession

_APPROVED = "approvals.on_execute"
_log = logging.getLogger("evalkit")


class SessionBooks:
    """Keeps what the sessions of one loaded project leave behind. Shared by all of them.

    Nothing of it may end a session: what cannot be written is told once, and counted.
    """

    def __init__(
        self,
        root: Path,
        config: Config,
        *,
        clock: Clock,
        note: Callable[[str], None] = _log.warning,
    ) -> None:
        """Nothing is opened before the first session."""
        self._config = config
        self._clock = clock
        self._note = note
        self._traces = TraceStore(root)
        self._audit = open_audit(root, now=clock.now)
        self._told: set[str] = set()
        self._in_force: dict[str, Route] = {}
        self._unsealed = False
        self._ended = Gatherer(self._write)
        self._exporter = open_exporter(config.telemetry, note=note)
        self.lost = 0
        if self._exporter is not None:
            atexit.register(self.close)

    def new_id(self) -> str:
        """What the trace of a session that begins will be called; empty where none is kept."""
        kept = self._config.telemetry.traces or self._exporter is not None
        return secrets.token_hex(TRACE_ID_DIGITS // 2) if kept else ""

    def hear(self, route: Route, identity: Mapping[str, str]) -> Callable[[Decision], None]:
        """What is told of the decisions of one session: its denials go into the audit log at once.

        The policies in force are entered when a route's session is opened for the first time.
        """
        if self._in_force.get(route.name) is not route:
            self._in_force[route.name] = route
            about = {"route": route.name, "digest": digest_of(route.plain())}
            self._enter("policy.in_force", whoever_runs(), about)

        def heard(decision: Decision) -> None:
            kind = _audited_as(decision)
            if kind is None:
                return
            about = {
                "route": route.name,
                "act": decision.act,
                "rule": decision.rule,
                "message": decision.message,
            }
            if isinstance(approval := decision.data.get("approval"), str):
                about["approval"] = approval  # its own entries tell who granted it
            self._enter(kind, identity, about)

        return heard

    def _enter(self, kind: str, actor: Mapping[str, str], about: Mapping[str, str]) -> None:
        self._unsealed = True
        self._try(lambda: self._audit.note(kind, actor, about))

    async def keep(
        self,
        session: "ControlSession",
        identity: Mapping[str, str],
        *,
        use: Use,
        conversation: str,
        error: BaseException | None,
        alone: bool,
    ) -> None:
        """Write the trace of a session that has ended. Off the event loop: other sessions go on.

        One that is not `alone`, since others are open, is written with theirs if they end soon.
        """
        found: list[SessionTrace] = []
        self._try(
            lambda: found.append(
                self._trace_of(session, identity, use=use, conversation=conversation, error=error)
            )
        )
        if found:
            await self._ended.put(found[0], alone=alone)

    def _trace_of(
        self,
        session: "ControlSession",
        identity: Mapping[str, str],
        *,
        use: Use,
        conversation: str,
        error: BaseException | None,
    ) -> SessionTrace:
        content = self._config.telemetry.content == "redacted"
        spans = session.spans(content=content)
        root = spans[0]
        began = datetime.fromtimestamp(root.start_ns / 1e9, UTC)
        return SessionTrace(
            trace_id=session.trace_id,
            at=began.isoformat(timespec="milliseconds"),
            route=root.name,
            identity=session.identity,
            user=pseudonym_of("user", identity.get("user", "")),
            org=pseudonym_of("org", identity.get("org", "")),
            team=pseudonym_of("team", identity.get("team", "")),
            use=use,
            conversation=session.redacted(conversation),
            duration_s=root.duration_s,
            calls=session.tries,
            denied=root.attributes.get(names.DENIED, 0),
            input_tokens=_sum(spans, names.INPUT_TOKENS),
            output_tokens=_sum(spans, names.OUTPUT_TOKENS),
            cost_usd=root.attributes.get(names.COST_USD),
            billed_usd=session.billed_usd,
            error=None if error is None else type(error).__name__,
            content=content,
            spans=spans,
            decisions=stored_decisions(session.decisions, session.redacted, session.is_plain),
        )

    def _write(self, traces: Sequence[SessionTrace]) -> None:
        if self._exporter is not None:
            for each in traces:
                self._exporter.take(each.trace_id, each.spans, each.decisions)
        if self._config.telemetry.traces:
            lines: list[tuple[str, bytes]] = []
            for each in traces:
                self._try(partial(_add_line, each, lines))
            self._try(lambda: self._traces.append_lines(lines), count=len(lines))
        if self._unsealed:
            self._unsealed = False
            self._try(self._audit.seal)

    def _try(self, act: Callable[[], None], *, count: int = 1) -> None:
        """Do it; what goes wrong is told once and counted, as `count` that are lost."""
        try:
            act()
        except Exception as error:  # whatever it is, the session's own outcome stands
            self.lost += count
            words = str(error) if isinstance(error, StoreError) else repr(error)
            if words not in self._told:
                self._told.add(words)
                self._note(f"a session's trace or audit entry is lost: {words}")

    def close(self) -> None:
        """Send what is left to the collector; what it did not take is told. Harmless twice."""
        if self._exporter is not None:
            exporter, self._exporter = self._exporter, None
            atexit.unregister(self.close)
            if (warning := exporter.close().warning) is not None:
                self._note(warning)


def _add_line(trace: SessionTrace, lines: list[tuple[str, bytes]]) -> None:
    lines.append(line_of(trace))


def _audited_as(decision: Decision) -> str | None:
    """The kind of a decision's audit entry; None for one that is none of the audit's business."""
    if decision.outcome == "denied":
        return "budget.exhausted" if decision.act == "budget" else "policy.denied"
    if decision.act == "authorize" and decision.rule == _APPROVED and decision.outcome == "allowed":
        return "approval.used"
    return None


def pseudonym_of(key: str, name: str) -> str:
    """The pseudonym of a user, an org or a team alone; empty for nobody."""
    return pseudonym({key: name}) if name else ""


def _sum(spans: tuple[Span, ...], name: str) -> int:
    return sum(int(span.attributes.get(name, 0)) for span in spans)
