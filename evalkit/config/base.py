"""What every part of the configuration is: frozen, without unknown keys, without silent casts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=100)]
Reference = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*@(v[1-9][0-9]*|latest)$", max_length=120)
]
ProjectPath = Annotated[str, Field(min_length=1, max_length=400)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A mapping in evalkit.yaml. Unknown keys are refused: a typo must not switch a check off."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
