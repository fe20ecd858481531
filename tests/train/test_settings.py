"""Settings that a command line changes by name."""

from __future__ import annotations

import pytest

from runtime.errors import DataInvalid, RoadmaskError
from train.settings import Settings, changed, check


def test_values_are_changed_by_name_and_the_rest_stays() -> None:
    before = Settings(data=("cityscapes:a",))
    after = changed(before, ["ema=0.999", "augmentation.crop=[352, 576]", "augmentation.noise=1", 'loss="dice"'])
    assert (after.ema, after.augmentation.crop, after.augmentation.noise) == (0.999, (352, 576), 1.0)
    assert after.loss == "dice"
    assert after.geometry == before.geometry
    assert after.augmentation.flip == before.augmentation.flip
    assert before.ema == Settings(data=()).ema


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ema", "is not NAME=VALUE"),
        ("loss=dice", "is not NAME=VALUE"),
        ("emu=1", "there is no setting 'emu': known are data, model"),
        ("augmentation.rain=1", "there is no setting 'augmentation.rain': known are crop"),
        ("ema.deep=1", "there is no setting 'ema.deep'"),
        ('ema="high"', "is not of that kind (float)"),
        ("augmentation.crop=[1, 2, 3]", "(2 values)"),
        ("augmentation.crop=[1, 2.5]", "is not of that kind (int)"),
        ("augmentation=1", "is not of that kind"),
        ("batch=true", "is not of that kind (int)"),
        ("batch=2.5", "is not of that kind (int)"),
        ("class_weights=[NaN, 1, 1, 1, 1, 1, 1]", "NaN is not of that kind (float)"),
        ("ema=1e999", "Infinity is not of that kind (float)"),
        (f"ema={10**400}", "is not of that kind (float)"),
    ],
)
def test_what_can_not_be_set_is_told(text: str, said: str) -> None:
    with pytest.raises(DataInvalid) as told:
        changed(Settings(data=()), [text])
    assert said in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_the_defaults_can_be() -> None:
    check(Settings(data=()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("augmentation.crop=[0, 384]", "augmentation.crop must be two multiples of 32"),
        ("augmentation.crop=[256, 100]", "augmentation.crop must be two multiples of 32"),
        ("augmentation.scale=[0, 1]", "augmentation.scale must be"),
        ("augmentation.scale=[1, 0.5]", "augmentation.scale must be"),
        ("augmentation.aspect=-1", "augmentation.aspect must be at least 0"),
        ("augmentation.noise=-0.1", "augmentation.noise must be 0 to 1"),
        ("augmentation.flip=1.1", "augmentation.flip must be 0 to 1"),
        ("class_weights=[0, 0, 0, 0, 0, 0, 0]", "class_weights must be"),
        ("class_weights=[-1, 1, 1, 1, 1, 1, 1]", "class_weights must be"),
        ("ema=1", "ema must be"),
        ("warmup_steps=-1", "warmup_steps must be at least 0"),
        ("weight_decay=-1", "weight_decay must be at least 0"),
        ("seed=4294967296", "seed must be"),
        ("geometry.stride=7", "geometry.stride must be a multiple of 32"),
        ("geometry.stride=0", "geometry.stride must be a multiple of 32"),
        ("geometry.pixel_budget=1", "pixel budget is 1"),
        ("geometry.max_upscale=0", "upscale is 0"),
    ],
)
def test_what_no_run_could_use_is_told(text: str, said: str) -> None:
    with pytest.raises(RoadmaskError) as told:
        check(changed(Settings(data=()), [text]))
    assert said in str(told.value)
    assert len(str(told.value).splitlines()) == 1
