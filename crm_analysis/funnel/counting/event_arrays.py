"""Events as three sorted arrays: who, when, which; small enough to walk through in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

# Events that are no step and no exclusion.
OTHER = 0


@dataclass(frozen=True)
class EventArrays:
    """Events sorted by entity, moment and place within the moment (the order of `Rules.names`).

    ids : one per entity, in the order of their numbers.
    entity, time, code : of each event: number of the entity, microseconds, 1 + number of the event's name
        (`OTHER` for any other).
    values : attribute -> its value at each event, categories in order.
    """

    ids: pd.Index
    entity: np.ndarray
    time: np.ndarray
    code: np.ndarray
    values: dict[str, pd.Categorical] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def moment_starts(self) -> np.ndarray:
        """Position of the first event at the same moment of the same entity, for each event."""
        starts = np.zeros(len(self), dtype=np.int64)
        new = (self.time[1:] != self.time[:-1]) | (self.entity[1:] != self.entity[:-1])
        starts[1:] = np.where(new, np.arange(1, len(self)), 0)
        return np.maximum.accumulate(starts)

    def only(self, kept: np.ndarray) -> EventArrays:
        """Some of the events, entities keeping their numbers."""
        values = {name: values[kept] for name, values in self.values.items()}
        return EventArrays(self.ids, self.entity[kept], self.time[kept], self.code[kept], values)


def sort_events(
    ids: pd.Index,
    entity: np.ndarray,
    time: np.ndarray,
    code: np.ndarray,
    values: dict[str, pd.Categorical] | None = None,
) -> EventArrays:
    """Sort events; on one packed 64-bit key where entity, time and code fit into it."""
    if not len(time):
        return EventArrays(ids, entity, time, code, values or {})
    start = int(time.min())
    unit = _unit(time)
    bits = [int(n).bit_length() for n in (entity.max(), (int(time.max()) - start) // unit, code.max())]
    if values or sum(bits) > 63:
        order = np.lexsort((code, time, entity))
        moved = {name: of[order] for name, of in (values or {}).items()}
        return EventArrays(ids, entity[order], time[order], code[order], moved)
    return EventArrays(ids, *_sorted_packed(entity, time, code, start=start, unit=unit, bits=bits))


def _sorted_packed(
    entity: np.ndarray, time: np.ndarray, code: np.ndarray, *, start: int, unit: int, bits: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort keys of entity, time and code, and take them apart again."""
    _, time_bits, code_bits = bits
    key = (time - start) // unit if unit > 1 else time - start
    key |= entity.astype(np.int64) << time_bits
    key <<= code_bits
    key |= code
    key.sort()
    found_code = (key & ((1 << code_bits) - 1)).astype(np.uint8 if code_bits <= 8 else np.int64)
    key >>= code_bits
    found_entity = (key >> time_bits).astype(np.int32 if bits[0] < 32 else np.int64)
    key &= (1 << time_bits) - 1
    if unit > 1:
        key *= unit
    key += start
    return found_entity, key, found_code


def _unit(time: np.ndarray) -> int:
    """Return the coarsest of second, millisecond and microsecond in which all times are whole."""
    first = time[:1000]
    for unit in (1_000_000, 1_000):
        if not (first % unit).any() and not (time % unit).any():
            return unit
    return 1
