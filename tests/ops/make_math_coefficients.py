#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Print the polynomial coefficients of trainer/ops/math_functions.h (needs python3-mpmath).

The functions are defined as correctly rounded, so no coefficient is part of a definition; this
script only says where the numbers come from. Each line: the fit's largest error as a power of two
(absolute, of the polynomial), then the coefficients, highest power first.
"""
from mpmath import chebyfit, erf, log, mp, mpf, pi, sqrt

mp.prec = 400


def series(terms):
    """A power series as a function, for quotients that cancel near 0."""
    def value(x):
        total, power = mpf(0), mpf(1)
        for term in terms:
            total += term * power
            power *= x
        return total
    return value


def factorial(n):
    return mp.factorial(n)


def show(name, function, low, high, count):
    poly, error = chebyfit(function, [low, high], count, error=True)
    print(f"{name}: 2^{float(log(error, 2)):.1f}")
    for c in poly:
        print(f"    {float(c).hex()}")


half_ln2 = log(2) / 2 * mpf("1.0001")
# (e^r - 1 - r) / r^2
show("exp", series([1 / factorial(k + 2) for k in range(60)]), -half_ln2, half_ln2, 11)
# (log(1+f) - 2s) / s^3 in z = s^2, s = f / (2 + f)
show("log", series([mpf(2) / (2 * k + 3) for k in range(60)]), 0, mpf("0.0295"), 8)
quarter = (pi / 4 * mpf("1.0001")) ** 2
# (sin r - r) / r^3 and (cos r - 1 + r^2/2) / r^4 in z = r^2
show("sin", series([(-1) ** (k + 1) / factorial(2 * k + 3) for k in range(40)]), 0, quarter, 7)
show("cos", series([(-1) ** k / factorial(2 * k + 4) for k in range(40)]), 0, quarter, 6)
# (erf x / x - 2/sqrt pi) in z = x^2, divided by z
show("erf 0", series([2 / sqrt(pi) * (-1) ** (k + 1) / (factorial(k + 1) * (2 * k + 3))
                      for k in range(80)]), 0, 1, 12)
for k in (1, 2, 3):
    centre = mpf(k) + mpf(1) / 2
    show(f"erf {k}", lambda t, c=centre: erf(c + t), -0.5, 0.5, 18)
for name, value, bits in (("ln2", log(2), 40), ("2/sqrt(pi)", 2 / sqrt(pi), 28)):
    high = mpf(int(value * 2**bits)) / 2**bits
    print(f"{name}: {float(high).hex()} + {float(value - high).hex()}")
print(f"1/ln2: {float(1 / log(2)).hex()}\npi/2: 0x{int(pi / 2 * 2**63):x} * 2^-63")
bits = int(2 / pi * 2**288)
print("2/pi:", " ".join(f"0x{bits >> (256 - 32 * k) & 0xffffffff:08x}" for k in range(8)))
