"""Two results side by side: exact splits, mix against rate, intervals and tests of rates.

The two funnels of the worked example lead from 10,000 entrants to 240 and to 120 wins; its numbers follow
from the papers' formulas and were worked apart from this package.
"""

# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from crm_analysis.funnel import (
    benjamini_hochberg,
    clopper_pearson,
    compare,
    holm,
    mix,
    newcombe,
    p_greater,
    ratio_interval,
    sample_size,
    score_test,
    smallest_visible_difference,
    what_if,
    wilson,
)
from crm_analysis.funnel.comparing.mixing import mix_parts
from crm_analysis.funnel.comparing.odds import mantel_haenszel
from crm_analysis.split import log_mean_split, shapley_split
from published import Published

ANG = "Ang (2004, 2005), LMDI-I: worked example of two funnels"
DAS_GUPTA = "Das Gupta (1993), inputs of the R package DasGuptR"
LMDIR = "Heun, R package LMDIR: test_lmdi.R"
SHOP = "ecommerce_funnel: mobile against desktop"
NEWCOMBE_ONE = "Newcombe (1998), Statistics in Medicine 17:857, Table I"
NEWCOMBE_TWO = "Newcombe (1998), Statistics in Medicine 17:873, Table II"
R = "R 4.2.2, package stats"
BH = "Benjamini & Hochberg (1995), section 3.2"
BETA = "Beta posteriors with a flat prior, worked by hand"
UCB = "Bickel, Hammel & O'Connell (1975), admissions to Berkeley, as in R's UCBAdmissions"
KIDNEY = "Charig et al. (1986), kidney stones"

A, B = [10000, 3000, 1500, 600, 240], [10000, 3200, 800, 310, 120]
PLACES = ("leads", "transition 1", "transition 2", "transition 3", "transition 4")
PAIRS = [
    ((3000, 10000), (3200, 10000)),
    ((1500, 3000), (800, 3200)),
    ((600, 1500), (310, 800)),
    ((240, 600), (120, 310)),
]

MEN = {"A": [825, 512], "B": [560, 353], "C": [325, 120], "D": [417, 138], "E": [191, 53], "F": [373, 22]}
WOMEN = {"A": [108, 89], "B": [25, 17], "C": [593, 202], "D": [375, 131], "E": [393, 94], "F": [341, 24]}
OPEN = {"small": [87, 81], "large": [263, 192]}
KEYHOLE = {"small": [270, 234], "large": [80, 55]}


def listed(
    source: str,
    what: str,
    names: Sequence[str],
    printed: str,
    ours: Callable[[], Sequence[float]],
    *,
    within: float | None = None,
    note: str = "",
) -> list[Published]:
    """A row for each of several numbers, printed side by side."""

    def value(place: int) -> float:
        return float(ours()[place])

    return [
        Published(source, f"{what}, {name}", text, partial(value, place), within, note)
        for place, (name, text) in enumerate(zip(names, printed.split(), strict=True))
    ]


@cache
def toy(**how: str):
    """The worked example."""
    return compare(A, B, **how)


def column(table: str, name: str, **how: str) -> Callable[[], Sequence[float]]:
    """Column of a table of the worked example."""
    return lambda: getattr(toy(**how), table)[name].to_list()


def revenue() -> list[float]:
    """Contributions in revenue, with deals of 5,000 and 5,500."""
    return (
        compare(A, B, per="revenue", deal_value_a=5000, deal_value_b=5500)
        .contributions["contribution"]
        .to_list()
    )


