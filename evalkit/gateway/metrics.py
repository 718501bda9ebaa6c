"""Figures of one gateway process, in Prometheus' text format.

Labels hold routes, rules and models of the configuration and pseudonyms; never a name of a person,
nor anything that a client sent.
"""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from evalkit.gateway.exchange import Exchange
from evalkit.gateway.standing import Standing
from evalkit.records.call import Decision

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_CIRCUITS = ("closed", "half open", "open")


class Metrics:
    """Counts what happens; what stands at the moment is given with each scrape."""

    def __init__(self) -> None:
        """Everything is 0."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "evalkit_requests",
            "Requests that ended.",
            ["door", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "evalkit_request_seconds",
            "How long requests took in all.",
            ["door", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._first = Histogram(
            "evalkit_first_byte_seconds",
            "When the first byte of a stream left.",
            ["door", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "evalkit_tokens",
            "Tokens of the calls to models.",
            ["route", "kind"],
            registry=registry,
        )
        self._usd = Counter(
            "evalkit_usd",
            "What calls to models were charged, at list prices.",
            ["route"],
            registry=registry,
        )
        self._blocks = Counter(
            "evalkit_blocks",
            "What a policy or a budget denied.",
            ["route", "rule"],
            registry=registry,
        )
        self._refusals = Counter(
            "evalkit_refusals",
            "Requests that were refused, by the code that they were told.",
            ["door", "code"],
            registry=registry,
        )
        self._retries = Counter(
            "evalkit_retries",
            "Calls to models that were tried again.",
            ["route", "code"],
            registry=registry,
        )
        self._fallbacks = Counter(
            "evalkit_fallbacks",
            "Another model of the route was asked.",
            ["route"],
            registry=registry,
        )
        self._degraded = Counter(
            "evalkit_degraded", "A cheaper model was asked.", ["route"], registry=registry
        )
        self._reloads = Counter(
            "evalkit_reloads", "The configuration was read again.", ["outcome"], registry=registry
        )
        for outcome in ("loaded", "refused"):
            self._reloads.labels(outcome)

    def request(self, exchange: Exchange, door: str, took_s: float, first_s: float | None) -> None:
        """A request that ended. Status 0 stands for a client that left before its answer."""
        self._requests.labels(door, exchange.route, str(exchange.status)).inc()
        self._seconds.labels(door, exchange.route).observe(took_s)
        if first_s is not None:
            self._first.labels(door, exchange.route).observe(first_s)
        if exchange.refused:
            self._refusals.labels(door, exchange.refused).inc()

    def session(self, route: str, decisions: Sequence[Decision], usd: float) -> None:
        """What a session decided for one request, and what its calls were charged."""
        if usd > 0:
            self._usd.labels(route).inc(usd)
        for each in decisions:
            self._decision(route, each)

    def reloaded(self, outcome: str) -> None:
        """The configuration was read again, and `loaded` or `refused`."""
        self._reloads.labels(outcome).inc()

    def text(self, standing: Standing) -> bytes:
        """All of it, with what stands now."""
        now = CollectorRegistry()
        now.register(_Now(standing))
        return generate_latest(self._registry) + generate_latest(now)

    def _decision(self, route: str, each: Decision) -> None:
        if each.outcome == "denied":
            self._blocks.labels(route, each.rule).inc()
        elif each.outcome == "answered" and each.rule == "live":
            self._tokens.labels(route, "input").inc(each.data.get("input_tokens") or 0)
            self._tokens.labels(route, "output").inc(each.data.get("output_tokens") or 0)
        elif each.rule == "stream.left":
            self._tokens.labels(route, "left").inc(each.data.get("tokens") or 0)
        elif each.rule == "run.retries":
            self._retries.labels(route, str(each.data.get("code", ""))).inc()
        elif each.act == "route" and each.rule == "models.fallback":
            self._fallbacks.labels(route).inc()
        elif each.act == "route" and each.outcome == "changed":
            self._degraded.labels(route).inc()


class _Now(Collector):
    """Gauges of one moment."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def collect(self) -> Iterable[Metric]:
        """One family after the other."""
        now = self._standing
        yield GaugeMetricFamily("evalkit_in_flight", "Requests under way.", value=now.in_flight)
        yield GaugeMetricFamily("evalkit_open_sessions", "Named sessions.", value=now.sessions)
        yield GaugeMetricFamily("evalkit_draining", "1 while it stops.", value=now.draining)
        yield GaugeMetricFamily(
            "evalkit_lost_traces", "Traces that could not be written.", value=now.lost_traces
        )
        circuits = GaugeMetricFamily(
            "evalkit_circuit",
            "1 for the state that a model's circuit is in.",
            labels=["provider", "model", "state"],
        )
        for circuit in now.circuits:
            for state in _CIRCUITS:
                circuits.add_metric(
                    [circuit.provider, circuit.model, state.replace(" ", "_")],
                    float(state == circuit.state),
                )
        yield circuits
        calls = GaugeMetricFamily(
            "evalkit_provider_calls", "Calls in the air.", labels=["provider"]
        )
        allowed = GaugeMetricFamily(
            "evalkit_provider_calls_allowed",
            "Calls that may be in the air; +Inf: no limit.",
            labels=["provider"],
        )
        for each in now.providers:
            calls.add_metric([each.provider], each.in_flight)
            allowed.add_metric([each.provider], each.allowed)
        yield calls
        yield allowed
        labels = ["scope", "who", "window"]
        usd = GaugeMetricFamily(
            "evalkit_budget_left_usd", "What is neither spent nor held.", labels=labels
        )
        tokens = GaugeMetricFamily(
            "evalkit_budget_left_tokens", "The same in tokens.", labels=labels
        )
        for left in now.budgets:
            place = [left.scope, left.who, left.window]
            if left.usd is not None:
                usd.add_metric(place, left.usd)
            if left.tokens is not None:
                tokens.add_metric(place, left.tokens)
        yield usd
        yield tokens
