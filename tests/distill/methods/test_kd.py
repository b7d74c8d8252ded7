"""Classic distillation: the loss against its formulas."""

from __future__ import annotations

import pytest
from composed import ALL_OPTIONS, check, kd_terms

REFERENCES = {"student": kd_terms}


@ALL_OPTIONS
@pytest.mark.parametrize("stage", REFERENCES)
def test_the_loss_is_that_of_the_formulas(stage, options):
    check("kd", stage, REFERENCES[stage], options)
