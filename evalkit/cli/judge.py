"""`evalkit judge`: label outputs, measure a judge against the labels, see what moves it."""

import typer

from evalkit.cli import judge_audit, judge_calibrate, judge_label

app = typer.Typer(
    name="judge",
    help="Judges: label, calibrate, audit, freeze.",
    no_args_is_help=True,
)

_VERBS = (
    ("label", judge_label.label, judge_label.EXAMPLE, "Label outputs, blind, by keyboard."),
    (
        "calibrate",
        judge_calibrate.calibrate,
        judge_calibrate.EXAMPLE,
        "Measure how often a judge is wrong.",
    ),
    ("audit", judge_audit.audit, judge_audit.EXAMPLE, "See what moves a verdict that should not."),
    ("freeze", judge_calibrate.freeze, judge_calibrate.FREEZE_EXAMPLE, "Pin a rubric's content."),
)

for _name, _verb, _example, _summary in _VERBS:
    app.command(_name, epilog=_example, short_help=_summary)(_verb)
