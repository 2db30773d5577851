#!/usr/bin/env python3
"""Computes the coefficients of codegen/Math.def: python3 tools/dev/fit_math.py > codegen/Math.def

Polynomials interpolate at Chebyshev nodes (within a factor of 1.5 of the best in the largest error); the rational
function of erf comes from least squares on Chebyshev nodes, reweighted until the error is level. Needs mpmath.
"""
import struct
from mpmath import mp, mpf, cos, pi, exp, log, erf, erfc, sin, tanh, atanh, matrix, lu_solve, taylor

mp.dps = 60


def single(value):
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def nodes(low, high, count):
    return [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def fit(function, low, high, degree):
    """Ascending coefficients of the interpolant of `function`."""
    points = nodes(mpf(low), mpf(high), degree + 1)
    system = matrix(degree + 1, degree + 1)
    right = matrix(degree + 1, 1)
    for i, x in enumerate(points):
        right[i] = function(x)
        for j in range(degree + 1):
            system[i, j] = x**j
    return list(lu_solve(system, right))


def fit_ratio(function, low, high, p_degree, q_degree):
    """p and q (q[0] = 1) with p(x)/q(x) close to `function` in relative error."""
    points = nodes(mpf(low), mpf(high), 120)
    level = [mpf(1)] * len(points)
    previous = [mpf(1)] * len(points)
    width = p_degree + 1 + q_degree
    for _ in range(60):
        rows = matrix(len(points), width)
        right = matrix(len(points), 1)
        for i, x in enumerate(points):
            value = function(x)
            weight = level[i] / previous[i] / value
            for j in range(p_degree + 1):
                rows[i, j] = weight * x**j
            for j in range(1, q_degree + 1):
                rows[i, p_degree + j] = -weight * value * x**j
            right[i] = weight * value
        solution = lu_solve(rows, right)
        p = list(solution[: p_degree + 1])
        q = [mpf(1)] + list(solution[p_degree + 1 :])
        errors = []
        for i, x in enumerate(points):
            bottom = sum(c * x**j for j, c in enumerate(q))
            previous[i] = bottom
            errors.append(abs(sum(c * x**j for j, c in enumerate(p)) / bottom / function(x) - 1))
        largest = max(errors)
        level = [l * (mpf(1) / 2 + e / largest) for l, e in zip(level, errors)]
        scale = sum(level) / len(level)
        level = [l / scale for l in level]
    return p, q, largest


def emit(name, comment, coefficients, f32):
    text = ", ".join(repr(single(c)) if f32 else repr(float(c)) for c in coefficients)
    print(f"// {comment}\nKILN_MATH_POLY({name}, {text})")


print("""//===- Math.def - coefficients of transcendental functions ----------------===//
//
// Written by tools/dev/fit_math.py. KILN_MATH_POLY(Name, coefficients in ascending order); ExpandMath.cpp says how
// each is used. Largest errors, which test/unit/spec checks: exp and log 1 ulp, sin and cos 2 ulp,
// tanh 2.5 ulp, erf 6 ulp (3.2e-7; f64: 2 ulp), the normal distribution 7 ulp; pow 1 ulp, of f64 2 ulp.
//
//===----------------------------------------------------------------------===//
#ifndef KILN_MATH_POLY
#error "define KILN_MATH_POLY before including"
#endif
""")


def series(function, t, skip):
    """(function(t) - its first `skip` Taylor terms) / t**skip, stable near 0."""
    terms = taylor(function, 0, 70)
    return sum(terms[i] * t ** (i - skip) for i in range(skip, 71))


half = log(2) / 2 * mpf("1.01")
for suffix, degree, f32 in (("F32", 4, True), ("F64", 10, False)):
    emit("Exp" + suffix, "(exp(r) - 1 - r) / r^2 for |r| <= log(2) / 2",
         fit(lambda r: sum(r**i / mp.factorial(i + 2) for i in range(40)), -half, half, degree), f32)
emit("LogF32", "(log(1 + f) - f + f^2 / 2) / f^3 for -1/3 <= f <= 1/3",
     fit(lambda f: (log(1 + f) - f + f * f / 2) / f**3 if abs(f) > mpf("1e-9") else mpf(1) / 3 - f / 4,
         -mpf(1) / 3, mpf(1) / 3, 7), True)
emit("LogF64", "(2 atanh(s) - 2 s) / s^3 over z = s^2 for |s| <= 1/5",
     fit(lambda z: sum(2 * z**i / (2 * i + 3) for i in range(80)), 0, mpf(1) / 25, 8), False)
emit("LogTailF64", "(2 atanh(s) - 2 s - 2 s^3 / 3) / s^5 over z = s^2 for |s| <= 1/5",
     fit(lambda z: sum(2 * z**i / (2 * i + 5) for i in range(80)), 0, mpf(1) / 25, 9), False)
quarter = (pi / 4) ** 2 * mpf("1.01")
for suffix, degree, f32 in (("F32", 3, True), ("F64", 6, False)):
    emit("Sin" + suffix, "(sin(r) - r) / r^3 over z = r^2 for |r| <= pi / 4",
         fit(lambda z: sum((-1) ** (i + 1) * z**i / mp.factorial(2 * i + 3) for i in range(30)), 0, quarter, degree), f32)
    emit("Cos" + suffix, "(cos(r) - 1 + r^2 / 2) / r^4 over z = r^2 for |r| <= pi / 4",
         fit(lambda z: sum((-1) ** i * z**i / mp.factorial(2 * i + 4) for i in range(30)), 0, quarter, degree), f32)
emit("AtanF64", "(atan(t) - t) / t^3 over z = t^2 for |t| <= sqrt(2) - 1",
     fit(lambda z: sum((-1) ** (i + 1) * z**i / (2 * i + 3) for i in range(120)), 0, (mp.sqrt(2) - 1) ** 2 * mpf("1.01"), 12), False)
sqrt = mp.sqrt
p, q, largest = fit_ratio(lambda z: erf(sqrt(z)) / sqrt(z), mpf("1e-12"), mpf("3.84") ** 2, 5, 5)
emit("ErfTopF32", f"erf(x) / x = top / bottom over z = x^2 for |x| <= 3.84, relative error {mp.nstr(largest, 2)}", p, True)
emit("ErfBottomF32", "its denominator", q, True)
emit("ErfSmallF64", "erf(x) / x over z = x^2 for |x| <= 1",
     fit(lambda z: sum(2 / sqrt(pi) * (-1) ** i * z**i / mp.factorial(i) / (2 * i + 1) for i in range(50)), 0, 1, 13), False)
emit("ErfLargeF64", "log(erfc(a)) + a^2 over u = a - 1 for 1 <= a <= 6",
     fit(lambda u: log(erfc(u + 1)) + (u + 1) ** 2, 0, 5, 24), False)


def tail(t):
    return erfc(t / sqrt(2)) * exp(t * t / 2) / 2


for suffix, centre, last, degree, f32 in (("F32", 4, 15, 10, True), ("F64", 5, 39, 24, False)):
    emit("Tail" + suffix, f"erfc(t / sqrt(2)) exp(t^2 / 2) / 2 * (t + {centre}) over u = (t - {centre}) / (t + {centre}) for 0 <= t <= {last}",
         fit(lambda u: tail(centre * (1 + u) / (1 - u)) * 2 * centre / (1 - u),
             mpf(-1), (mpf(last) - centre) / (mpf(last) + centre), degree), f32)
mp.dps = 400
emit("Turn", "1 / (2 pi) in pieces of 26 bits", [int(2 ** (26 * (i + 1)) / (2 * pi)) % 2**26 for i in range(45)], False)
print("\n#undef KILN_MATH_POLY")
