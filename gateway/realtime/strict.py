"""What all that clients send is read with."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Takes no field that it does not know, and no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
