"""Approvals of tool calls: what was asked for, and what became of it.

Schema history: `evalkit.approvals/1` is the first.
"""

from typing import Any, Literal

import msgspec

ApprovalState = Literal["pending", "granted", "denied", "used"]


class ApprovalAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that needs an approval. `arguments` are redacted; `digest` is of the real ones.

    `identity` is the pseudonym of whom the session is for, empty for nobody. `expires_s` is how
    long an approval may stand at most before it is used.
    """

    route: str
    tool: str
    team: str
    identity: str
    digest: str
    expires_s: float
    arguments: dict[str, Any] = {}


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for an approval and how it stands. Times are ISO 8601 in UTC.

    A granted one covers one call: of the same route, tool and identity, with the same arguments, or
    with any where `any_arguments`. It is `used` once that call was authorized. One that expired
    before that is pending again. `by` and `by_team` are who decided last, as they said.
    """

    id: str
    asked: ApprovalAsked
    asked_at: str
    state: ApprovalState
    by: str = ""
    by_team: str = ""
    reason: str = ""
    decided_at: str = ""
    expires_at: str = ""
    used_at: str = ""
    any_arguments: bool = False

    @property
    def words(self) -> str:
        """The call in words, such as `refund on route support`."""
        return f"{self.asked.tool} on route {self.asked.route}"


class ApprovalClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a claim: whether the call may run, by which approval, or what it waits for."""

    allowed: bool
    approval: Approval


class ApprovalsListed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Approvals for programs (`evalkit.approvals/1`), the oldest first."""

    schema: Literal["evalkit.approvals/1"] = "evalkit.approvals/1"
    approvals: tuple[Approval, ...] = ()
