"""`evalkit schema`: JSON Schemas for editors."""

from typing import Annotated

import typer

from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit schema --write; evalkit schema run"


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            help="evalkit, prompt, goldenset, case, rubric, tool, waivers or run; default: all. "
            "openapi: the description of the gateway.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write them to .evalkit/schema/, where files look.")
    ] = False,
) -> int:
    """Print the JSON Schemas of evalkit's files: completion and inline errors in an editor.

    A YAML file finds its schema by its first line: `# yaml-language-server: $schema=PATH`.
    """
    from evalkit.workflows.schemas import schemas_json, write_schemas

    if write:
        from evalkit.workflows.project import find_root

        for path in write_schemas(find_root()):
            print_note(f"wrote {path}")
        return 0
    print_result(schemas_json(name))
    return 0
