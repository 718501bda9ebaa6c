"""Whether an approval that was given beforehand covers the execution of a tool."""

from collections.abc import Mapping
from datetime import UTC, datetime

from evalkit.control.ruling import POLICY_ERROR, Ruling
from evalkit.errors import StoreError
from evalkit.ports import Approvals
from evalkit.records.approval import Approval, ApprovalAsked

RULE = "approvals.on_execute"


def rule_given_approval(
    team: str, name: str, approval: Mapping[str, str] | None, now: datetime
) -> Ruling:
    """Whether `approval` lets the tool be executed: `granted_by`, `team`, and `expires` if it does.

    `expires` is ISO 8601 with its offset from UTC; from that moment on the approval is none.
    """
    if approval is None:
        return Ruling(False, RULE, f"{name} executes something, and {team} has not approved it")
    if approval.get("team") != team:
        given = approval.get("team") or "no team"
        return Ruling(False, RULE, f"{name} needs the approval of {team}, not of {given}")
    if not approval.get("granted_by"):
        return Ruling(False, RULE, f"the approval of {name} does not say who granted it")
    expires = approval.get("expires")
    if expires is not None:
        try:
            ends = datetime.fromisoformat(expires)
        except (TypeError, ValueError):
            ends = None
        if ends is None or ends.tzinfo is None:
            message = f"the approval of {name} expires at {expires!r}, which is no time in UTC"
            return Ruling(False, POLICY_ERROR, message)
        if now.astimezone(UTC) >= ends:
            return Ruling(False, RULE, f"the approval of {name} by {team} expired at {expires}")
    return Ruling(True, RULE, f"{name} was approved by {team}")


def rule_stored_approval(store: Approvals, asked: ApprovalAsked) -> Ruling:
    """Whether somebody approved this call. Without that, a request for it is left behind.

    An approval that lets the call run is used up by that. A store that cannot be asked denies.
    """
    try:
        claim = store.claim(asked)
    except StoreError as error:
        # its words name files of this machine: they are for the trace
        message = f"{asked.tool} needs the approval of {asked.team}, and nobody can look"
        return Ruling(False, POLICY_ERROR, message, data={"error": str(error)})
    known = claim.approval
    data = {"approval": known.id}
    if claim.allowed:
        # the team and not the person: traces hold no names, the audit log does
        words = f"{asked.tool} was approved by {asked.team}: {known.id}"
        return Ruling(True, RULE, words, data=data)
    return Ruling(False, RULE, _waiting(asked, known), data=data)


def _waiting(asked: ApprovalAsked, known: Approval) -> str:
    if known.state == "denied":
        return f"{asked.tool} was denied by {known.by_team}, {known.id}: {known.reason}"
    return (
        f"{asked.tool} executes something, and {asked.team} has not approved it; it waits as "
        f"{known.id}: evalkit approvals grant {known.id} --as USER --team {asked.team}"
    )
