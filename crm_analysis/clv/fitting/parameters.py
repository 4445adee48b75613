"""A model is a frozen set of positive numbers that can be typed in, stored and read back.

Inside a model with covariates a parameter may be an array, one number per history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np

from crm_analysis.errors import ConfigError


class ParameterSet:
    """Base of the frozen dataclasses of parameters: names, checks, to and from a dictionary."""

    name: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ("unit",)  # fields that are chosen, not estimated

    def __post_init__(self) -> None:
        values = {name: getattr(self, name) for name in self.parameter_names()}
        bad = {
            name: float(np.min(v)) for name, v in values.items() if not 0 < np.min(v) <= np.max(v) < np.inf
        }
        if bad:
            raise ConfigError(f"{self.name}: parameters must be positive and finite, got {bad}")

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Names of the numbers, in the order of the papers."""
        return tuple(field.name for field in fields(cls) if field.name not in cls.settings)  # type: ignore[arg-type]

    @property
    def label(self) -> str:
        """Name to show, which says more than `name` where a model has settings."""
        return self.name

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers by name."""
        return {name: float(getattr(self, name)) for name in self.parameter_names()}

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to score with this model later: JSON types only."""
        chosen = {name: getattr(self, name) for name in self.settings if hasattr(self, name)}
        return {"model": self.name, **self.parameters, **chosen}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote.

        Raises
        ------
        ConfigError
            The dictionary is of another model, or lacks or adds a key.
        """
        expected = {"model", *(field.name for field in fields(cls))}  # type: ignore[arg-type]
        if stored.get("model") != cls.name or set(stored) != expected:
            raise ConfigError(
                f"{cls.name}: expected the keys {sorted(expected)} of this model, got {dict(stored)}"
            )
        return cls(**{key: value for key, value in stored.items() if key != "model"})
