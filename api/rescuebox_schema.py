"""The form of a task in RescueBox's words: its inputs, its parameters, and what each may be. Pure nouns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from core.jobs import Json


class InputType(StrEnum):
    """What an input is; it is sent as an object such as `{"path": …}`, `{"text": …}`, `{"files": […]}`."""

    FILE = "file"
    DIRECTORY = "directory"
    TEXT = "text"
    TEXTAREA = "textarea"
    BATCHFILE = "batchfile"
    BATCHTEXT = "batchtext"
    BATCHDIRECTORY = "batchdirectory"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFileInputType:
    """A file that the task is to make: sent as `{"path": …}`."""

    default_extension: str
    default_name: str | None = None
    #: Extensions with their dots, or `*` for any.
    allowed_extensions: Sequence[str] | Literal["*"] = "*"
    input_type: Literal["newfile"] = "newfile"


@dataclass(frozen=True, kw_only=True, slots=True)
class InputSchema:
    """One input of a task; a request must hold every one."""

    key: str
    label: str
    subtitle: str = ""
    input_type: InputType | NewFileInputType


class ParameterType(StrEnum):
    """What a parameter is."""

    RANGED_FLOAT = "ranged_float"
    FLOAT = "float"
    ENUM = "enum"
    TEXT = "text"
    RANGED_INT = "ranged_int"
    INT = "int"


@dataclass(frozen=True, kw_only=True, slots=True)
class IntRangeDescriptor:
    """From `min` to `max`, both included."""

    min: int
    max: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FloatRangeDescriptor:
    """From `min` to `max`, both included."""

    min: float
    max: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EnumVal:
    """One choice: what is sent, and what people read."""

    label: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IntParameterDescriptor:
    """A whole number."""

    parameter_type: Literal[ParameterType.INT] = ParameterType.INT
    default: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RangedIntParameterDescriptor:
    """A whole number of a range."""

    parameter_type: Literal[ParameterType.RANGED_INT] = ParameterType.RANGED_INT
    default: int
    range: IntRangeDescriptor


@dataclass(frozen=True, kw_only=True, slots=True)
class FloatParameterDescriptor:
    """A number."""

    parameter_type: Literal[ParameterType.FLOAT] = ParameterType.FLOAT
    default: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RangedFloatParameterDescriptor:
    """A number of a range."""

    parameter_type: Literal[ParameterType.RANGED_FLOAT] = ParameterType.RANGED_FLOAT
    default: float
    range: FloatRangeDescriptor


@dataclass(frozen=True, kw_only=True, slots=True)
class EnumParameterDescriptor:
    """One of several choices, by its key."""

    parameter_type: Literal[ParameterType.ENUM] = ParameterType.ENUM
    default: str
    enum_vals: Sequence[EnumVal]
    message_when_empty: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TextParameterDescriptor:
    """Any text."""

    parameter_type: Literal[ParameterType.TEXT] = ParameterType.TEXT
    default: str


ParameterDescriptor = (
    IntParameterDescriptor
    | RangedIntParameterDescriptor
    | FloatParameterDescriptor
    | RangedFloatParameterDescriptor
    | EnumParameterDescriptor
    | TextParameterDescriptor
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterSchema:
    """One parameter of a task; its default holds where a request leaves it out."""

    key: str
    label: str
    subtitle: str = ""
    value: ParameterDescriptor


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSchema:
    """The form of a task. Raises ValueError when two of its fields bear one key."""

    inputs: Sequence[InputSchema] = ()
    parameters: Sequence[ParameterSchema] = ()

    def __post_init__(self) -> None:
        if twice := [key for key, times in Counter(self.keys).items() if times > 1]:
            raise ValueError(f"Two fields of a task schema have the key {twice[0]!r}: give each its own.")

    @property
    def keys(self) -> list[str]:
        """What the fields are called: the inputs first."""
        return [*(field.key for field in self.inputs), *(field.key for field in self.parameters)]

    @property
    def json(self) -> dict[str, Json]:
        """The form as clients read it."""
        return asdict(self)
