"""The configuration reference names every key there is."""

from evalkit.config.reference import render_reference
from evalkit.config.schema import json_schemas

TEXT = render_reference()


def _row(key: str, section: str) -> str:
    body = TEXT.split(f"`{section}`\n", 1)[1].split("\n#", 1)[0]
    (row,) = [line for line in body.splitlines() if line.startswith(f"| `{key}` |")]
    return row


def test_every_key_of_every_file_is_in_a_table() -> None:
    for schema in json_schemas().values():
        parts = [schema, *schema.get("$defs", {}).values()]
        for key in {key for part in parts for key in part.get("properties", {})}:
            assert f"| `{key}` |" in TEXT


def test_a_row_gives_type_default_and_meaning() -> None:
    assert _row("max_drop_pp", "suites.NAME.gate").startswith(
        "| `max_drop_pp` | number, above 0, below 100 | `3.0` | The margin"
    )
    assert _row("kind", "providers.NAME").startswith(
        "| `kind` | `openai`, `openai_responses`, `azure_openai`, `anthropic`, `gemini`, "
        "`bedrock`, `local` or `scripted` | required | "
    )
    assert _row("fallback", "routes[].models").startswith(
        "| `fallback` | name, or mapping, or list of name, or mapping | none | "
    )


def test_no_type_is_left_in_the_words_of_python() -> None:
    for word in ("typing.", "NoneType", "<class", "Annotated", "Union", "dict[", "list["):
        assert word not in TEXT


def test_tables_keep_their_four_columns() -> None:
    for line in TEXT.splitlines():
        if line.startswith("| "):
            assert line.replace("\\|", "").count("|") == 5, line
