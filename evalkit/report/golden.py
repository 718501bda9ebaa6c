"""`evalkit golden`: a case that was added, and what a set holds, as text and as JSON."""

import sys
from collections.abc import Iterator

import msgspec

from evalkit.records.golden import AddedCase, GoldenStats, Outcomes
from evalkit.report.figures import count
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line, visible

_WEEKS = 12
_NAMED = 5
_LABEL = 13


def added_json(added: AddedCase) -> str:
    """The case and the change as indented JSON (`evalkit.golden_add/1`)."""
    return msgspec.json.format(msgspec.json.encode(added), indent=2).decode()


def added_text(added: AddedCase, *, screen: Screen | None = None) -> str:
    """The change line by line, and what a person has to look at before it counts."""
    page = Page(screen or screen_of(sys.stdout))
    did = "is now in" if added.written else "would be in"
    title = styled(f"Case {one_line(added.case.id)} {did} {one_line(added.golden)}", "bold")
    if added.new_set:
        title.append("  a new golden set, which this case begins", style="dim")
    elif added.new_version:
        title.append("  a new version, made of the one before it", style="dim")
    page.line(title, hang=2)
    page.line()
    for line in added.lines:
        page.literal(visible(line))
    page.line()
    page.line("To review:")
    for text in added.review:
        page.labelled("-", one_line(text), width=2)
    if added.pinned:
        names = ", ".join(one_line(name) for name in added.pinned)
        page.labelled(
            "-", f"`golden: {one_line(added.golden)}` in evalkit.yaml, for {names}", width=2
        )
    page.labelled("-", f"then `evalkit check`, and `evalkit golden freeze {added.golden}`", width=2)
    return page.text()


def stats_json(stats: GoldenStats) -> str:
    """The counts as indented JSON (`evalkit.golden_stats/1`)."""
    return msgspec.json.format(msgspec.json.encode(stats), indent=2).decode()


def stats_text(stats: GoldenStats, *, screen: Screen | None = None) -> str:
    """The counts, the weeks against the quota, the slices, and what is worth a look."""
    page = Page(screen or screen_of(sys.stdout))
    page.line(
        f"{stats.reference}: {stats.cases} cases in {stats.groups} groups, "
        f"{'frozen' if stats.frozen else 'not frozen'}, {stats.digest[:19]}…",
        hang=2,
    )
    for label, text in _facts(stats):
        page.labelled(label, one_line(text), width=_LABEL)
    _put_weeks(page, stats)
    _put_slices(page, stats)
    return page.text()


def _facts(stats: GoldenStats) -> Iterator[tuple[str, str]]:
    tags = ", ".join(f"{tag} {n}" for tag, n in stats.tags.items()) or "none"
    yield "tags", tags + (f"; {stats.untagged:,} cases have none" if stats.untagged else "")
    yield "expected", ", ".join(f"{key} {n}" for key, n in stats.expected_keys.items()) or "nothing"
    yield "sources", ", ".join(f"{kind} {n}" for kind, n in stats.sources.items())
    if stats.drafts:
        yield (
            "drafts",
            f"{count(stats.drafts, 'case')} with what production answered as expected, unconfirmed",
        )
    yield "age", _age(stats)
    yield "results", _results(stats.outcomes)
    if stats.near is None:
        yield "near", "too many cases to be compared with each other"
    elif stats.near:
        pairs = ", ".join(f"{each.other} ({each.one})" for each in stats.near[:_NAMED])
        more = f", and {len(stats.near) - _NAMED:,} more" if len(stats.near) > _NAMED else ""
        yield "near", f"{count(len(stats.near), 'case')} like an earlier one: {pairs}{more}"
    yield (
        "power",
        f"a margin of 3 pp needs at least {stats.cases_to_pass} independent cases to ever pass",
    )
    if stats.detectable_drop is not None:
        yield (
            "",
            f"with one run an arm, where {stats.flip_share:.0%} of cases flip by chance, a drop of "
            f"{100 * stats.detectable_drop:.1f} pp fails in 80 % of runs",
        )


def _age(stats: GoldenStats) -> str:
    ages = stats.ages
    if ages.median_days is None:
        return "no case says when it was `added`"
    words = (
        f"median {ages.median_days:,.0f} days, oldest {ages.oldest_days:,} ({ages.oldest}); "
        f"{ages.old:,} older than {ages.bound_days}"
    )
    return words + (f"; {ages.undated:,} do not say" if ages.undated else "")


def _results(found: Outcomes) -> str:
    if not found.runs:
        return "no stored run of it"
    words = f"{count(found.runs, 'newest run')}: {count(found.measured, 'case')} with "
    words += f"{found.fewest} results or more"
    for what, cases in (("never", found.never_failed), ("always", found.always_failed)):
        named = ", ".join(cases[:_NAMED]) + (", …" if len(cases) > _NAMED else "")
        words += f"; {len(cases):,} {what} failed" + (f" ({named})" if cases else "")
    return words


def _put_weeks(page: Page, stats: GoldenStats) -> None:
    quota = stats.quota
    page.line()
    plan = f"{quota.start:,} to begin with, {quota.per_week:,} a week"
    owed = f"{quota.owed:,} cases behind" if quota.owed else "met"
    page.line(f"Quota ({plan}): {owed}", hang=2)
    if not quota.weeks:
        page.line("No case says in which week it was added (`added: YYYY-MM-DD`).", indent=2)
        return
    shown = quota.weeks[-_WEEKS:]
    page.table(
        ("week", "added", "cases", "quota"),
        [(row.week, f"{row.added:,}", f"{row.total:,}", f"{row.wanted:,}") for row in shown],
    )
    if len(shown) < len(quota.weeks):
        page.line(f"{len(quota.weeks) - len(shown):,} weeks before: --json", indent=2)


def _put_slices(page: Page, stats: GoldenStats) -> None:
    if not stats.slices:
        return
    page.line()
    page.line("Slices that gates ask about")
    rows = []
    for each in stats.slices:
        few = "too few to pass" if each.groups < each.needed else ""
        advisory = "" if each.required else "advisory"
        rows.append(
            (
                f"{one_line(each.suite)}: {one_line(each.tag)}",
                f"{each.groups:,}",
                f"{each.needed:,}",
                few or advisory,
            )
        )
    page.table(("slice", "cases", "needs", ""), rows)