def _worked() -> list[Published]:
    stages = PLACES[1:]
    return [
        *listed(ANG, "LMDI", PLACES, "0 -11.173129 120 5.496443 5.676686", column("contributions", "contribution")),
        *listed(ANG, "Shapley", PLACES, "0 -11.664651 120.0625 5.707661 5.894489", column("orders", "shapley")),
        *listed(ANG, "smallest of all orders", PLACES, "0 -16 112.5 3.629032 3.75", column("orders", "lowest")),
        *listed(ANG, "largest of all orders", PLACES, "0 -7.5 128 8 8.258065", column("orders", "highest")),
        *listed(ANG, "ratio", PLACES, "1 0.9375 2 1.032258 1.033333", column("factors", "ratio")),
        *listed(
            ANG, "standard error", PLACES, "0 3.685426 8.365811 9.416630 15.046514",
            lambda: np.sqrt(np.diag(toy().covariance)),
        ),
        Published(ANG, "standard error of the gap", "18.782971", lambda: toy().covariance.to_numpy().sum() ** 0.5),
        *listed(
            ANG, "LMDI in revenue", (*PLACES, "deal value"),
            "0 -58294.821783 626089.514415 28677.209788 29617.611995 -86089.514415", revenue,
        ),
        *listed(ANG, "difference, low", stages, "-.03281 .22647 -.02959 -.05444", column("stages", "low")),
        *listed(ANG, "difference, high", stages, "-.00718 .27315 .05403 .07875", column("stages", "high")),
        *listed(ANG, "z", stages, "-3.0578 20.3646 .5839 .3773", column("stages", "z")),
        *listed(
            ANG, "p", (stages[0], *stages[2:]), ".00222966 .559289 .705979",
            lambda: np.delete(toy().stages["p"].to_numpy(), 1),
        ),
        Published(ANG, "p, transition 2, times 1e92", "3.44865", lambda: 1e92 * toy().stages["p"].iloc[1]),
        *listed(
            ANG, "Holm", (stages[0], *stages[2:]), ".00668897 1 1",
            lambda: np.delete(toy().stages["p_holm"].to_numpy(), 1),
        ),
        *listed(
            ANG, "Benjamini-Hochberg", (stages[0], *stages[2:]), ".00445931 .705979 .705979",
            lambda: np.delete(benjamini_hochberg(toy().stages["p"].to_list()), 1),
        ),
        *listed(ANG, "one point more in B", stages, "3.75 4.80 3.0968 3.10", lambda: what_if(toy())["plus_b"].to_list()),
        *listed(ANG, "A's rate in B", stages, "-7.5 120 3.871 4.0", lambda: what_if(toy())["match_b"].to_list()),
        *listed(
            ANG, "Katz's interval of the ratio of wins", ("low", "high"), "1.60926 2.48561",
            lambda: ratio_interval(240, 10000, k_b=120, n_b=10000),
        ),
    ]  # fmt: skip


def shop(**how: str) -> list[float]:
    """Contributions of a shop's mobile visits against those at a desk."""
    return (
        compare([30200, 15100, 3020, 302], [60200, 30100, 3010, 150], **how)
        .contributions["contribution"]
        .to_list()
    )


def _splits() -> list[Published]:
    x0, xt = np.array([[1, 10, 2], [4, 5, 3]]), np.array([[4, 5, 3], [5, 6, 4]])
    three = ("1", "2", "3")

    def parts() -> np.ndarray:
        return log_mean_split(xt, x0)

    def product() -> np.ndarray:
        return np.exp(parts().sum(axis=0) / (100 / np.log(180 / 80)))

    def without(side: str, row: int, factor: int) -> np.ndarray:
        a, b = xt.copy(), x0.copy()
        (a if side == "T" else b)[row, factor] = 0
        return log_mean_split(a, b)[row]

    shop_places = ("visits", *PLACES[1:4])
    return [
        *listed(SHOP, "LMDI", shop_places, "-149.836332 0 150.556756 151.279577", shop),
        *listed(
            SHOP, "LMDI per 1,000", shop_places[1:], "0 3.7452 3.7631", lambda: shop(per="1000 entrants")[1:]
        ),
        *listed(
            LMDIR, "segment 1, factor", three, "50.47438029 -25.23719014 14.76280986", lambda: parts()[0]
        ),
        *listed(LMDIR, "segment 2, factor", three, "19.31568569 15.78206435 24.90224996", lambda: parts()[1]),
        *listed(
            LMDIR,
            "both segments, factor",
            three,
            "69.79006598 -9.455125793 39.66505981",
            lambda: parts().sum(0),
        ),
        *listed(
            LMDIR, "both segments, ratio of factor", three, "1.761117821 .926191306 1.379410116", product
        ),
        *listed(LMDIR, "X0[1, 1] = 0, segment 1, factor", three, "60 0 0", lambda: without("0", 0, 0)),
        *listed(LMDIR, "XT[2, 3] = 0, segment 2, factor", three, "0 0 -60", lambda: without("T", 1, 2)),
    ]


