"""Constants of the functions of bonds, angles and torsions of which the force-matched field consists.

The field is fitted in `mdaug.augmentation.force_matching` and evaluated as a baseline in `mdaug.models`, two
packages that do not import each other; `mdaug/native/core/baseline.cpp` has the same numbers.
"""

STRETCH_SLOPE = 2.0
"""1/Å, of the stretch variable 1 − exp(−2 (r − r̄)) and of soft pairs."""

GATE_CENTER, GATE_WIDTH = 1.5, 0.15
"""A term is halved where one of its bonds has this multiple of its mean length; width of that switch."""

BONDS_SWITCHED_FROM, PAIRS_SWITCHED_FROM = 0.8, 0.6
"""Fractions of the cutoff at which bonds and pairs of a molecule begin to be switched off."""

LINEAR_COSINE = -0.9
"""Angles whose mean cosine is at most this are described by cos θ, others by θ itself, in radians."""

COSINE_SCALE = 1.005
"""θ is computed as arccos(cos θ / 1.005), which has a slope everywhere and differs from θ by 6° at 180°."""

REACH = 0.25
"""z = (r − r0)/(r + r0) up to which the fitted shape of a stretched bond counts (r = 1.67 r0)."""
