#!/usr/bin/env python3
"""How many evaluations SciPy's L-BFGS-B takes on the problems of More, Garbow and Hillstrom ("Testing Unconstrained
Optimization Software", ACM TOMS 7, 1981), from their starting points. Writes classic.json beside this file.

    python classic.py

Every problem is a sum of squares of residuals. Its gradient is that of the complex step, exact to rounding. The least value
is the published one; where there are several minima, that of the one SciPy finds in double precision. A run has reached a share
`s` when its value is at most `least + s (first - least)` (More and Wild, SIAM J. Optim. 20, 2009, eq. 2.2). Each share is
measured twice: in double precision, and with the point, the value and the gradient of every evaluation rounded to single
precision, as the crate's runs have them. None: not reached.
"""
import json
import pathlib

import numpy as np
from scipy.optimize import minimize

DATA = {
    "bard": [.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.10, 4.39],
    "gaussian": [.0009, .0044, .0175, .0540, .1295, .2420, .3521, .3989, .3521, .2420, .1295, .0540, .0175, .0044, .0009],
    "meyer": [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872],
    "kowalik y": [.1957, .1947, .1735, .1600, .0844, .0627, .0456, .0342, .0323, .0235, .0246],
    "kowalik u": [4, 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625],
    "osborne 1": [.844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751, .718, .685, .658, .628, .603, .580, .558,
                  .538, .522, .506, .490, .478, .467, .457, .448, .438, .431, .424, .420, .414, .411, .406],
    "osborne 2": [1.366, 1.191, 1.112, 1.013, .991, .885, .831, .847, .786, .725, .746, .679, .608, .655, .616, .606, .602, .626,
                  .651, .724, .649, .649, .694, .644, .624, .661, .612, .558, .533, .495, .500, .423, .395, .375, .372, .391,
                  .396, .405, .428, .429, .523, .562, .607, .653, .672, .708, .633, .668, .645, .632, .591, .559, .597, .625,
                  .739, .710, .729, .720, .636, .581, .428, .292, .162, .098, .054],
}


def data(name):
    return np.array(DATA[name], float)


def count(n):
    return np.arange(1, n + 1, dtype=float)


def rosenbrock(x):
    return np.concatenate([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]])


def freudenstein_roth(x):
    a, b = x
    return np.array([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b])


