"""`evalkit publish plain`: the reports in a folder, for a CI that only keeps files."""

from contextlib import suppress
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.report.github.subject import Subject
from evalkit.report.plain import outcome_json, plain_html, plain_junit, plain_markdown
from evalkit.store.bundle import RECORD
from evalkit.store.files import explained, read_whole, write_whole
from evalkit.workflows.forges.publishing import Publication, load_subject

OUTCOME = "verdict.json"
REPORTS = ("report.md", "report.html", "junit.xml")


def publish_plain(root: Path, run: str | None, *, to: Path) -> Publication:
    """Write report.md, report.html, junit.xml and verdict.json into a folder, which is made.

    All four are there whatever happened, so that none of an earlier run stays: of a run that was
    refused or killed they say why. Raises UsageError where nothing was run or the folder is a run's
    own, StoreError where it cannot be written.
    """
    subject = load_subject(root, run)
    if (to / RECORD).exists():
        raise UsageError(
            f"{to} is a run bundle, which has its reports already; name another folder"
        )
    with explained("make", to):
        to.mkdir(parents=True, exist_ok=True)
    publication = Publication()
    for name, content in _files(subject).items():
        write_whole(to / name, content)
        publication.done.append(str(to / name))
    return publication


def _files(subject: Subject) -> dict[str, bytes]:
    files = {OUTCOME: outcome_json(subject).encode("utf-8", "replace")}
    if subject.run is not None and subject.kind == "run":
        folder = Path(subject.run.path)
        with suppress(FileNotFoundError):  # a run that was killed wrote none
            return files | {name: read_whole(folder / name) for name in REPORTS}
    texts = (plain_markdown(subject), plain_html(subject), plain_junit(subject))
    return files | {
        name: text.encode("utf-8", "replace") for name, text in zip(REPORTS, texts, strict=True)
    }
