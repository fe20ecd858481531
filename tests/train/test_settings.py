"""Settings that a command line changes by name."""

from __future__ import annotations

import pytest

from runtime.errors import DataInvalid
from train.settings import Settings, changed


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
    ],
)
def test_what_can_not_be_set_is_told(text: str, said: str) -> None:
    with pytest.raises(DataInvalid) as told:
        changed(Settings(data=()), [text])
    assert said in str(told.value)
    assert len(str(told.value).splitlines()) == 1
