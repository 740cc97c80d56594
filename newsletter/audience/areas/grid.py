"""Eastings and northings of the British national grid, as degrees that the rest of the world uses.

Source: Ordnance Survey, "A guide to coordinate systems in Great Britain", annexes B and C: the inverse of the
transverse Mercator projection on Airy's ellipsoid, then the seven-parameter shift to WGS 84. It is right to about
5 metres; a postcode's own point is the mean of some fifteen doors.
"""

from __future__ import annotations

from typing import Any

_A, _B = 6377563.396, 6356256.909  # Airy 1830, metres
_WORLD_A, _WORLD_B = 6378137.0, 6356752.3142  # WGS 84
_SCALE, _EAST0, _NORTH0 = 0.9996012717, 400000.0, -100000.0
_PHI0, _LAMBDA0 = 49.0, -2.0  # degrees: the true origin
_SHIFT = (446.448, -125.157, 542.060)  # metres, OSGB 36 → WGS 84
_TURN = (0.1502, 0.2470, 0.8421)  # seconds of arc
_STRETCH = -20.4894e-6
WIDTH, HEIGHT = 700_000, 1_300_000  # metres: the grid's edges


def to_degrees(east: Any, north: Any) -> tuple[Any, Any]:
    """Arrays of metres → arrays of (longitude, latitude) in degrees, WGS 84."""
    import numpy

    phi, lam = _unprojected(numpy, numpy.asarray(east, float), numpy.asarray(north, float))
    return _shifted(numpy, phi, lam)


def _unprojected(numpy: Any, east: Any, north: Any) -> tuple[Any, Any]:
    """Radians on Airy's ellipsoid."""
    phi0, n = numpy.radians(_PHI0), (_A - _B) / (_A + _B)

    def meridian(phi: Any) -> Any:
        less, more = phi - phi0, phi + phi0
        return (_B * _SCALE) * (
            (1 + n + 1.25 * n**2 + 1.25 * n**3) * less
            - (3 * n + 3 * n**2 + 2.625 * n**3) * numpy.sin(less) * numpy.cos(more)
            + (1.875 * n**2 + 1.875 * n**3) * numpy.sin(2 * less) * numpy.cos(2 * more)
            - (35 / 24) * n**3 * numpy.sin(3 * less) * numpy.cos(3 * more)
        )

    phi = phi0 + (north - _NORTH0) / (_A * _SCALE)
    for _ in range(8):  # each round gains three digits; 1 mm needs four
        phi = phi + (north - _NORTH0 - meridian(phi)) / (_A * _SCALE)
    e2 = 1 - (_B / _A) ** 2
    sin2, tan = numpy.sin(phi) ** 2, numpy.tan(phi)
    nu = _A * _SCALE / numpy.sqrt(1 - e2 * sin2)
    rho = _A * _SCALE * (1 - e2) / (1 - e2 * sin2) ** 1.5
    eta2, sec, tan2 = nu / rho - 1, 1 / numpy.cos(phi), tan**2
    d = east - _EAST0
    latitude = (
        phi
        - tan / (2 * rho * nu) * d**2
        + tan / (24 * rho * nu**3) * (5 + 3 * tan2 + eta2 - 9 * tan2 * eta2) * d**4
        - tan / (720 * rho * nu**5) * (61 + 90 * tan2 + 45 * tan2**2) * d**6
    )
    longitude = (
        numpy.radians(_LAMBDA0)
        + sec / nu * d
        - sec / (6 * nu**3) * (nu / rho + 2 * tan2) * d**3
        + sec / (120 * nu**5) * (5 + 28 * tan2 + 24 * tan2**2) * d**5
        - sec / (5040 * nu**7) * (61 + 662 * tan2 + 1320 * tan2**2 + 720 * tan2**3) * d**7
    )
    return latitude, longitude


def _shifted(numpy: Any, phi: Any, lam: Any) -> tuple[Any, Any]:
    """From Airy's ellipsoid to WGS 84, through the earth's centre; degrees."""
    e2 = 1 - (_B / _A) ** 2
    nu = _A / numpy.sqrt(1 - e2 * numpy.sin(phi) ** 2)
    x, y = nu * numpy.cos(phi) * numpy.cos(lam), nu * numpy.cos(phi) * numpy.sin(lam)
    z = nu * (1 - e2) * numpy.sin(phi)
    rx, ry, rz = (numpy.radians(turn / 3600) for turn in _TURN)
    s = 1 + _STRETCH
    x, y, z = (
        _SHIFT[0] + s * x - rz * y + ry * z,
        _SHIFT[1] + rz * x + s * y - rx * z,
        _SHIFT[2] - ry * x + rx * y + s * z,
    )
    e2 = 1 - (_WORLD_B / _WORLD_A) ** 2
    p = numpy.hypot(x, y)
    latitude = numpy.arctan2(z, p * (1 - e2))
    for _ in range(5):
        nu = _WORLD_A / numpy.sqrt(1 - e2 * numpy.sin(latitude) ** 2)
        latitude = numpy.arctan2(z + e2 * nu * numpy.sin(latitude), p)
    return numpy.degrees(numpy.arctan2(y, x)), numpy.degrees(latitude)