def _das_gupta() -> list[Published]:
    tables = {
        "2.1": ([16591, 0.825974], [10930, 0.717892], "4369.912713 1487.262361"),
        "2.3": ([84.90502, 0.75756, 0.51065], [51.78746, 0.45919, 0.52638], "10.434033 10.560848 -.667008"),
        "2.5": ([32.7, 0.29, 0.473, 0.986], [25.3, 0.214, 0.279, 0.949], ".688941 .812538 1.382906 .104755"),
        "2.7": (
            [0.72, 0.97, 0.97, 0.56, 16.158],
            [0.58, 0.76, 0.84, 0.66, 16.573],
            "1.090978 1.229844 .727840 -.839871 -.129019",
        ),
    }
    return [
        row
        for name, (a, b, printed) in tables.items()
        for row in listed(
            DAS_GUPTA,
            f"table {name}, factor",
            [str(k + 1) for k in range(len(a))],
            printed,
            partial(shapley_split, np.array(a), np.array(b)),
        )
    ] + listed(
        DAS_GUPTA,
        "table 5.1 (Kitagawa), household headship",
        ("gap", "mix", "rate"),
        "2.9672 1.2269 1.7403",
        headship,
    )


def headship() -> np.ndarray:
    """Points of household headship, 1985 against 1970, by age."""
    share_70 = [12.9, 10.9, 9.5, 8.0, 7.8, 8.4, 8.6, 7.8, 7.0, 5.9, 4.7, 3.6, 4.9]
    share_85 = [10.1, 11.2, 11.6, 10.9, 9.4, 7.7, 6.3, 6.0, 6.3, 5.9, 5.1, 4.0, 5.5]
    rate_70 = [1.9, 25.8, 45.7, 49.6, 51.2, 51.6, 51.8, 54.9, 58.7, 60.4, 62.8, 66.6, 66.8]
    rate_85 = [2.2, 24.3, 45.8, 52.5, 56.1, 55.6, 56.0, 57.4, 57.2, 61.2, 63.9, 68.6, 72.2]
    counts = [
        np.column_stack([n, np.multiply(n, r) / 100]) for n, r in ((share_85, rate_85), (share_70, rate_70))
    ]
    return mix_parts(*counts).total / 10


def _of_rates() -> list[Published]:
    one = {"81/263": ".2553 .3662", "15/148": ".0624 .1605", "0/20": "0 .1611", "1/29": ".0061 .1718"}
    two = {
        "56/70 - 48/80": ".0524 .3339",
        "9/10 - 3/10": ".1705 .8090",
        "6/7 - 2/7": ".0582 .8062",
        "5/56 - 0/29": "-.0381 .1926",
        "0/10 - 0/20": "-.1611 .2775",
        "0/10 - 0/10": "-.2775 .2775",
        "10/10 - 0/20": ".6791 1",
        "10/10 - 0/10": ".6075 1",
    }
    ends = ("low", "high")
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719]
    p += [0.6528, 0.759, 1.0]
    return [
        *(row for name, text in one.items() for row in listed(NEWCOMBE_ONE, f"Wilson, {name}", ends, text, partial(_wilson, name))),
        *(row for name, text in two.items() for row in listed(NEWCOMBE_TWO, f"method 10, {name}", ends, text, partial(_newcombe, name))),
        *listed(R, "binom.test(15, 148)", ends, ".0578440101 .1616504903", lambda: clopper_pearson(15, n=148)),
        Published(R, "prop.test, 56/70 v 48/80, X-squared", "7.023411", lambda: score_test(56, 70, k_b=48, n_b=80)[0] ** 2),
        Published(R, "prop.test, 56/70 v 48/80, p", ".00804508", lambda: score_test(56, 70, k_b=48, n_b=80)[1]),
        Published(R, "power.prop.test, .25 v .30 at 80%, n", "1250.717", lambda: sample_size(0.30, 0.25), 5e-3, "R's root is found to 1e-4 of its scale"),
        Published(
            R, "power.prop.test, n = 3000, .25 at 80%, p2", ".2819487",
            lambda: 0.25 + smallest_visible_difference(0.25, n_a=3000, n_b=3000), 2e-5, "R's root is found to 1e-4 of the rate",
        ),
        Published(BH, "rejected of 15, Bonferroni", "3", lambda: sum(15 * x <= 0.05 for x in p)),
        Published(BH, "rejected of 15, Holm", "3", lambda: (holm(p) <= 0.05).sum()),
        Published(BH, "rejected of 15, Benjamini-Hochberg", "4", lambda: (benjamini_hochberg(p) <= 0.05).sum()),
        Published(BETA, "P(A > B), 9/10 v 3/10", ".9962406", lambda: p_greater(9, 10, k_b=3, n_b=10)),
        Published(BETA, "P(A > B), 15/100 v 10/100", ".8532837899", lambda: p_greater(15, 100, k_b=10, n_b=100)),
        *listed(
            BETA, "P(A > B), two funnels", PLACES[1:], ".0011149256 1.0 .7190695324 .6445188767",
            lambda: [p_greater(k_a, n_a, k_b=k_b, n_b=n_b) for (k_a, n_a), (k_b, n_b) in PAIRS],
        ),
    ]  # fmt: skip


