"""Which input does a value hang on? One input is moved at a time, the others stay: the rows of a tornado."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import ConfigError, CrmError

Range = float | tuple[Any, Any]


def sensitivity(
    function: Callable[..., Any],
    inputs: Mapping[str, Any],
    *,
    vary: Mapping[str, Range] | None = None,
    answer: str = "value",
) -> pd.DataFrame:
    """Value at the low and at the high end of each input.

    Parameters
    ----------
    function : called with keyword arguments; any of the value functions, or a function of one's own. Gives
        a number, or an object whose attribute `answer` is one.
    inputs : all arguments of `function`, as planned.
    vary : input -> a share of it, up and down (0.1 for 10%), or the (low, high) to put in its place. None
        moves every numeric input by 10%. A list of numbers is moved as a whole.
    answer : name of the attribute that is the value.

    Returns
    -------
    DataFrame, index input, the widest swing first: input_low, input_high (NaN for a list moved by a
    share), low, high (the value at either end: low may exceed high), value (as planned), swing (distance
    between the two), change_low, change_high (relative to the value; NaN where that is 0).

    Raises
    ------
    ConfigError
        Nothing to vary, a name that is not among the inputs, or an input that an end makes impossible: the
        message of the function, with the end.
    """
    vary = dict.fromkeys(_numeric(inputs), 0.1) if vary is None else vary
    if not vary or (unknown := [name for name in vary if name not in inputs]):
        raise ConfigError(f"sensitivity: vary {unknown if vary else {}}; expected some of {list(inputs)}")
    value = _number(function(**inputs), answer)
    rows = {}
    for name, moved in vary.items():
        ends = moved if isinstance(moved, tuple) else _around(inputs[name], float(moved))
        low, high = (_at(function, inputs, name, end, answer) for end in ends)
        rows[name] = [*(end if np.ndim(end) == 0 else np.nan for end in ends), low, high]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["input_low", "input_high", "low", "high"])
    changes = (table[["low", "high"]] - value) / (abs(value) if value else np.nan)
    table = table.assign(
        value=value,
        swing=(table["high"] - table["low"]).abs(),
        change_low=changes["low"],
        change_high=changes["high"],
    )
    return table.sort_values("swing", ascending=False, kind="stable").rename_axis("input")


def _numeric(inputs: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that are numbers or lists of them and not all 0, which 10% does not move."""
    arrays = {name: np.asarray(given) for name, given in inputs.items()}
    return [name for name, array in arrays.items() if array.dtype.kind in "iuf" and np.any(array)]


def _around(given: Any, share: float) -> tuple[Any, Any]:
    ends = tuple(np.asarray(given, dtype=float) * factor for factor in (1 - share, 1 + share))
    return tuple(float(end) if end.ndim == 0 else end.tolist() for end in ends)  # type: ignore[return-value]


def _at(function: Callable[..., Any], inputs: Mapping[str, Any], name: str, end: Any, answer: str) -> float:
    try:
        return _number(function(**{**inputs, name: end}), answer)
    except CrmError as error:
        raise ConfigError(f"sensitivity: {name} = {end}: {error}; give vary a narrower range") from error


def _number(result: Any, answer: str) -> float:
    return float(getattr(result, answer, result))
