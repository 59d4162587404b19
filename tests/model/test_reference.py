"""Agreement with statsmodels and scipy where they have the same thing; both are for tests, the program needs scipy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.metrics import power, stats

api = pytest.importorskip("statsmodels.api", reason="pip install -e .[dev]")
some = settings(max_examples=40, deadline=None)


@some
@given(st.integers(1, 400), st.data())
def test_wilson_agrees_with_statsmodels(n: int, data: st.DataObject) -> None:
    from statsmodels.stats.proportion import proportion_confint

    right = data.draw(st.integers(0, n))
    low, high = proportion_confint(right, n, alpha=0.05, method="wilson")
    found = stats.wilson(right / n, n, float(scipy_stats.norm.ppf(0.975)))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@some
@given(st.integers(8, 12), st.integers(1, 5), st.data())
def test_the_variance_of_equal_groups_agrees_with_statsmodels(count: int, size: int, data: st.DataObject) -> None:
    n = count * size
    values = np.array(data.draw(st.lists(st.floats(-100, 100), min_size=n, max_size=n)))
    groups = np.repeat(np.arange(count), size)
    fit = api.OLS(values, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True})
    # statsmodels multiplies by G / (G - 1) and by (n - 1) / (n - k), which is 1 for a mean
    expected = float(fit.bse[0])
    assert stats.standard_error(values.tolist(), groups.tolist()) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    low, high = (
        scipy_stats.t.interval(0.95, count - 1, values.mean(), expected) if expected > 0 else (values.mean(),) * 2
    )
    found = stats.clustered_interval(values.tolist(), groups.tolist())
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


@some
@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 8)), min_size=4, max_size=40))
def test_variance_and_degrees_of_freedom_are_bell_and_mccaffrey_s_in_matrices(
    rows: Sequence[tuple[float, int]],
) -> None:
    values, groups = (np.array(column) for column in zip(*rows, strict=True))
    n, names = len(values), sorted(set(groups.tolist()))
    if len(names) < 2:
        return
    residual_maker = np.eye(n) - np.ones((n, n)) / n
    columns = []
    for name in names:
        inside = groups == name
        roots, axes = np.linalg.eigh(residual_maker[np.ix_(inside, inside)])
        adjust = axes @ np.diag(roots**-0.5) @ axes.T
        columns.append(residual_maker[:, inside] @ adjust @ np.ones(inside.sum()) / n)
    matrix = np.array(columns)
    products = matrix @ matrix.T
    found = stats.sample(values.tolist(), groups.tolist())
    assert found.variance == pytest.approx(float(((matrix @ values) ** 2).sum()), rel=1e-6, abs=1e-9)
    assert found.df == pytest.approx(np.trace(products) ** 2 / (products**2).sum(), rel=1e-6)


@some
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 100))
def test_single_questions_agree_with_statsmodels_mcnemar(won: int, lost: int, alike: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    expected = mcnemar([[alike, won], [lost, 0]], exact=True).pvalue
    differences = [1.0] * won + [-1.0] * lost + [0.0] * alike
    assert stats.sign_flip_p(differences, range(len(differences))) == pytest.approx(expected, rel=1e-9)


@some
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_agrees_with_statsmodels(pvalues: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert stats.holm(pvalues) == pytest.approx(multipletests(pvalues, method="holm")[1], rel=1e-12)


@pytest.mark.parametrize("groups", [20, 200, 2000])
@pytest.mark.parametrize("difference", [0.01, 0.03, 0.1])
def test_power_agrees_with_statsmodels(groups: int, difference: float) -> None:
    from statsmodels.stats.power import TTestPower

    expected = TTestPower().power(difference / 0.45, groups, 0.05)
    assert power.power(difference, groups, 0.45) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("groups", [60, 320, 600])
def test_the_smallest_difference_found_agrees_with_statsmodels_and_with_its_own_power(groups: int) -> None:
    from statsmodels.stats.power import TTestPower

    found = power.minimal_detectable_difference(groups, 0.45)
    expected = 0.45 * TTestPower().solve_power(nobs=groups, alpha=0.05, power=0.8)
    assert found == pytest.approx(expected, rel=0.01)
    assert power.power(found, groups, 0.45) == pytest.approx(0.8, abs=0.01)
    assert power.detectable(0.45 / math.sqrt(groups), groups - 1) == pytest.approx(expected, rel=1e-4)


def test_not_worse_agrees_with_scipy_s_one_sided_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.0, 1.0, (2, 50))
    found = stats.not_worse_p(a.tolist(), b.tolist(), range(50), 0.3)
    expected = scipy_stats.ttest_1samp(a - b, -0.3, alternative="greater").pvalue
    assert found == pytest.approx(float(expected), rel=1e-9)
