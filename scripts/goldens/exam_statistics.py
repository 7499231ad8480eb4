#!/usr/bin/env python3
"""Records what scipy and statsmodels compute for intervals and tests: Tests/Goldens/statistics.

Needs both: `python3 -m venv V && V/bin/pip install scipy statsmodels`, then
`V/bin/python scripts/goldens/exam_statistics.py`. A change of the recorded numbers needs a reason.
"""
import json
import pathlib

import numpy
import scipy
import statsmodels
from scipy.stats import bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

folder = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Goldens" / "statistics"
folder.mkdir(parents=True, exist_ok=True)
numbers = numpy.random.default_rng(20261121)


def wilson(right, n):
    low, high = proportion_confint(right, n, alpha=0.05, method="wilson")
    return {"right": right, "n": n, "low": low, "high": high}


def exact(gained, lost):
    table = [[0, gained], [lost, 0]]
    p = mcnemar(table, exact=True).pvalue if gained + lost else 1.0
    return {"gained": gained, "lost": lost, "p": float(p)}


def interval(values, replicates=None):
    """BCa over given replicates, exactly, or over 200,000, as nearly as they go."""
    if replicates is None:
        result = bootstrap((values,), numpy.mean, n_resamples=200_000, batch=1000, method="BCa",
                           rng=numpy.random.default_rng(1))
    else:
        given = bootstrap((values,), numpy.mean, n_resamples=len(replicates), method="BCa",
                          rng=numpy.random.default_rng(1))
        given.bootstrap_distribution[:] = replicates
        result = bootstrap((values,), numpy.mean, n_resamples=0, method="BCa",
                           bootstrap_result=given)
    ends = result.confidence_interval
    return {"values": [float(x) for x in values], "low": float(ends.low), "high": float(ends.high),
            **({} if replicates is None else {"replicates": [float(x) for x in replicates]})}


def rounded(count, draw):
    return numpy.round(draw(count), 2)


samples = [
    rounded(25, lambda n: numbers.beta(5, 1.5, n)),
    rounded(60, lambda n: numbers.choice([0, 0.25, 0.5, 1], n, p=[0.1, 0.2, 0.3, 0.4])),
    rounded(60, lambda n: numbers.choice([-0.5, 0, 0, 0, 0.25], n)),
]
expected = {
    "scipy": scipy.__version__,
    "statsmodels": statsmodels.__version__,
    "wilson": [wilson(*case) for case in
               [(0, 1), (1, 1), (0, 10), (10, 10), (1, 3), (7, 12), (81, 263), (1640, 2000),
                (99_999, 100_000)]],
    "mcnemar": [exact(*case) for case in
                [(0, 0), (1, 0), (0, 6), (5, 5), (3, 11), (41, 15), (400, 470), (1500, 1400)]],
    "replicates": [
        interval(values, numpy.round(numbers.choice(values, (99, len(values))).mean(axis=1), 6))
        for values in samples
    ],
    "bootstrap": [interval(values) for values in samples],
}
(folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
print((folder / "expected.json").stat().st_size)
