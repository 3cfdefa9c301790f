"""Reads options' values without pydantic, whose import alone takes longer than a client command may.

Typer asks each parameter for what turns its texts into values (`get_runtime_param`), and builds it with pydantic, even for
options that were not given. The command line has texts, numbers, paths and flags only, so plain functions do.
If a later Typer no longer asks, its own way is used and the test of what a start imports fails.
"""

import math
from pathlib import Path
from typing import Any

import typer


class PlainValue:
    """Turns the texts of one parameter into its value."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> object:  # noqa: ANN401 - Typer's own classes for these are private
        """Return the value; raise BadParameter if the text is none."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        annotation = param.type_descriptor.annotation
        if annotation is int:
            return _whole(value, param, ctx)
        if annotation is float:
            return _finite(value, param, ctx)
        if annotation is Path:
            return Path(value)
        return list(value) if isinstance(value, tuple | list) else value


def read_plainly(params: list[Any]) -> list[Any]:
    """Let *params* read their values plainly; return them."""
    for param in params:
        param.get_runtime_param = PlainValue
    return params


def _finite(value: Any, param: Any, ctx: Any) -> float:  # noqa: ANN401 - as above
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{value!r} is not a number", ctx=ctx, param=param)
    _check_range(number, param, ctx)
    return number


def _whole(value: Any, param: Any, ctx: Any) -> int:  # noqa: ANN401 - as above
    try:
        number = int(value)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is not a whole number", ctx=ctx, param=param) from None
    _check_range(number, param, ctx)
    return number


def _check_range(number: float, param: Any, ctx: Any) -> None:  # noqa: ANN401 - as above
    info = param.type_descriptor.parameter_info
    if (info.min is not None and number < info.min) or (info.max is not None and number > info.max):
        most = "" if info.max is None else f" and at most {info.max}"
        raise typer.BadParameter(f"it must be at least {info.min}{most}, not {number}", ctx=ctx, param=param)
