"""One law per skill: what the tokens of every source do to the bits of its answers, and how well that is known.

    bits_s = E_s + D_s · (m_s / m_s,now)^(−α_s) + Σ_k h_sk · v_k        m_s = (Σ_k τ_sk · √(u_k + u_0))²

    u_k   tokens of source k as they count: repeated ones less and less, old ones less
    v_k   the part of what counts that is of source k (harm h: what makes a skill worse the more of it there is)
    τ_sk  how much a token of source k teaches skill s

A power of what was learned, concave in each source, sources as imperfect substitutes (exponent ½). Parameters have
priors, observations sharpen them: maximum a posteriori by least squares, and the curvature there as their covariance.

Source: concavity in a source's own share carries the ranking of mixtures on RegMix's public runs (docs/LOG.md,
2026-11-27); repetition as in arXiv:2305.16264. Prior widths: chosen, untested.

Shapes: D draws, S skills, K sources, P segments of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

REPEAT_WORTH = 15.4
POWER, POWER_SD = 0.28, 0.08
REDUCIBLE, REDUCIBLE_SD = 0.5, 0.5
"""Of a skill's present bits, what more training could take away, and the width of its logarithm."""
HARM_SD = 0.1
"""Width of harm, in present bits per share of 1."""
FIRST_BITS = 3.0
"""Bits per byte assumed of a skill before anything was measured; only differences matter."""
OFFSET_SHARE = 0.002
"""u_0 as a share of the whole run: the first token of a source teaches much, not infinitely much."""
MEMORY_SHARE = 1.0
"""Tokens that lie a whole run further back count 1/e. Late data are kept best: arXiv:2509.25380; the length is chosen."""
PAIRED = 0.3
"""Noise of a skill between two looks, as a share of its standard error over items: the items are the same ones, so that
most of it moves the level of all looks together. Chosen, untested."""

MISFIT = 0.4
"""Standard deviation of a predicted change by what no power law knows (skills that come all at once, the falling rate), as a
share of the change. Set where 85% of 80 changes came inside their 90% intervals, 69% without it (docs/LOG.md, 2026-11-27)."""


@dataclass(frozen=True)
class Look:
    """Skills as measured after the first `segments` segments: skill → (bits per byte, standard error)."""

    segments: int
    bits: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Contrast:
    """What a branch showed against its twin: after `segments`, both trained `tokens` more, on other shares.

    shares, control  K each; bits: skill → (difference in bits per byte, its standard error)
    """

    segments: int
    tokens: float
    shares: tuple[float, ...]
    control: tuple[float, ...]
    bits: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class World:
    """What training consists of. unique_K: tokens that differ; trained_PK: tokens of each segment so far.

    total   tokens of the whole run
    """

    unique_K: Array
    trained_PK: Array
    total: float

    @property
    def offset(self) -> float:
        return OFFSET_SHARE * self.total


def counting(world: World, tokens_PK: Array) -> tuple[Array, Array, Array]:
    """u_K and v_K of a training in segments, and du_K/dtokens_PK where the segments' lengths stay.

    Age moves weight between segments and takes none away: all tokens together count as many as they are.
    """
    lengths = tokens_PK.sum(axis=1)
    memory_P = remembered(world, lengths)
    memory_P = memory_P * (lengths.sum() / max(float(memory_P @ lengths), 1e-9))
    seen_K = tokens_PK.sum(axis=0)
    kept_K = memory_P @ tokens_PK
    worth_K, slope_K = _worth(seen_K, world.unique_K)
    by_tokens_PK = memory_P[:, None] * worth_K + kept_K * slope_K
    return kept_K * worth_K, kept_K / max(float(lengths.sum()), 1e-9), by_tokens_PK


def remembered(world: World, lengths_P: Array) -> Array:
    """What a token of each segment counts at the end, before the weights are brought to a mean of 1."""
    ages = lengths_P[::-1].cumsum()[::-1] - lengths_P / 2
    return np.exp(-ages / (MEMORY_SHARE * world.total))


def _worth(seen_K: Array, unique_K: Array) -> tuple[Array, Array]:
    """What a token counts on average when so many were seen, and its derivative: 1 within one pass, then less."""
    passes = seen_K / np.maximum(unique_K, 1e-9)
    over = np.maximum(passes - 1, 0.0)
    fade = np.exp(-over / REPEAT_WORTH)
    counted = np.maximum(unique_K, 1e-9) * (1 + REPEAT_WORTH * (1 - fade))
    safe = np.maximum(seen_K, 1e-9)
    worth = np.where(passes <= 1, 1.0, counted / safe)
    slope = np.where(passes <= 1, 0.0, (fade - worth) / safe)
    return worth, slope