def powell_badly_scaled(x):
    return np.array([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def brown_badly_scaled(x):
    return np.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def beale(x):
    i = count(3)
    return np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** i)


def jennrich_sampson(x):
    i = count(10)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def helical_valley(x):
    angle = np.arctan(x[1] / x[0]) / (2 * np.pi) + (0.5 if x[0].real < 0 else 0)
    return np.array([10 * (x[2] - 10 * angle), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def bard(x):
    u = count(15)
    v = 16 - u
    return data("bard") - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


def gaussian(x):
    t = (8 - count(15)) / 2
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - data("gaussian")


def meyer(x):
    t = 45 + 5 * count(16)
    return x[0] * np.exp(x[1] / (t + x[2])) - data("meyer")


def gulf(x):
    # The exponent is |y - x2|^x3 / x1; the paper's "y m i x2" is a misprint.
    t = count(99) / 100
    away = 25 + (-50 * np.log(t)) ** (2 / 3) - x[1]
    away = np.where(away.real < 0, -away, away)
    return np.exp(-np.exp(x[2] * np.log(away)) / x[0]) - t


def box(x):
    t = count(10) / 10
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def powell_singular(x):
    a, b, c, d = x[::4], x[1::4], x[2::4], x[3::4]
    return np.concatenate([a + 10 * b, np.sqrt(5) * (c - d), (b - 2 * c) ** 2, np.sqrt(10) * (a - d) ** 2])


def wood(x):
    a, b, c, d = x
    return np.array([10 * (b - a ** 2), 1 - a, np.sqrt(90) * (d - c ** 2), 1 - c, np.sqrt(10) * (b + d - 2), (b - d) / np.sqrt(10)])


def kowalik_osborne(x):
    u = data("kowalik u")
    return data("kowalik y") - x[0] * (u ** 2 + u * x[1]) / (u ** 2 + u * x[2] + x[3])


def brown_dennis(x):
    t = count(20) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def osborne_1(x):
    t = 10 * (count(33) - 1)
    return data("osborne 1") - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


def biggs(x):
    t = count(13) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def osborne_2(x):
    t = (count(65) - 1) / 10
    bumps = [x[i] * np.exp(-((t - x[i + 7]) ** 2) * x[i + 4]) for i in (1, 2, 3)]
    return data("osborne 2") - (x[0] * np.exp(-t * x[4]) + sum(bumps))


def watson(x):
    t = count(29) / 29
    slope = sum(j * x[j] * t ** (j - 1) for j in range(1, len(x)))
    value = sum(x[j] * t ** j for j in range(len(x)))
    return np.concatenate([slope - value ** 2 - 1, [x[0], x[1] - x[0] ** 2 - 1]])


def penalty_1(x):
    return np.concatenate([np.sqrt(1e-5) * (x - 1), [np.sum(x ** 2) - 0.25]])


def penalty_2(x):
    n = len(x)
    i = count(n)[1:]
    y = np.exp(i / 10) + np.exp((i - 1) / 10)
    pairs = np.exp(x[1:] / 10) + np.exp(x[:-1] / 10) - y
    singles = np.exp(x[1:] / 10) - np.exp(-1 / 10)
    last = np.sum((n - count(n) + 1) * x ** 2) - 1
    return np.concatenate([[x[0] - 0.2], np.sqrt(1e-5) * pairs, np.sqrt(1e-5) * singles, [last]])


def variably_dimensioned(x):
    total = np.sum(count(len(x)) * (x - 1))
    return np.concatenate([x - 1, [total, total ** 2]])


def trigonometric(x):
    return len(x) - np.sum(np.cos(x)) + count(len(x)) * (1 - np.cos(x)) - np.sin(x)


def brown_almost_linear(x):
    return np.concatenate([x[:-1] + np.sum(x) - (len(x) + 1), [np.prod(x) - 1]])


def with_zeros(x):
    return np.concatenate([[0], x, [0]])


def boundary_value(x):
    h = 1 / (len(x) + 1)
    z = with_zeros(x)
    return 2 * x - z[:-2] - z[2:] + h ** 2 * (x + h * count(len(x)) + 1) ** 3 / 2


def integral_equation(x):
    h = 1 / (len(x) + 1)
    t = h * count(len(x))
    cubes = (x + t + 1) ** 3
    before = np.cumsum(t * cubes)
    after = np.sum((1 - t) * cubes) - np.cumsum((1 - t) * cubes)
    return x + h * ((1 - t) * before + t * after) / 2


def broyden_tridiagonal(x):
    z = with_zeros(x)
    return (3 - 2 * x) * x - z[:-2] - 2 * z[2:] + 1


def broyden_banded(x):
    n = len(x)
    near = [[j for j in range(max(0, i - 5), min(n, i + 2)) if j != i] for i in range(n)]
    return np.array([x[i] * (2 + 5 * x[i] ** 2) + 1 - sum(x[j] * (1 + x[j]) for j in near[i]) for i in range(n)])


def chebyquad(x):
    n = len(x)
    before, now = np.ones_like(x), 2 * x - 1
    out = []
    for i in range(1, n + 1):
        integral = -1 / (i ** 2 - 1) if i % 2 == 0 else 0
        out.append(np.sum(now) / n - integral)
        before, now = now, 2 * (2 * x - 1) * now - before
    return np.array(out)


TEN = count(10)
PROBLEMS = {
    # name: residuals, start, published least values
    "rosenbrock": (rosenbrock, [-1.2, 1], [0]),
    "freudenstein roth": (freudenstein_roth, [0.5, -2], [0, 48.9842536792]),
    "powell badly scaled": (powell_badly_scaled, [0, 1], [0]),
    "brown badly scaled": (brown_badly_scaled, [1, 1], [0]),
    "beale": (beale, [1, 1], [0]),
    "jennrich sampson": (jennrich_sampson, [0.3, 0.4], [124.362182356]),
    "helical valley": (helical_valley, [-1, 0, 0], [0]),
    "bard": (bard, [1, 1, 1], [8.21487730658e-3]),
    "gaussian": (gaussian, [0.4, 1, 0], [1.12793276962e-8]),
    "meyer": (meyer, [0.02, 4000, 250], [87.9458551709]),
    "gulf": (gulf, [5, 2.5, 0.15], [0]),
    "box": (box, [0, 10, 20], [0]),
    "powell singular": (powell_singular, [3, -1, 0, 1], [0]),
    "wood": (wood, [-3, -1, -3, -1], [0]),
    "kowalik osborne": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], [3.07505603849e-4, 1.0273e-3]),
    "brown dennis": (brown_dennis, [25, 5, -5, -1], [85822.2016263]),
    "osborne 1": (osborne_1, [0.5, 1.5, -1, 0.01, 0.02], [5.46489469748e-5]),
    "biggs": (biggs, [1, 2, 1, 1, 1, 1], [0, 5.65564992551e-3]),
    "osborne 2": (osborne_2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], [4.01377362935e-2]),
    "watson": (watson, [0] * 6, [2.28767005355e-3]),
    "extended rosenbrock": (rosenbrock, [-1.2, 1] * 10, [0]),
    "extended powell": (powell_singular, [3, -1, 0, 1] * 5, [0]),
    "penalty 1": (penalty_1, TEN, [7.08765146709e-5]),
    "penalty 2": (penalty_2, [0.5] * 10, [2.93660537456e-4]),
    "variably dimensioned": (variably_dimensioned, 1 - TEN / 10, [0]),
    "trigonometric": (trigonometric, [0.1] * 10, [0, 2.79506121876e-5]),
    "brown almost linear": (brown_almost_linear, [0.5] * 10, [0, 1]),
    "boundary value": (boundary_value, TEN / 11 * (TEN / 11 - 1), [0]),
    "integral equation": (integral_equation, TEN / 11 * (TEN / 11 - 1), [0]),
    "broyden tridiagonal": (broyden_tridiagonal, [-1] * 10, [0]),
    "broyden banded": (broyden_banded, [-1] * 10, [0]),
    "chebyquad": (chebyquad, count(8) / 9, [3.51687372568e-3]),
}
SHARES = [1e-3, 1e-5, 1e-7]
MOST = 2000


