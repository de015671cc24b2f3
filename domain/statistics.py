"""How sure a number is: intervals at 95 %, differences paired by row, percentiles.

Not one of these drops a value silently: NaN and infinity raise ValueError naming the position.
`scipy` is imported inside the one function that needs it, because it is slow to import.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
POWER = 0.80
_UPPER = 1 - (1 - CONFIDENCE) / 2  # two-sided: 2.5 % on each side
_Z = NormalDist().inv_cdf(_UPPER)


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; `low` and `high` are None when there are fewer than two values."""

    count: int
    mean: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> Estimate:
    """Estimate the mean that more rows like these would have.

    Values that are all 0 or 1 get Wilson's score interval (Wilson 1927, without continuity correction), which
    keeps its coverage near 0 and 1 and has a width even when every row agrees. Other values get Student's t.
    Raises ValueError when there is no value, or one that is not finite.
    """
    numbers = _finite(values)
    mean = math.fsum(numbers) / len(numbers)
    if len(numbers) < 2:
        return Estimate(len(numbers), mean, None, None)
    if _is_binary(numbers):
        return Estimate(len(numbers), mean, *_wilson(mean, len(numbers)))
    margin = _t_quantile(_UPPER, len(numbers) - 1) * _standard_error(numbers)
    return Estimate(len(numbers), mean, mean - margin, mean + margin)


def paired_difference(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """Estimate the mean of after minus before, where the same position is the same row.

    Pairing removes what rows have in common, so the interval is narrower than that of two separate means
    (Miller 2024, "Adding error bars to evals", arXiv 2411.00640). Scores that are all 0 or 1 get the
    adjusted Wald interval for paired proportions (Bonett and Price 2012, J. Educ. Behav. Stat. 37(4)), which has a
    width even when no row changed; its middle is shrunk toward 0, the mean is not. Others get Student's t.
    Raises ValueError when the lengths differ, there is no pair, or a value is not finite.
    """
    differences = _differences(before, after)
    count = len(differences)
    mean = math.fsum(differences) / count
    if count < 2:
        return Estimate(count, mean, None, None)
    if _is_binary(before) and _is_binary(after):
        middle, error = _bonett_price(differences)
        return Estimate(count, mean, max(-1.0, middle - _Z * error), min(1.0, middle + _Z * error))
    margin = _t_quantile(_UPPER, count - 1) * _standard_error(differences)
    return Estimate(count, mean, mean - margin, mean + margin)


def detectable_drop(before: Sequence[float], after: Sequence[float]) -> float | None:
    """Return the smallest true drop that these paired rows would have shown, in the metric's own unit.

    "Shown" means: with 80 % probability the 95 % interval lies wholly below zero. This is the minimum detectable
    difference of a paired design, (t(0.975, n - 1) + t(0.80, n - 1)) * standard error (Zar, "Biostatistical
    Analysis", one-sample hypotheses), with the standard error and the quantiles (t or normal) of
    `paired_difference`. None when there are fewer than two pairs.
    """
    differences = _differences(before, after)
    if len(differences) < 2:
        return None
    if _is_binary(before) and _is_binary(after):
        return (_Z + NormalDist().inv_cdf(POWER)) * _bonett_price(differences)[1]
    freedom = len(differences) - 1
    return (_t_quantile(_UPPER, freedom) + _t_quantile(POWER, freedom)) * _standard_error(differences)


def percentile(values: Sequence[float], q: float) -> float:
    """Return the q-th percentile (0 < q <= 100) by nearest rank.

    That is the smallest value that at least q % of the values do not exceed (Hyndman and Fan 1996, definition 1):
    always a value that was really seen. Raises ValueError for another q, no value, or one that is not finite.
    """
    if not 0 < q <= 100:
        raise ValueError(f"percentile {q} is outside 0 < q <= 100")
    numbers = sorted(_finite(values))
    rank = math.ceil(round(q * len(numbers) / 100, 9))  # rounded, so that 99.9 % of 1000 is rank 999 in binary too
    return numbers[max(rank, 1) - 1]


def _finite(values: Sequence[float]) -> list[float]:
    if not values:
        raise ValueError("no values: an aggregate needs at least one")
    numbers = [float(value) for value in values]
    for position, number in enumerate(numbers):
        if not math.isfinite(number):
            raise ValueError(f"value {number} at position {position} is not a finite number")
    return numbers


def _differences(before: Sequence[float], after: Sequence[float]) -> list[float]:
    if len(before) != len(after):
        raise ValueError(f"{len(before)} values before and {len(after)} after cannot be paired")
    return [now - then for then, now in zip(_finite(before), _finite(after), strict=True)]


def _is_binary(values: Sequence[float]) -> bool:
    return all(value in (0, 1) for value in values)


def _standard_error(numbers: list[float]) -> float:
    mean = math.fsum(numbers) / len(numbers)
    squares = math.fsum((number - mean) ** 2 for number in numbers)
    return math.sqrt(squares / (len(numbers) - 1) / len(numbers))


def _wilson(share: float, count: int) -> tuple[float, float]:
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    middle, scale = share + _Z**2 / (2 * count), 1 + _Z**2 / count
    # Clamped to the mean: at a share of exactly 0 or 1 rounding could leave it a hair outside.
    return min(max(0.0, (middle - spread) / scale), share), max(min(1.0, (middle + spread) / scale), share)


def _bonett_price(differences: list[float]) -> tuple[float, float]:
    """Return the middle and the standard error: one row that got better and one that got worse are added."""
    count = len(differences) + 2
    better = (differences.count(1.0) + 1) / count
    worse = (differences.count(-1.0) + 1) / count
    return better - worse, math.sqrt((better + worse - (better - worse) ** 2) / count)


def _t_quantile(probability: float, freedom: int) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415  scipy.special imports in a third of the time of scipy.stats

    return float(stdtrit(freedom, probability))
