#!/usr/bin/env python3
"""Writes special.inc, the values of special functions to 20 digits that tests/test_special.cpp compares with.

Run with mpmath:  python3 tests/oracle/make_special.py
"""
import os

from mpmath import (besseli, erfc, erfinv, exp, gamma, inf, log, loggamma, mp, mpf, ncdf, nstr, pi, psi, sqrt, zeta)

mp.dps = 60
HERE = os.path.dirname(os.path.abspath(__file__))


def spread(low, high, n):
    return [float(mpf(low) + (mpf(high) - mpf(low)) * k / (n - 1) + mpf(7) / 1000) for k in range(n)]


def inverse_normal(p):
    return -sqrt(2) * erfinv(1 - 2 * mpf(p))


TINY = [1e-300, 1e-20, 1e-9, 1e-5]
FUNCTIONS = {
    "erfc": (erfc, spread(-6, 26, 65)),
    "erfinv": (erfinv, TINY + spread(-0.99, 0.98, 41) + [0.999999, -0.9999999999, 1 - 2**-53]),
    "erfcx": (lambda x: exp(x * x) * erfc(x), spread(-20, 40, 61) + [1e3, 1e8]),
    "ndtr": (ncdf, spread(-6, 8, 57)),
    "log_ndtr": (lambda x: log(ncdf(x)), spread(-40, 6, 93)),
    "ndtri": (inverse_normal, TINY + spread(0.01, 0.98, 41) + [1 - 2**-53]),
    "lgamma": (lambda x: log(abs(gamma(x))), TINY + spread(-8.5, 30, 60) + [1e5, 1e300]),
    "digamma": (lambda x: psi(0, x), TINY + spread(-8.3, 30, 60) + spread(1.2, 1.8, 31) + [1.4616321449683622, 1e5, 1e300]),
    "trigamma": (lambda x: psi(1, x), TINY[2:] + spread(-8.3, 30, 60) + [1e5]),
    "polygamma2": (lambda x: psi(2, x), TINY[3:] + spread(0.1, 30, 30) + [1e5]),
    "i0": (lambda x: besseli(0, x), TINY + spread(-50, 50, 67) + [700.5]),
    "i0e": (lambda x: exp(-abs(x)) * besseli(0, x), TINY + spread(-50, 50, 67) + [700.5, 1e6]),
    "i1": (lambda x: besseli(1, x), TINY + spread(-50, 50, 67) + [700.5]),
    "i1e": (lambda x: exp(-abs(x)) * besseli(1, x), TINY + spread(-50, 50, 67) + [700.5, 1e6]),
    "zeta3": (lambda x: zeta(3, x), TINY[3:] + spread(0.1, 40, 40) + [1e5]),
    "zeta1_5": (lambda x: zeta(mpf("1.5"), x), spread(0.1, 40, 40) + [1e5]),
}


def main():
    path = os.path.join(HERE, "special.inc")
    with open(path, "w") as file:
        file.write("// Written by make_special.py: function, argument, value.\n")
        for name, (f, arguments) in FUNCTIONS.items():
            for x in arguments:
                y = f(mpf(x))
                if abs(y) < mpf("1e-300") or abs(y) > mpf("1e307"):
                    continue
                file.write('{"%s", %r, %s},\n' % (name, x, nstr(y, 20)))
    print("%8d %s" % (os.path.getsize(path), path))


if __name__ == "__main__":
    main()
