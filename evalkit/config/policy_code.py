"""`policies.rego`: policies as code, evaluated by evalkit or by an OPA server."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.base import URL, VARIABLE, Part, ProjectPath

PACKAGE = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"


class RegoPolicy(Part):
    """Policies in Rego. They are asked at every act, beside the ones that are configured."""

    files: Annotated[
        list[ProjectPath],
        Field(
            description="Rego files of the project, evaluated on this machine (extra `rego`). "
            "Either these or `opa`."
        ),
    ] = []
    opa: Annotated[
        str | None,
        Field(
            pattern=URL,
            description="The address of an OPA server that holds the policies instead, such as "
            "http://127.0.0.1:8181. What it holds is not versioned with the project.",
        ),
    ] = None
    package: Annotated[
        str, Field(pattern=PACKAGE, description="The package whose rules decide.")
    ] = "evalkit.policy"
    mode: Annotated[
        Literal["block", "warn"],
        Field(description="warn: what it denies is traced and counted, not denied."),
    ] = "block"
    timeout_s: Annotated[
        float,
        Field(
            gt=0, le=60, description="How long a decision may take. After that the act is denied."
        ),
    ] = 1.0
    token_env: Annotated[
        str | None,
        Field(
            pattern=VARIABLE,
            description="The environment variable that holds the server's bearer token.",
        ),
    ] = None

    @model_validator(mode="after")
    def _one_place(self) -> "RegoPolicy":
        if bool(self.files) == (self.opa is not None):
            raise ValueError("policies in Rego come from `files` or from an `opa` server: give one")
        if self.token_env is not None and self.opa is None:
            raise ValueError("token_env belongs to `opa`")
        return self


def rego_spelled_out(rego: object) -> object:
    """`rego: [policies/x.rego]` is short for `rego: {files: [policies/x.rego]}`."""
    return {"files": rego} if isinstance(rego, list) else rego
