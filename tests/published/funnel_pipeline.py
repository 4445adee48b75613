"""Deals that move back and velocity: worked examples of the formulas, and a textbook's chain."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from crm_analysis.funnel import AbsorbingChain, Velocity, absorbing_chain, split_velocity
from published import Published

KEMENY = "Kemeny & Snell (1960), Finite Markov Chains, the drunkard's walk"
WORKED = "worked example of N = (I - Q)^-1, B = N R, t = N 1"
VELOCITY = "worked example of n v w / c with the log-mean split"
# Corners 1, 2 and 3 between home and the bar.
WALK = absorbing_chain([[0, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0]], [[0.5, 0], [0, 0], [0, 0.5]])
SALES = absorbing_chain(
    [[0.2, 0.3, 0], [0.1, 0.2, 0.4], [0, 0.1, 0.3]],
    [[0, 0.5], [0, 0.3], [0.4, 0.2]],
)
A, B = Velocity(n=40, v=25000, w=0.25, c=90), Velocity(n=50, v=20000, w=0.20, c=100)

VISITS = {
    "drunkard": (WALK, KEMENY, [["1.5", "1", "0.5"], ["1", "2", "1"], ["0.5", "1", "1.5"]]),
    "sales": (
        SALES,
        WORKED,
        [
            ["1.316456", "0.531646", "0.303797"],
            ["0.177215", "1.417722", "0.810127"],
            ["0.025316", "0.202532", "1.544304"],
        ],
    ),
}
ENDS = {
    "drunkard": (WALK, KEMENY, [["0.75", "0.25"], ["0.5", "0.5"], ["0.25", "0.75"]]),
    "sales": (
        SALES,
        WORKED,
        [["0.121519", "0.878481"], ["0.324051", "0.675949"], ["0.617722", "0.382278"]],
    ),
}
STEPS = {
    "drunkard": (WALK, KEMENY, ["3", "4", "3"]),
    "sales": (SALES, WORKED, ["2.151899", "2.405063", "1.772152"]),
}
SPLIT = {
    "Opportunities": "−528.3225",
    "Deal value": "528.3225",
    "Win rate": "528.3225",
    "Days to win": "249.4553",
}


def _cell(chain: AbsorbingChain, table: str, row: int, column: int) -> float:
    return float(getattr(chain, table).iloc[row, column])


def _steps(chain: AbsorbingChain, row: int) -> float:
    return float(chain.steps.iloc[row])


def _contribution(factor: str) -> float:
    return float(split_velocity(A, B).loc[factor, "contribution"])


def _row(source: str, what: str, printed: str, ours: Callable[[], float]) -> Published:
    return Published(source, what, printed, ours)


ROWS = [
    *(
        _row(
            source,
            f"{name} chain: visits to state {j + 1} from {i + 1}",
            x,
            partial(_cell, chain, "visits", i, j),
        )
        for name, (chain, source, values) in VISITS.items()
        for i, row in enumerate(values)
        for j, x in enumerate(row)
    ),
    *(
        _row(
            source,
            f"{name} chain: share that ends in {j + 1} from {i + 1}",
            x,
            partial(_cell, chain, "ends", i, j),
        )
        for name, (chain, source, values) in ENDS.items()
        for i, row in enumerate(values)
        for j, x in enumerate(row)
    ),
    *(
        _row(source, f"{name} chain: steps from {i + 1}", x, partial(_steps, chain, i))
        for name, (chain, source, values) in STEPS.items()
        for i, x in enumerate(values)
    ),
    _row(VELOCITY, "velocity of A: 40 x 25000 x 0.25 / 90", "2777.7778", lambda: A.per_day),
    _row(VELOCITY, "velocity of B: 50 x 20000 x 0.20 / 100", "2000", lambda: B.per_day),
    *(
        _row(VELOCITY, f"{factor} in the gap of velocities", printed, partial(_contribution, factor))
        for factor, printed in SPLIT.items()
    ),
]
