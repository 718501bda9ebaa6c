"""The models of a route, one after the other: the next is asked while the infrastructure fails.

Under pressure a route may degrade: where its model's provider is overloaded, or a budget asks for a
cheaper model, the models of `degrade` come next. Each hop says why it was made.
"""

from collections.abc import Callable, Sequence

import msgspec

from evalkit.config.route_models import Pressure
from evalkit.control.asking import Offer, Question, RouteModel
from evalkit.control.calling import LOAD_CODES, Caller, Manner
from evalkit.control.trace import Trace
from evalkit.control.traffic import Busy
from evalkit.errors import BudgetExhausted, ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Fallback, Piece, Reply

# Infrastructure: another model may well answer. Everything else would be the same elsewhere, or
# has been decided: a policy, a refusal, an invalid answer, a request or key that is not accepted.
FALLBACK_CODES = frozenset(
    {
        FailureMode.TIMEOUT,
        FailureMode.CONNECTION,
        FailureMode.RATE_LIMITED,
        FailureMode.SERVER_ERROR,
        FailureMode.MALFORMED_REPLY,
        FailureMode.EMPTY_REPLY,
        FailureMode.CIRCUIT_OPEN,
    }
)


class RouteOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked: `models` in order; under one of the pressures `on`, the `cheaper` ones.

    A call that would wait longer than `after_s` for its provider's limits is under load.
    """

    models: tuple[RouteModel, ...]
    cheaper: tuple[RouteModel, ...] = ()
    on: frozenset[Pressure] = frozenset()
    after_s: float = 0.0


class _Walk(msgspec.Struct):
    """How far a question has come. `pending` are models with the rule by which each is asked."""

    order: RouteOrder
    trace: Trace
    pending: list[tuple[str, RouteModel]]
    hops: list[Fallback] = msgspec.field(default_factory=list)
    asked: set[str] = msgspec.field(default_factory=set)

    def may_degrade(self, pressure: Pressure) -> bool:
        """Whether the route allows it and somebody cheaper is left."""
        return pressure in self.order.on and bool(self._cheaper())

    def degrade(self, pressure: Pressure, message: str) -> None:
        """The cheaper models come next."""
        cheaper = self._cheaper()
        rule = f"degrade.{pressure}"
        names = {model.name for model in cheaper}
        self.pending = [
            *((rule, model) for model in cheaper),
            *((rule_, model) for rule_, model in self.pending if model.name not in names),
        ]
        self.trace.add("route", "changed", rule, message, model=cheaper[0].name)
        self.hop(pressure, message)

    def hop(self, code: str, message: str) -> None:
        """Tell that the next model is asked, and why."""
        _, following = self.pending[0]
        message = self.trace.redact(message)
        self.hops.append(Fallback(model=following.name, code=code, message=message))

    def _cheaper(self) -> list[RouteModel]:
        return [model for model in self.order.cheaper if model.name not in self.asked]


async def ask_in_order(
    order: RouteOrder,
    question: Question,
    *,
    caller: Caller,
    trace: Trace,
    identity: str,
    on_piece: Callable[[Piece], None] | None = None,
) -> tuple[Offer, Reply, tuple[Fallback, ...]]:
    """The reply of the first model that has one, the request it answers, and the hops to it.

    With `on_piece` it is streamed; once a piece was handed on, no other model is asked.
    Raises ProviderError of the last model asked, with what became of those before it;
    BudgetExhausted; StoreError.
    """
    rules = ["models.primary", *["models.fallback"] * (len(order.models) - 1)]
    walk = _Walk(order, trace, list(zip(rules, order.models, strict=True)))
    while walk.pending:
        rule, model = walk.pending.pop(0)
        walk.asked.add(model.name)
        trace.add(
            "route",
            "allowed",
            rule,
            f"{model.name} is asked through {model.provider.name}{model.place}",
            model=model.name,
            identity=identity,
        )
        offer = question.offer_to(
            model, degradable=model not in order.cheaper and walk.may_degrade("budget")
        )
        eases = walk.may_degrade("load")
        try:
            manner = Manner(
                is_last=not walk.pending and not eases,
                busy_after_s=order.after_s if eases else None,
                on_piece=on_piece,
            )
            reply = await caller.ask(offer, manner)
        except Busy as busy:
            walk.degrade("load", str(busy))
        except BudgetExhausted as exhausted:
            if not exhausted.degrade or not walk.may_degrade("budget"):
                raise
            walk.degrade("budget", str(exhausted))
        except ProviderError as error:
            trace.add("complete", "failed", rule, f"{model.name}: {error}", code=error.code)
            message = f"{model.name}: {error}"
            if error.output_began:
                raise _explained(error, model, walk.hops, trace) from error
            if error.code in FALLBACK_CODES and walk.pending:
                walk.hop(error.code, message)
            elif error.code in LOAD_CODES and eases:
                walk.degrade("load", message)
            else:
                raise _explained(error, model, walk.hops, trace) from error
        else:
            return offer, reply, tuple(walk.hops)
    raise AssertionError("unreachable: a route has a model, and each hop is to one that is left")


def _explained(
    error: ProviderError, model: RouteModel, hops: Sequence[Fallback], trace: Trace
) -> ProviderError:
    told = "; ".join([*(hop.message for hop in hops), f"{model.name}: {error}"])
    return ProviderError(
        error.code,
        trace.redact(told),
        retryable=error.retryable,
        retry_after_s=error.retry_after_s,
        may_be_billed=error.may_be_billed,
        output_began=error.output_began,
        status=error.status,
    )
