"""Lifetime value: BG/NBD for how often, Gamma-Gamma for how much. Pure, on arrays.

Sources: Fader, Hardie and Lee, "Counting your customers the easy way: an alternative to
the Pareto/NBD model", Marketing Science 24 (2005), equations 6, 10 and A.1; Fader and
Hardie, "The Gamma-Gamma model of monetary value" (2013), equations 1a and 5. No kept
library has them at a reasonable weight (decision 0011).

A customer is (x, t_x, T): repeat purchase days, and the weeks from the first to the last
of them and to the end of the observation.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

MIN_CUSTOMERS = 50  # fewer give parameters that say nothing (own judgement)
MIN_REPEATERS = 10
LARGEST = 1e4  # parameters stay between this and its inverse


class NoFit(ValueError):
    """The data cannot carry a model; the message is a key: "few"."""


@dataclass(frozen=True)
class BgNbd:
    """Purchases by a Poisson process until a customer silently drops out.

    Rates are Gamma(r, alpha) over customers, drop-out after a purchase Beta(a, b).
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True)
class GammaGamma:
    """Mean spending per purchase day: Gamma(p, ν), ν being Gamma(q, gamma) over customers."""

    p: float
    q: float
    gamma: float


def _minimise(loss: Any, start: list[float]) -> tuple[np.ndarray, float]:
    """The positive parameters with the least loss: on logarithms, twice from the result.

    Where nobody drops out, or all are alike, the likelihood grows without end along some
    parameter: it stops at the bound, where expectations do not move any more.
    """
    edge = math.log(LARGEST)
    at = np.log(np.asarray(start))
    for _time in range(2):  # Nelder-Mead may stop early once; a fresh simplex goes on
        found = minimize(
            lambda logs: loss(np.exp(logs)),
            at,
            method="Nelder-Mead",
            bounds=[(-edge, edge)] * len(start),
            options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000},
        )
        at = found.x
    return np.exp(at), float(found.fun)


def is_flat(*parameters: float) -> bool:
    """Whether a fit stopped at the bound: its parameters say little, its sums hold."""
    return any(not 2 / LARGEST < value < LARGEST / 2 for value in parameters)


def _grouped(*columns: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Distinct rows and how often each occurs: a million customers share few histories."""
    rows, times = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return list(rows.T), times


def fit_bg_nbd(x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> BgNbd:  # noqa: N803 - as in the paper
    """The maximum-likelihood fit. NoFit("few") under 50 customers or 10 repeaters.

    Cost: some 600 evaluations over the distinct histories.
    """
    if len(x) < MIN_CUSTOMERS or (x > 0).sum() < MIN_REPEATERS:
        raise NoFit("few")
    scale = float(T.max()) / 10  # keeps all four parameters near one another
    (x, t_x, T), times = _grouped(x, t_x / scale, T / scale)  # noqa: N806 - as in the paper
    total, has_repeat = times.sum(), x > 0

    def loss(values: np.ndarray) -> float:
        r, alpha, a, b = values
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        common = common + gammaln(a + b) + gammaln(b + x)
        common = common - gammaln(b) - gammaln(a + b + x)
        alive = -(r + x) * np.log(alpha + T)
        gone = np.log(a) - np.log(b + np.maximum(x, 1) - 1)
        gone = gone - (r + x) * np.log(alpha + t_x)
        either = np.where(has_repeat, np.logaddexp(alive, gone), alive)
        return float(-((common + either) * times).sum() / total)

    (r, alpha, a, b), least = _minimise(loss, [1.0, 1.0, 1.0, 1.0])
    # In weeks the density of x purchase times shrinks by scale^x.
    likelihood = -least * total - float((x * times).sum()) * math.log(scale)
    return BgNbd(float(r), float(alpha * scale), float(a), float(b), likelihood)


def probability_alive(
    model: BgNbd,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,  # noqa: N803 - as in the paper
) -> np.ndarray:
    """Share of 1 that a customer has not dropped out; 1 for one without a repeat."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    return np.where(x > 0, 1 / (1 + odds), 1.0)


def expected_purchases(
    model: BgNbd,
    x: np.ndarray,
    t_x: np.ndarray,
    T: np.ndarray,  # noqa: N803 - as in the paper
    weeks: float,
) -> np.ndarray:
    """Purchase days that each customer is expected to have in the next `weeks`."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    if abs(a - 1) < 1e-6:
        a = 1 + 1e-6  # the formula's limit there
    z = weeks / (alpha + T + weeks)
    growth = ((alpha + T) / (alpha + T + weeks)) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, z)
    whole = (a + b + x - 1) / (a - 1) * (1 - growth * series)
    return whole * probability_alive(model, x, t_x, T)


def fit_gamma_gamma(x: np.ndarray, mean: np.ndarray) -> GammaGamma:
    """The fit over customers with repeats and a positive mean. NoFit("few") under 10.

    `mean` is over the repeat purchase days, the first left out.
    """
    kept = (x > 0) & (mean > 0)
    if kept.sum() < MIN_REPEATERS:
        raise NoFit("few")
    x, mean = x[kept].astype(float), mean[kept].astype(float)
    scale = float(mean.mean())
    mean = mean / scale

    def loss(values: np.ndarray) -> float:
        p, q, gamma = values
        found = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        found = found + (p * x - 1) * np.log(mean) + p * x * np.log(x)
        found = found - (p * x + q) * np.log(gamma + mean * x)
        return float(-found.mean())

    (p, q, gamma), _least = _minimise(loss, [1.0, 1.0, 1.0])
    return GammaGamma(float(p), float(q), float(gamma * scale))


def expected_spending(model: GammaGamma, x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Spending expected on a purchase day: the own mean drawn towards everybody's."""
    x = np.where(mean > 0, x, 0)
    own = np.where(mean > 0, mean, 0.0)
    q = max(model.q, 1 + 1e-6)  # at q ≤ 1 the mean over customers does not exist
    return model.p * (model.gamma + own * x) / (model.p * x + q - 1)
