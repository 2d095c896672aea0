"""What is said of a wrong setting: its key, its value if it may be shown, what would be right."""

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from pipeline.errors import HIDDEN, SettingsError
from pipeline.setting_values import SourceTable


def explain(wrong: ValidationError, settings: type[BaseModel]) -> SettingsError:
    """The first of the errors that ``settings`` were refused for."""
    first = wrong.errors()[0]
    name = _name_key(first["loc"])
    value = first["input"] if _may_be_shown(first["loc"], settings) else HIDDEN
    return SettingsError(name, value, _remedy(first["type"], first["msg"], name, settings))


def _remedy(kind: str, message: str, key: str, settings: type[BaseModel]) -> str:
    if kind != "extra_forbidden":
        # Pydantic counts the items of a secret.
        return message.removeprefix("Value error, ").replace("items after validation", "characters")
    model = SourceTable if key.startswith("[[source]]") else settings
    near = get_close_matches(key.rpartition(".")[2], model.model_fields, 1, 0.5)
    known = f"did you mean {near[0]}?" if near else f"known are {', '.join(model.model_fields)}"
    return f"no such key; {known}"


def _name_key(loc: tuple[int | str, ...]) -> str:
    """The key of a wrong setting; tables are counted from 1."""
    if len(loc) > 1 and loc[0] == "source":
        return ".".join([f"[[source]] {int(loc[1]) + 1}", *map(str, loc[2:])])
    return ".".join(map(str, loc))


def _may_be_shown(loc: tuple[int | str, ...], settings: type[BaseModel]) -> bool:
    """Whether the value there is of a key that is known and no secret; tables are many values."""
    fields = settings.model_fields
    if loc and loc[0] == "source":
        fields, loc = SourceTable.model_fields, loc[2:]
    field = fields.get(str(loc[0])) if loc else None
    return field is not None and loc[0] != "formats" and not is_secret(field.annotation)


def is_secret(annotation: Any) -> bool:
    """Whether a field so annotated is shown nowhere; tables are asked key by key."""
    return annotation is SecretStr or any(map(is_secret, get_args(annotation)))