def evaluate(residuals, x):
    steps = np.eye(len(x)) * 1e-150j
    plain = residuals(x.astype(complex)).real
    rows = [residuals(x + step).imag / 1e-150 for step in steps]
    return float(np.sum(plain ** 2)), 2 * np.array([np.sum(plain * row) for row in rows])


def run(residuals, start, single):
    """The values of all evaluations."""
    values = []
    cut = (lambda a: np.asarray(a, np.float32).astype(float)) if single else (lambda a: np.asarray(a, float))

    def counted(x):
        value, gradient = evaluate(residuals, cut(x))
        value, gradient = float(cut(value)), cut(gradient)
        values.append(value if np.isfinite(value) else np.inf)
        return value, gradient

    options = {"maxcor": 10, "ftol": 0, "gtol": 0, "maxiter": MOST, "maxfun": MOST}
    minimize(counted, cut(start), jac=True, method="L-BFGS-B", options=options)
    return values


def main():
    problems = {}
    with np.errstate(all="ignore"):
        for name, (residuals, start, minima) in PROBLEMS.items():
            start = np.array(start, float)
            first, gradient = evaluate(residuals, start)
            double, single = run(residuals, start, False), run(residuals, start, True)
            least = min(minima, key=lambda m: abs(m - min(double)))

            def reached(values, share):
                below = [i for i, value in enumerate(values, 1) if value <= least + share * (first - least)]
                return below[0] if below else None

            problems[name] = {
                "start": start.tolist(),
                "value": first,
                "gradient": gradient.tolist(),
                "least": least,
                "double": [reached(double, s) for s in SHARES],
                "single": [reached(single, s) for s in SHARES],
            }
            print(f"{name:22} {least:12.5g} {min(double) - least:9.2g} {problems[name]['double']} {problems[name]['single']}")
    out = {"shares": SHARES, "data": DATA, "problems": problems}
    pathlib.Path(__file__).with_name("classic.json").write_text(json.dumps(out, indent=None) + "\n")


if __name__ == "__main__":
    main()
