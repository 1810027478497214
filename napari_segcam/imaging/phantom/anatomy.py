"""Anatomy of the phantom: the bodies in the pelvis, and their acoustic properties at each point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_segcam.imaging.phantom.shapes import Body, Field, Plane, Position, SmoothNoise, inside, shell, union

# Half of the sweep's length in mm: it covers every fibroid and most of the uterus.
HALF_SWEEP_MM = 38.0

# Backscatter of each tissue in dB below a strong reflector; all vary a little from phantom to phantom.
_PELVIC_FAT_DB = -25.0
_SUBCUTANEOUS_DB = -27.0
_MUSCLE_DB = -31.0
_MYOMETRIUM_DB = -26.0
_ENDOMETRIUM_DB = -18.0
_FLUID_DB = -75.0
_GAS_DB = -12.0


@dataclass(frozen=True)
class Fibroid:
    """Fibroid: its body, its contrast to the muscle around it, and its attenuation of sound."""

    body: Body
    contrast_db: float
    attenuation_db_per_mm: float
    edge_shadow: float
    whorl_mm: float
    capsule: float


@dataclass(frozen=True)
class Acoustics:
    """Acoustic properties on a grid whose first axis runs along the beam.

    ``echo_db``: backscatter of the diffuse scatterers; ``specular``: amplitude of smooth interfaces, weighted by their
    angle to the beam; ``loss_db_per_mm``: round-trip attenuation beyond the soft-tissue average.
    """

    echo_db: Field
    specular: Field
    loss_db_per_mm: Field


class Anatomy:
    """A uterus with one to three fibroids, and the tissue around it; the same for the same generator state.

    Coordinates in mm: x to the right, y downwards from the probe, z along the sweep.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        uniform = rng.uniform
        self.noise = SmoothNoise(rng)
        self.fat_mm, self.muscle_mm = uniform(7, 15), uniform(5, 9)
        wall = self.fat_mm + self.muscle_mm
        self.level_db = {name: uniform(-2, 2) for name in ("pelvis", "wall", "uterus")}

        self.uterus = Body(
            center=(uniform(-10, 10), wall + uniform(42, 55), uniform(-5, 5)),
            radii=(uniform(40, 54), uniform(24, 31), uniform(28, 34)),
            tilt=uniform(-0.4, 0.4),
            unevenness=uniform(0.4, 1.2),
            part=1,
        )
        stripe = (0.6 * self.uterus.radii[0], uniform(2.5, 5.0), 0.55 * self.uterus.radii[2])
        self.endometrium = Body(self.uterus.center, stripe, self.uterus.tilt, unevenness=0.7, part=2)
        self.fibroids = self._place_fibroids(rng)

        self.fluid: list[Body] = []
        if uniform() < 0.75:
            top = self.uterus.center[1] - self.uterus.radii[1]
            half_height = float(np.clip((top - wall) / 2 + uniform(2, 6), 6, 14))
            self.fluid.append(
                Body(
                    center=(uniform(-22, 22), wall + half_height + 2, uniform(-12, 12)),
                    radii=(uniform(20, 34), half_height, uniform(18, 30)),
                    tilt=uniform(-0.15, 0.15),
                    unevenness=1.2,
                    part=3,
                )
            )
        for number in range(rng.integers(0, 3)):  # ovarian cysts beside the uterus, or small ones in its wall
            side, radius = rng.choice((-1, 1)), uniform(3, 12)
            center = (side * uniform(38, 62), wall + uniform(25, 70), uniform(-28, 28))
            self.fluid.append(
                Body(center, (radius, radius * uniform(0.8, 1), radius), part=10 + number, unevenness=0.4)
            )

        self.gas: list[Body] = []
        for number in range(rng.integers(0, 3)):
            center = (rng.choice((-1, 1)) * uniform(40, 70), wall + uniform(8, 40), uniform(-35, 35))
            self.gas.append(
                Body(center, (uniform(5, 11), uniform(2, 4), uniform(8, 16)), part=20 + number, unevenness=1)
            )

    def _place_fibroids(self, rng: np.random.Generator) -> tuple[Fibroid, ...]:
        placed: list[Fibroid] = []
        for number in range(rng.integers(1, 4)):
            radius = rng.uniform(8, 17) if number else rng.uniform(11, 20)
            center = self._place_in_uterus(rng, radius, placed)
            if center is None:
                continue
            radii = tuple(radius * rng.uniform(0.85, 1.15, size=3))
            body = Body(center, radii, rng.uniform(-0.6, 0.6), unevenness=0.05 * radius, part=30 + number)
            placed.append(
                Fibroid(
                    body=body,
                    contrast_db=rng.uniform(6, 10),
                    attenuation_db_per_mm=rng.uniform(0.05, 0.25),
                    edge_shadow=rng.uniform(0.8, 2.0),
                    whorl_mm=rng.uniform(3.5, 6),
                    capsule=rng.uniform(0.04, 0.12),
                )
            )
        return tuple(placed)

    def _place_in_uterus(self, rng: np.random.Generator, radius: float, placed: list[Fibroid]) -> Position | None:
        """Return a free center in or at the edge of the uterus, or None if twenty tries find none."""
        for _ in range(20):
            direction = rng.standard_normal(3)
            offset = direction / np.linalg.norm(direction) * rng.uniform(0.3, 0.85) * np.asarray(self.uterus.radii)
            cos, sin = np.cos(self.uterus.tilt), np.sin(self.uterus.tilt)
            turned = (cos * offset[0] - sin * offset[1], sin * offset[0] + cos * offset[1], offset[2])
            center = np.asarray(self.uterus.center) + turned
            apart = all(
                np.linalg.norm(center - other.body.center) > 1.1 * (radius + max(other.body.radii)) for other in placed
            )
            if apart and abs(center[2]) + 1.3 * radius < HALF_SWEEP_MM:
                return float(center[0]), float(center[1]), float(center[2])
        return None

    def fibroid_distance(self, plane: Plane) -> Field:
        """Return the distance in mm of each point to the nearest fibroid's surface; negative inside a fibroid.

        Fluid and gas inside a fibroid's surface are not part of it.
        """
        nearest = np.full_like(plane.x, np.inf)
        for fibroid in self.fibroids:
            nearest = np.minimum(nearest, fibroid.body.distance(plane, self.noise))
        cut_out = [-body.distance(plane, self.noise) for body in (*self.fluid, *self.gas) if body.meets(plane)]
        return np.maximum.reduce([nearest, *cut_out])

    def acoustics(self, plane: Plane, depth: Field, step_mm: float) -> Acoustics:
        """Return the acoustic properties on a plane of points ``(depth, beam)`` in the tissue.

        Args:
            plane: the points.
            depth: distance from the probe's face in mm, broadcastable to ``(depth, beam)``; the wall is parallel to it.
            step_mm: distance between neighboring samples of a beam.
        """
        patchy = 0.55 + 0.45 * np.tanh(1.5 * self.noise(plane, (10, 6, 10), part=13))  # no surface echoes evenly
        paint = _Painter(self._pelvis(plane), step_mm)
        self._paint_uterus(paint, plane, patchy)
        for body in filter(lambda body: body.meets(plane), self.fluid):
            distance = body.distance(plane, self.noise)
            paint.fill(distance, np.float32(_FLUID_DB), loss=-0.22)
            paint.interface(distance, strength=0.12, edge_shadow=1.0)
        for body in filter(lambda body: body.meets(plane), self.gas):
            distance = body.distance(plane, self.noise)
            paint.fill(distance, np.float32(_GAS_DB), loss=9.0)
            paint.interface(distance + 1, strength=0.7, edge_shadow=0)
        self._paint_wall(paint, plane, depth, patchy)
        return Acoustics(paint.echo_db, paint.specular, paint.loss)

    def _pelvis(self, plane: Plane) -> Field:
        """Return the echoes of fat and bowel: patchy, with bright folds between loops."""
        patches = 2.5 * self.noise(plane, (9, 6, 9), part=4) + 3 * self.noise(plane, (32, 20, 32), part=14)
        folds = shell(self.noise(plane, (20, 11, 20), part=5), 0.13)
        return np.float32(_PELVIC_FAT_DB + self.level_db["pelvis"]) + patches + 9 * folds

    def _paint_uterus(self, paint: _Painter, plane: Plane, patchy: Field) -> None:
        muscle_db = _MYOMETRIUM_DB + self.level_db["uterus"]
        fibroids = [fibroid for fibroid in self.fibroids if fibroid.body.meets(plane)]
        distances = [fibroid.body.distance(plane, self.noise) for fibroid in fibroids]
        outline = self.uterus.distance(plane, self.noise)
        for distance in distances:  # a fibroid at the edge is covered by a thin layer of muscle
            outline = union(outline, distance - np.float32(2.5), 8)
        paint.fill(outline, np.float32(muscle_db) + 2 * self.noise(plane, (9, 4, 9), part=6), loss=0.02)
        paint.interface(outline, strength=0.16, edge_shadow=0.4, pattern=patchy)

        stripe = self.endometrium.distance(plane, self.noise)
        paint.fill(stripe - 2, np.float32(muscle_db - 4), loss=0.0)  # the dark junctional zone
        paint.fill(stripe, np.float32(_ENDOMETRIUM_DB) + 1.5 * self.noise(plane, (5, 3, 5), part=7), loss=0.0)

        for fibroid, distance in zip(fibroids, distances, strict=True):
            x, y, z = fibroid.body.local(plane)
            swirl = np.sqrt(x**2 + y**2 + z**2) + 2.5 * self.noise(plane, (7, 7, 7), part=8)
            whorls = 2.6 * np.sin(np.float32(2 * np.pi / fibroid.whorl_mm) * swirl)
            patches = 1.2 * self.noise(plane, (6, 5, 6), part=fibroid.body.part + 1)
            level = np.float32(muscle_db - fibroid.contrast_db) + whorls + patches
            paint.fill(distance, level, loss=fibroid.attenuation_db_per_mm)
            paint.interface(distance, fibroid.capsule, edge_shadow=fibroid.edge_shadow, pattern=patchy)

    def _paint_wall(self, paint: _Painter, plane: Plane, depth: Field, patchy: Field) -> None:
        """Paint skin, subcutaneous fat with its septa, muscle with its fibers, and the fasciae between them."""
        wave = 0.7 * self.noise(plane, (25, 1e4, 25), part=9)
        level = self.level_db["wall"]
        septa = shell(self.noise(plane, (22, 2.2, 22), part=11), 0.15)
        fibers = self.noise(plane, (18, 1.1, 18), part=12)
        wall_end = depth - np.float32(self.fat_mm + self.muscle_mm) + wave
        fat_end = depth - np.float32(self.fat_mm) + wave
        paint.fill(wall_end, np.float32(_MUSCLE_DB + level) + 3 * fibers, loss=0.03)
        paint.fill(fat_end, np.float32(_SUBCUTANEOUS_DB + level) + 10 * septa, loss=0.0)
        skin_end = np.broadcast_to(depth - np.float32(1.8), wave.shape)
        paint.fill(skin_end, np.float32(-14), loss=0.0)
        fasciae: tuple[tuple[Field, float], ...] = (
            (wall_end, 0.22),
            (wall_end + np.float32(1.6), 0.10),
            (fat_end, 0.16),
        )
        for surface, strength in fasciae:
            paint.interface(surface, strength, edge_shadow=0, pattern=patchy)


