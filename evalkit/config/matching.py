"""The route for a kind of work: by task and risk class."""

from collections.abc import Sequence

from evalkit.config.problems import listed, suggest
from evalkit.config.routes import Route
from evalkit.errors import UsageError


def match_route(routes: Sequence[Route], *, task: str | None, risk: str | None) -> Route:
    """The one route that is for the task, the risk class, or both.

    A risk class is only served by a route that names it, so that nothing is sent where nobody said
    it may go. A route that names no task serves any task of its risk classes; one that names the
    task comes before it. Asked without a risk class, a route that names none comes first.

    Raises UsageError for none, and for several.
    """
    if task is None and risk is None:
        raise UsageError("a route is found by its name, by a task, by a risk class, or both")
    fitting = [route for route in routes if _fits(route, task, risk)]
    if not fitting:
        raise UsageError(f"no route is for {work_words(task, risk)}; {_served(routes, task, risk)}")
    nearest = max(_nearness(route, task, risk) for route in fitting)
    found = [route for route in fitting if _nearness(route, task, risk) == nearest]
    if len(found) > 1:
        more = "a task" if task is None else "a risk class" if risk is None else "the route"
        names = listed(route.name for route in found)
        raise UsageError(f"several routes are for {work_words(task, risk)}: {names}; name {more}")
    return found[0]


def _fits(route: Route, task: str | None, risk: str | None) -> bool:
    if risk is not None and risk not in route.risks:
        return False
    if task is None:
        return True
    return task in route.tasks or (not route.tasks and risk is not None)


def _nearness(route: Route, task: str | None, risk: str | None) -> tuple[bool, bool]:
    """By the task first: one that is named, or that was not asked about and is not named."""
    return (bool(route.tasks) == (task is not None), bool(route.risks) == (risk is not None))


def work_words(task: str | None, risk: str | None) -> str:
    """A task and a risk class in a sentence."""
    words = [] if task is None else [f"task {task!r}"]
    return " and ".join([*words, *([] if risk is None else [f"risk {risk!r}"])])


def _served(routes: Sequence[Route], task: str | None, risk: str | None) -> str:
    tasks = [each for route in routes for each in route.tasks]
    risks = [each for route in routes for each in route.risks]
    hints = [
        hint
        for word, known in ((task, tasks), (risk, risks))
        if word is not None and word not in known and (hint := suggest(word, known))
    ]
    told = f"tasks are {listed(tasks)}, risk classes {listed(risks)}"
    return "; ".join([told, *hints])
