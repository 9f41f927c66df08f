#!/usr/bin/env python3
"""How many evaluations SciPy's L-BFGS-B takes on named problems. Writes minimise.json beside this file.

    python minimise.py

Every problem starts where the literature starts it; `evaluations` counts calls of value and gradient together until the
value is within `accuracy` of the minimum, with a history of 10 pairs and tolerances that do not stop it.
"""
import json
import pathlib

import numpy as np
from scipy.optimize import minimize


def rosenbrock(x):
    a, b = x[::2], x[1::2]
    g = np.empty_like(x)
    g[::2], g[1::2] = -400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)
    return np.sum(100 * (b - a * a) ** 2 + (1 - a) ** 2), g


def beale(x):
    f, g = 0.0, np.zeros(2)
    for i, c in enumerate((1.5, 2.25, 2.625), 1):
        r = c - x[0] * (1 - x[1] ** i)
        f += r * r
        g += 2 * r * np.array([x[1] ** i - 1, i * x[0] * x[1] ** (i - 1)])
    return f, g


def quadratic(condition):
    def evaluate(x):
        scale = condition ** (np.arange(x.size) / (x.size - 1))
        return 0.5 * np.sum(scale * (x - 1) ** 2), scale * (x - 1)

    return evaluate


def himmelblau(x):
    a, b = x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7
    return a * a + b * b, np.array([4 * a * x[0] + 2 * b, 2 * a + 4 * b * x[1]])


PROBLEMS = {
    "rosenbrock 2": (rosenbrock, [-1.2, 1.0]),
    "rosenbrock 20": (rosenbrock, [-1.2, 1.0] * 10),
    "beale": (beale, [1.0, 1.0]),
    "himmelblau": (himmelblau, [0.0, 0.0]),
    "quadratic 1e2": (quadratic(1e2), [0.0] * 50),
    "quadratic 1e4": (quadratic(1e4), [0.0] * 50),
}
ACCURACY = 1e-9


class Reached(Exception):
    pass


def evaluations(function, start):
    count = 0

    def counted(x):
        nonlocal count
        count += 1
        value, gradient = function(x)
        if value < ACCURACY:
            raise Reached
        return value, gradient

    options = {"maxcor": 10, "ftol": 0, "gtol": 0, "maxiter": 10000, "maxfun": 10000}
    try:
        minimize(counted, np.array(start), jac=True, method="L-BFGS-B", options=options)
    except Reached:
        return count
    raise RuntimeError("not reached")


def main():
    out = {name: {"evaluations": evaluations(*problem), "accuracy": ACCURACY} for name, problem in PROBLEMS.items()}
    # A box that keeps the minimum of Rosenbrock's function outside: SciPy's bounded solution.
    box = [(-0.5, 0.5)] * 2
    bounded = minimize(rosenbrock, np.array([-0.4, 0.4]), jac=True, method="L-BFGS-B", bounds=box, options={"ftol": 0, "gtol": 1e-12})
    out["rosenbrock in a box"] = {"point": bounded.x.tolist(), "value": bounded.fun}
    pathlib.Path(__file__).with_name("minimise.json").write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