def _wilson(name: str) -> tuple[float, float]:
    k, n = map(int, name.split("/"))
    return wilson(k, n=n)


def _newcombe(name: str) -> tuple[float, float]:
    (k_a, n_a), (k_b, n_b) = (map(int, part.split("/")) for part in name.split(" - "))
    return newcombe(k_a, n_a, k_b=k_b, n_b=n_b)


@cache
def admissions():
    """Men against women by department."""
    return mix(MEN, WOMEN, by="department")


@cache
def stones():
    """Open surgery against the keyhole, by size of the stone."""
    return mix(OPEN, KEYHOLE, by="size")


def admitted(name: str) -> float:
    """A number of the admissions, as a share rather than per 1,000."""
    return getattr(admissions(), name) / 1000


def _segments() -> list[Published]:
    departments = tuple("ABCDEF")
    ratio = partial(getattr, admissions().odds_ratio)
    counts = [np.array(list(firm.values())) for firm in (OPEN, KEYHOLE)]

    def uncorrected() -> float:
        (n_a, k_a), (n_b, k_b) = (c.T for c in counts)
        return mantel_haenszel(k_a, n_a, k_b=k_b, n_b=n_b, corrected=False).p

    return [
        Published(UCB, "gap, men - women", ".1416454282", partial(admitted, "gap")),
        Published(UCB, "Kitagawa, mix", ".1776739112", partial(admitted, "mix")),
        Published(UCB, "Kitagawa, rate", "-.0360284829", partial(admitted, "rate")),
        *listed(
            UCB, "mix, centred, department", departments, ".0862 .05461 .00393 .00169 .01661 .01462",
            lambda: (admissions().table["mix"] / 1000).to_list(),
        ),
        Published(UCB, "Mantel-Haenszel odds ratio", ".904696828", partial(ratio, "ratio")),
        Published(UCB, "Mantel-Haenszel odds ratio, low", ".771907362", partial(ratio, "low")),
        Published(UCB, "Mantel-Haenszel odds ratio, high", "1.060329764", partial(ratio, "high")),
        Published(UCB, "Mantel-Haenszel X-squared, corrected", "1.426946", partial(ratio, "chi2")),
        Published(UCB, "Mantel-Haenszel p, corrected", ".232263", partial(ratio, "p")),
        Published(KIDNEY, "Kitagawa, mix", "-.0993855031", lambda: stones().mix / 1000),
        Published(KIDNEY, "Kitagawa, rate", ".0536712174", lambda: stones().rate / 1000),
        Published(KIDNEY, "Mantel-Haenszel odds ratio", "1.44684662", lambda: stones().odds_ratio.ratio),
        Published(KIDNEY, "Mantel-Haenszel p, not corrected", ".118741", uncorrected),
    ]  # fmt: skip


ROWS = [*_worked(), *_splits(), *_das_gupta(), *_of_rates(), *_segments()]
