"""The models of a route, one after the other: the next is asked while the infrastructure fails."""

from collections.abc import Sequence

from evalkit.control.asking import Offer, Question, RouteModel
from evalkit.control.calling import Caller
from evalkit.control.trace import Trace
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Fallback, Reply

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
    }
)


async def ask_in_order(
    models: Sequence[RouteModel],
    question: Question,
    *,
    caller: Caller,
    trace: Trace,
    identity: str,
) -> tuple[Offer, Reply, tuple[Fallback, ...]]:
    """The reply of the first model that has one, the request it answers, and the hops to it.

    Raises ProviderError of the last model asked, with what became of those before it;
    BudgetExhausted; StoreError.
    """
    hops: list[Fallback] = []
    for place, model in enumerate(models):
        rule = "models.fallback" if place else "models.primary"
        trace.add(
            "route",
            "allowed",
            rule,
            f"{model.name} is asked through {model.provider.name}",
            model=model.name,
            identity=identity,
        )
        offer = question.offer_to(model)
        try:
            return offer, await caller.ask(offer), tuple(hops)
        except ProviderError as error:
            trace.add("complete", "failed", rule, f"{model.name}: {error}", code=error.code)
            if error.code not in FALLBACK_CODES or place + 1 == len(models):
                raise _explained(error, model, hops, trace) from error
            hops.append(
                Fallback(
                    model=models[place + 1].name,
                    code=error.code,
                    message=trace.redact(f"{model.name}: {error}"),
                )
            )
    raise AssertionError("unreachable: a route has a primary model")


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
    )
