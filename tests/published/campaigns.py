"""Response, uplift and rules: gains by tenth, break-even, areas under curves, five baskets."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pandas as pd

from crm_analysis.campaigns import (
    association_rules,
    break_even_index,
    break_even_rate,
    contact_above_break_even,
    frequent_sets,
    gains,
    make_baskets,
    perfect_uplift_curve,
    uplift_curve,
    uplift_quality,
)
from published import Published

PYRSM = "Tests of the package pyrsm (100 customers, seed 1234)"
KUMAR = "Kumar & Reinartz, Customer Relationship Management, break-even index (cost 1, profit 45)"
SKLIFT = "Tests of the package scikit-uplift"
MLXTEND = "Documentation of the package mlxtend, five baskets"
SHOPPING = (
    ("Milk", "Onion", "Nutmeg", "Kidney Beans", "Eggs", "Yogurt"),
    ("Dill", "Onion", "Nutmeg", "Kidney Beans", "Eggs", "Yogurt"),
    ("Milk", "Apple", "Kidney Beans", "Eggs"),
    ("Milk", "Unicorn", "Corn", "Kidney Beans", "Yogurt"),
    ("Corn", "Onion", "Onion", "Kidney Beans", "Ice cream", "Eggs"),
)


@cache
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Responses and scores as the tests of pyrsm draw them."""
    legacy = np.random.RandomState(1234)
    score, chance = legacy.uniform(0, 1, 100), legacy.uniform(0, 1, 100)
    return (score > 0.5) & (chance > 0.5), score


@cache
def tenths() -> pd.DataFrame:
    """Gains by tenth."""
    return gains(*drawn())


def rollout(start: int, end: int) -> float:
    """Profit of contacting those above break-even, among some of the customers."""
    responded, score = (values[start:end] for values in drawn())
    return float(contact_above_break_even(responded, score, cost_per_contact=1, margin=2)["profit"])


def lifts() -> list[Published]:
    """Gains, lift, profit and break-even."""
    counted = ("6", "14", "20", "27", "29", "30", "30")
    gained = (".2", ".467", ".667", ".9", ".967", "1")
    lifted = ("2.0", "2.333", "2.222", "2.25", "1.933", "1.667", "1.429", "1.25", "1.111", "1.0")
    rows = [
        Published(PYRSM, f"{what}, tenths 1 to {i}", text, lambda i=i, name=name: tenths()[name].loc[i])
        for name, what, printed in (
            ("cum_responders", "responders", counted),
            ("gains", "gains", gained),
            ("lift", "lift", lifted),
        )
        for i, text in enumerate(printed, 1)
    ]
    rows += [
        Published(PYRSM, "profit of the first 80 customers, cost 1, margin 2", "5", partial(rollout, 0, 80)),
        Published(
            PYRSM, "profit of the last 20 customers, cost 1, margin 2", "-2", partial(rollout, 80, 100)
        ),
    ]
    even = partial(break_even_rate, cost_per_contact=1, margin=45)
    index = {"17.55%": "690", "17.45%": "685", "17.35%": "681"}
    return [
        *rows,
        Published(KUMAR, "break-even rate", "2.22%", even),
        *(
            Published(
                KUMAR,
                f"index of a response of {rate}",
                printed,
                lambda rate=rate: break_even_index(float(rate.rstrip("%")) / 100, break_even=even()),
            )
            for rate, printed in index.items()
        ),
    ]


def quality(y: tuple[int, ...], u: tuple[float, ...], t: tuple[int, ...], measure: str) -> float:
    """An area of uplift."""
    return float(uplift_quality(np.array(y), np.array(t), np.array(u))["value"][measure])


def uplifts() -> list[Published]:
    """Areas and curves of uplift."""
    cases = [((0, 1), (0.1, 0.3), (1, 0), ("0", "1")), ((1, 0), (0.1, 0.3), (0, 1), ("1", "1"))]
    rows = [
        Published(
            SKLIFT, f"{measure}, y {y}, scores {u}, treated {t}", text, partial(quality, y, u, t, measure)
        )
        for y, u, t, printed in cases
        for measure, text in zip(("uplift_auc", "qini_auc"), printed, strict=True)
    ]
    y, t = np.array([1, 0, 0]), np.array([1, 1, 0])
    tied = partial(uplift_curve, y, t, np.zeros(3))
    for name, printed in (("n", ("0", "3")), ("uplift", ("0", "1.5")), ("qini", ("0", "1"))):
        rows += [
            Published(
                SKLIFT, f"{name}, equal scores, point {i}", text, lambda i=i, name=name: tied()[name][i]
            )
            for i, text in enumerate(printed)
        ]
    rows += [
        Published(
            SKLIFT,
            f"perfect uplift curve, point {i}",
            text,
            lambda i=i: perfect_uplift_curve(y, t)["uplift"][i],
        )
        for i, text in enumerate(("0", "1", "2", "1.5"))
    ]
    return rows


@cache
def shopping() -> pd.DataFrame:
    """The five baskets as booleans."""
    rows = [(i, item) for i, basket in enumerate(SHOPPING) for item in basket]
    return make_baskets(pd.DataFrame(rows, columns=["basket", "item"])).table


@cache
def found() -> pd.DataFrame:
    """Rules with confidence of .7 and more, by their words."""
    rules = association_rules(shopping(), min_support=0.6, min_confidence=0.7, max_length=None)
    words = [
        f"{'+'.join(sorted(a))} > {'+'.join(sorted(b))}"
        for a, b in zip(rules["if_items"], rules["then_items"], strict=True)
    ]
    return rules.set_index(pd.Index(words))


def support(*items: str) -> float:
    """Support of a set."""
    sets = frequent_sets(shopping(), min_support=0.6).set_index("items")["support"]
    return float(sets[frozenset(items)])


def rules() -> list[Published]:
    """Frequent sets and rules."""
    sets = {
        ".8": (("Eggs",), ("Eggs", "Kidney Beans")),
        "1.0": (("Kidney Beans",),),
        ".6": (
            *(("Milk",), ("Onion",), ("Yogurt",), ("Eggs", "Onion"), ("Kidney Beans", "Milk")),
            *(("Kidney Beans", "Onion"), ("Kidney Beans", "Yogurt"), ("Eggs", "Kidney Beans", "Onion")),
        ),
    }
    metrics = {
        "Onion > Eggs": {
            **{"confidence": "1.0", "lift": "1.25", "leverage": ".12", "zhang": ".5", "jaccard": ".75"},
        },
        "Eggs > Onion": {
            **{"confidence": ".75", "conviction": "1.6", "zhang": "1.0", "certainty": ".375"},
            "kulczynski": ".875",
        },
    }
    return [
        Published(
            MLXTEND, "sets with support .6", "11", lambda: len(frequent_sets(shopping(), min_support=0.6))
        ),
        Published(MLXTEND, "rules with confidence .7", "12", lambda: len(found())),
        *(
            Published(MLXTEND, f"support of {' + '.join(items)}", text, partial(support, *items))
            for text, several in sets.items()
            for items in several
        ),
        *(
            Published(MLXTEND, f"{name}, {rule}", text, lambda rule=rule, name=name: found()[name][rule])
            for rule, values in metrics.items()
            for name, text in values.items()
        ),
    ]


ROWS = [*lifts(), *uplifts(), *rules()]
