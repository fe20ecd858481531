"""What weather, lens and sensor add to a painted scene, and the bonnet of the camera's own vehicle."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.frames import Frame
from runtime.scenes.canvas import Canvas, Floats, Glow, Rng, noise
from runtime.scenes.ground import ROAD

EGO_VEHICLE = 1


def paint_bonnet(canvas: Canvas) -> None:
    """The camera's own vehicle at the frame's lower edge; its ground truth is void."""
    width, height = canvas.camera.width, canvas.camera.height
    across = np.linspace(0, 1, 64)
    for i, drop in enumerate(np.linspace(0, 1, 12)):
        top = height * (0.958 + 0.045 * drop + 0.1 * (across - 0.5) ** 2)
        outline = np.concatenate([np.stack([across * width, top], 1), [[width, height + 1], [0, height + 1]]])
        shine = canvas.light.sky_low * canvas.light.ambient * (0.30 - 0.2 * drop)
        canvas.fill(outline.astype(np.float32), shine + 6, EGO_VEHICLE, smooth=i == 0)


def _reflect(canvas: Canvas) -> None:
    """Wet asphalt mirrors what stands above the horizon, drawn out downwards."""
    horizon, height = int(canvas.camera.horizon), canvas.camera.height
    rows = np.clip(2 * horizon - np.arange(horizon, height), 0, horizon - 1)
    long = max(3, height // 8) | 1
    mirrored = np.asarray(cv2.blur(canvas.frame[rows], (max(3, height // 40) | 1, long)), np.float32)
    road = (canvas.labels[horizon:] == ROAD).astype(np.float32)
    fresnel = np.linspace(1.6, 0.5, height - horizon, dtype=np.float32)[:, None] * canvas.light.wet
    share = (np.clip(fresnel, 0, 0.5) * road)[..., None]
    under = canvas.frame[horizon:].astype(np.float32)
    canvas.frame[horizon:] = under * (1 - 0.25 * share) * (1 - share) + mirrored * share


def _shine(canvas: Canvas, lights: list[Glow]) -> Floats:
    """float32 H x W x 3: the light of lamps, spread by lens and haze."""
    width, height = canvas.camera.width, canvas.camera.height
    small = np.zeros((max(1, height // 4), max(1, width // 4), 3), np.float32)
    for glow in lights:
        x, y, reach = glow.x / 4, glow.y / 4, int(np.clip(glow.radius / 4 * 2.5, 2, 200))
        x0, x1 = max(0, int(x) - reach), min(small.shape[1], int(x) + reach + 1)
        y0, y1 = max(0, int(y) - reach), min(small.shape[0], int(y) + reach + 1)
        if x1 > x0 and y1 > y0:
            v, u = np.mgrid[y0:y1, x0:x1].astype(np.float32)
            far = ((u + 0.5 - x) ** 2 + (v + 0.5 - y) ** 2) / reach**2
            small[y0:y1, x0:x1] += (np.exp(-far * 18) + 0.22 * np.exp(-far * 4) * (far < 1))[..., None] * glow.color
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def finish(canvas: Canvas, rng: Rng) -> Frame:
    """What weather, lens and sensor add to the painted picture."""
    width, height, light, lights = canvas.camera.width, canvas.camera.height, canvas.light, canvas.shining()
    if light.wet:
        _reflect(canvas)
    sigma = 0.8 * width / 2048
    soft = cv2.GaussianBlur(canvas.frame, (0, 0), sigma) if sigma > 0.3 else canvas.frame
    picture = np.asarray(soft, np.float32)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None]
    if light.name in ("night", "dusk"):
        beam = np.exp(-((u / 0.55) ** 2) - (((v - 0.25) / 0.35) ** 2))
        # The own headlights reach what lies below the horizon.
        below = v > 2 * canvas.camera.horizon / height - 1
        picture *= (1 + (1.3 if light.name == "night" else 0.35) * beam * below)[..., None]
    if lights:
        picture += _shine(canvas, lights)
    picture *= (1 - 0.09 * (u * u + v * v))[..., None]
    if light.wet:
        streaks = cv2.blur(rng.standard_normal((height, width), np.float32), (1, max(3, height // 24) | 1))
        picture += 9 * np.asarray(streaks, np.float32)[..., None]
    grain = noise(rng, height, width, (2.0, 1.0), 1.0)
    picture += grain[..., None] * (1.6 if light.name != "night" else 3.0)
    return np.clip(picture, 0, 255).astype(np.uint8)