@dataclass(frozen=True)
class Draws:
    """Possible worlds. `skills` names the second axis."""

    skills: tuple[str, ...]
    tau_DSK: Array
    power_DS: Array
    reducible_DS: Array
    rest_DS: Array
    harm_DSK: Array

    def bits(self, u_K: Array, v_K: Array, offset: float, now_K: Array) -> Array:
        """Bits per byte of every skill, D S; `now_K` is u where the law is anchored."""
        ratio = (self._taught(u_K, offset) / self._taught(now_K, offset)) ** 2
        return self.rest_DS + self.reducible_DS * ratio ** (-self.power_DS) + self.harm_DSK @ v_K

    def slopes(self, u_K: Array, offset: float, now_K: Array) -> Array:
        """d bits / d u, without harm: D S K."""
        s_DS = self._taught(u_K, offset)
        ratio = (s_DS / self._taught(now_K, offset)) ** 2
        falling = -2 * self.power_DS * self.reducible_DS * ratio ** (-self.power_DS) / s_DS
        return falling[..., None] * self.tau_DSK / (2 * np.sqrt(u_K + offset))

    def _taught(self, u_K: Array, offset: float) -> Array:
        return self.tau_DSK @ np.sqrt(u_K + offset)

    def only(self, draw: int) -> Draws:
        """One of the worlds."""
        part = slice(draw, draw + 1)
        return Draws(
            self.skills,
            self.tau_DSK[part],
            self.power_DS[part],
            self.reducible_DS[part],
            self.rest_DS[part],
            self.harm_DSK[part],
        )


@dataclass(frozen=True)
class Fitted:
    """One skill's parameters: log τ_K, log α, log D, E, h_K in one vector, and their covariance.

    fit   share of the spread of its observations that the law explains when each is left out; None with fewer than four
    """

    mean: Array
    covariance: Array
    fit: float | None = None


def anchor(world: World) -> Array:
    """u_K where the law is anchored: now, or what the whole run would be on even shares before it began."""
    if len(world.trained_PK):
        return counting(world, world.trained_PK)[0]
    sources = len(world.unique_K)
    return counting(world, np.full((1, sources), world.total / sources))[0]


def fit_skill(
    world: World,
    skill: str,
    prior_tau_K: Array,
    prior_sd_K: Array,
    looks: Sequence[Look],
    contrasts: Sequence[Contrast] = (),
) -> Fitted:
    """What is known of one skill. prior_tau_K: how much each source is believed to teach it; prior_sd_K: of the log."""
    seen = [(n.segments, n.bits[skill][0], PAIRED * n.bits[skill][1]) for n in looks if skill in n.bits]
    shown = [c for c in contrasts if skill in c.bits]
    mean, covariance = _solve(world, skill, prior_tau_K, prior_sd_K, seen, shown)
    return Fitted(mean, covariance, _left_out(world, skill, prior_tau_K, prior_sd_K, seen, shown))


def _solve(
    world: World,
    skill: str,
    tau_K: Array,
    sd_K: Array,
    seen: Sequence[tuple[int, float, float]],
    shown: Sequence[Contrast],
) -> tuple[Array, Array]:
    from scipy.optimize import least_squares

    size = len(tau_K)
    now = seen[-1][1] if seen else FIRST_BITS
    centre = np.concatenate(
        [np.log(tau_K), [np.log(POWER), np.log(REDUCIBLE * now), (1 - REDUCIBLE) * now], np.zeros(size)]
    )
    width = np.concatenate([sd_K, [POWER_SD / POWER, REDUCIBLE_SD, 0.5 * now], np.full(size, HARM_SD * now)])
    seen_by = _observations(world, skill, seen, shown)
    now_K = np.sqrt(anchor(world) + world.offset)

    def off(theta: Array) -> Array:
        bits, _ = _bits_at(theta, seen_by, now_K)
        return np.concatenate(
            [(theta - centre) / width, (seen_by.signs @ bits - seen_by.found) / seen_by.error]
        )

    def slope(theta: Array) -> Array:
        _, by_theta = _bits_at(theta, seen_by, now_K)
        return np.vstack([np.diag(1 / width), seen_by.signs @ by_theta / seen_by.error[:, None]])

    solved = least_squares(off, centre, jac=slope, x_scale=width, max_nfev=200)
    return solved.x, np.linalg.inv(solved.jac.T @ solved.jac)


@dataclass(frozen=True)
class _Observations:
    """N trainings as √(u + u_0) and v, and what was found of sums of them: `signs` O N, `found` and `error` O."""

    root_NK: Array
    v_NK: Array
    signs: Array
    found: Array
    error: Array


