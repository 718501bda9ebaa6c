"""Rubric files: versions of a judge's instructions."""

from evalkit.config.assets import RubricFile
from evalkit.config.document import Document
from evalkit.config.problems import Locator
from evalkit.records.asset import Rubric
from evalkit.sources.digest import digest_of
from evalkit.sources.prompts import name_problems
from evalkit.sources.reading import Explain, Reader
from evalkit.sources.references import Version
from evalkit.sources.templates import template_problems

VARIABLES = ("input", "documents", "expected", "output", "criteria", "anchors")


def load_rubric(reader: Reader, version: Version, missing: Explain) -> Rubric | None:
    """A rubric version, or None once its problems are noted."""

    def make(document: Document) -> Rubric | None:
        file = reader.model(RubricFile, document)
        if file is None:
            return None
        locator = Locator(document)
        problems = [
            *name_problems(locator, version, file.name, file.version),
            *template_problems(locator, ("judge", "prompt"), file.judge.prompt, VARIABLES),
        ]
        reader.problems += problems
        if problems:
            return None
        return Rubric(
            name=file.name,
            version=file.version,
            owner=file.owner,
            digest=digest_of(document.data),
            path=version.path,
        )

    return reader.once(version.path, missing, make)