class _Painter:
    """Paints one tissue over another on a grid whose first axis runs along the beam."""

    def __init__(self, echo_db: Field, step_mm: float) -> None:
        self.echo_db = echo_db
        self.specular = np.zeros_like(echo_db)
        self.loss = np.zeros_like(echo_db)
        self._step_mm = step_mm

    def fill(self, distance: Field, echo_db: Field | np.float32, loss: float) -> None:
        """Replace the inside of a body by another tissue, interfaces included."""
        share = inside(distance)
        self.echo_db = self.echo_db + share * (echo_db - self.echo_db)
        self.loss = self.loss + share * (np.float32(loss) - self.loss)
        self.specular = self.specular * (1 - share)

    def interface(self, distance: Field, strength: float, edge_shadow: float, pattern: Field | float = 1.0) -> None:
        """Add a smooth surface: it echoes where it is perpendicular to the beam, and refracts the beam where it grazes.

        ``edge_shadow`` is the loss in dB per mm of grazing path.
        """
        squareness = np.clip(np.gradient(distance, self._step_mm, axis=0), -1, 1)
        at_surface = shell(distance, 0.45)
        self.specular = self.specular + np.float32(strength) * pattern * at_surface * squareness**4
        if edge_shadow:
            self.loss = self.loss + np.float32(edge_shadow) * shell(distance, 0.9) * np.exp(-((squareness / 0.35) ** 2))
