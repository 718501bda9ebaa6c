"""How a run ended, as files that any CI can keep: for machines, and for a run that was refused."""

import html
import json
from typing import Any
from xml.etree import ElementTree

from evalkit.report.github.document import COMMENT_LIMIT, document
from evalkit.report.github.subject import Subject
from evalkit.report.junit import legal
from evalkit.report.untrusted import one_line, visible

SCHEMA = "evalkit.outcome/1"


def outcome_json(subject: Subject) -> str:
    """The outcome on one small page (`evalkit.outcome/1`): what to act on, without the cases.

    `outcome` is null where nothing was decided; `problems` and `settle` are of a run that was
    refused.
    """
    verdict, last = subject.verdict, subject.last
    refused = last is not None and last.kind != "run"
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "exit_code": subject.exit_code,
        "green": subject.green,
        "mark": subject.mark,
        "reason": subject.reason,
        "outcome": None if verdict is None or refused else verdict.outcome.value,
        "run": None if subject.record is None else subject.record.id,
        "at": subject.at,
        "sha": subject.sha,
        "suites": {}
        if verdict is None
        else {suite.suite: suite.outcome.value for suite in verdict.suites},
        "problems": _problems(subject),
        "settle": None if last is None else last.settle,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def plain_markdown(subject: Subject) -> str:
    """report.md of a command that left no report."""
    return document(subject, limit=COMMENT_LIMIT - 1)


def plain_junit(subject: Subject, *, hostname: str = "localhost") -> str:
    """junit.xml of a command that left no report: one test, with one error that says why."""
    root = ElementTree.Element("testsuites", name="evalkit", tests="1", failures="0", errors="1")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name="evalkit",
        tests="1",
        failures="0",
        errors="1",
        skipped="0",
        time="0.000",
        timestamp=legal(subject.at),
        hostname=legal(hostname),
    )
    test = ElementTree.SubElement(
        suite, "testcase", classname="evalkit", name="verdict", time="0.000"
    )
    kind = f"evalkit.{subject.kind}"
    error = ElementTree.SubElement(test, "error", type=kind, message=legal(subject.sentence))
    error.text = legal("\n".join(visible(problem) for problem in _problems(subject)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def plain_html(subject: Subject) -> str:
    """report.html of a command that left no report: the same on a page, without any script."""
    problems = "".join(
        f"<li><code>{html.escape(one_line(problem))}</code></li>" for problem in _problems(subject)
    )
    settle = subject.last.settle if subject.last is not None else None
    advice = f"<p>{html.escape(one_line(settle))}</p>" if settle else ""
    title = html.escape(f"evalkit: {subject.sentence}")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>body{{font:16px/1.5 system-ui;margin:2rem auto;"
        "max-width:50rem;padding:0 1rem;overflow-wrap:anywhere}</style></head>\n"
        f"<body><h1>{html.escape(subject.mark)}</h1><p>{html.escape(subject.reason)}. "
        f"Exit code {subject.exit_code}.</p><ul>{problems}</ul>{advice}</body></html>\n"
    )


def _problems(subject: Subject) -> list[str]:
    """What a refused command said, a line each."""
    if subject.last is None or subject.last.kind == "run":
        return []
    return list(subject.last.problems) or subject.last.message.splitlines()