def _observations(
    world: World, skill: str, seen: Sequence[tuple[int, float, float]], shown: Sequence[Contrast]
) -> _Observations:
    trainings = [world.trained_PK[:n] for n, _, _ in seen]
    rows = [{place: 1.0} for place in range(len(seen))]
    for one in shown:
        before = world.trained_PK[: one.segments]
        rows.append({len(trainings): 1.0, len(trainings) + 1: -1.0})
        for shares in (one.shares, one.control):
            trainings.append(np.vstack([before, one.tokens * np.array(shares)]))
    signs = np.zeros((len(rows), len(trainings)))
    for place, row in enumerate(rows):
        signs[place, list(row)] = list(row.values())
    counted = [counting(world, tokens)[:2] for tokens in trainings]
    size = (0, len(world.unique_K))
    found = [(bits, se) for _, bits, se in seen] + [c.bits[skill] for c in shown]
    return _Observations(
        np.sqrt(np.array([u for u, _ in counted]).reshape(-1, size[1]) + world.offset),
        np.array([v for _, v in counted]).reshape(-1, size[1]),
        signs,
        np.array([bits for bits, _ in found]),
        np.array([max(se, 1e-4) for _, se in found]),
    )


def _bits_at(theta: Array, by: _Observations, now_K: Array) -> tuple[Array, Array]:
    """Bits after each of the N trainings, and their derivatives by the parameters."""
    size = by.root_NK.shape[1]
    tau, (log_power, log_reducible, rest), harm = (
        np.exp(theta[:size]),
        theta[size : size + 3],
        theta[size + 3 :],
    )
    power = np.exp(log_power)
    taught_N, taught_now = by.root_NK @ tau, float(now_K @ tau)
    log_ratio = 2 * np.log(taught_N / taught_now)
    falling = np.exp(log_reducible - power * log_ratio)
    by_tau = -2 * (power * falling)[:, None] * tau * (by.root_NK / taught_N[:, None] - now_K / taught_now)
    by_power = -(power * falling * log_ratio)[:, None]
    ones = np.ones((len(taught_N), 1))
    return falling + rest + by.v_NK @ harm, np.hstack([by_tau, by_power, falling[:, None], ones, by.v_NK])


def _left_out(
    world: World,
    skill: str,
    tau_K: Array,
    sd_K: Array,
    seen: Sequence[tuple[int, float, float]],
    shown: Sequence[Contrast],
) -> float | None:
    """1 − (errors when each look is left out) / (spread of the looks); the last look stays in, it is the anchor."""
    if len(seen) < 4:
        return None
    now_K, errors = anchor(world), []
    for out in range(len(seen) - 1):
        rest = [one for place, one in enumerate(seen) if place != out]
        mean, _ = _solve(world, skill, tau_K, sd_K, rest, shown)
        one = _as_draws((skill,), mean[None, None])
        u_K, v_K, _ = counting(world, world.trained_PK[: seen[out][0]])
        errors.append(float(one.bits(u_K, v_K, world.offset, now_K)[0, 0]) - seen[out][1])
    spread = np.var([bits for _, bits, _ in seen[:-1]]) * len(errors)
    return 1 - float(np.square(errors).sum() / max(spread, 1e-12))


def draw(fits: Mapping[str, Fitted], count: int, seed: int, widening: float = 1.0) -> Draws:
    """Worlds drawn from what is known; `widening` multiplies every standard deviation."""
    skills = tuple(sorted(fits))
    rng = np.random.default_rng(seed)
    columns = []
    for skill in skills:
        one = fits[skill]
        values, vectors = np.linalg.eigh(one.covariance)
        spread = vectors * np.sqrt(np.maximum(values, 0.0))
        columns.append(one.mean + widening * rng.standard_normal((count, len(one.mean))) @ spread.T)
    return _as_draws(skills, np.stack(columns, axis=1))


def middle(fits: Mapping[str, Fitted]) -> Draws:
    """The single most probable world."""
    skills = tuple(sorted(fits))
    return _as_draws(skills, np.stack([fits[skill].mean for skill in skills])[None])


def _as_draws(skills: tuple[str, ...], theta_DSN: Array) -> Draws:
    size = (theta_DSN.shape[-1] - 3) // 2
    log_tau, rest, harm = theta_DSN[..., :size], theta_DSN[..., size : size + 3], theta_DSN[..., size + 3 :]
    return Draws(
        skills,
        np.exp(np.clip(log_tau, -12, 12)),
        np.exp(np.clip(rest[..., 0], -5, 1)),
        np.exp(np.clip(rest[..., 1], -12, 4)),
        rest[..., 2],
        harm,
    )
