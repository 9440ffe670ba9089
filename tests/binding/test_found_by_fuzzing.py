"""What `fuzz/` found: calls that once panicked."""

import flambeau as torch
import pytest


def test_a_number_has_one_place_for_its_dimension():
    x = torch.tensor(3.0)
    assert x.movedim(-1, 0).item() == x.moveaxis(0, -1).item() == 3.0


@pytest.mark.parametrize("index", [(..., ..., None), ([0], ..., ..., None), (..., ..., False)])
def test_a_second_ellipsis_leads_beyond_the_last_dimension(index):
    with pytest.raises(IndexError, match="Dimension out of range"):
        torch.ones(2, 3)[index]
    with pytest.raises(IndexError, match="Dimension out of range"):
        torch.ones(2, 3)[index] = 1
    assert torch.ones(2, 3)[..., ...].shape == (2, 3)


def test_absurd_numbers_of_empty_parts():
    with pytest.raises(RuntimeError, match="are too many"):
        torch.ones(0).chunk(2**62)


def test_searching_a_number():
    with pytest.raises(RuntimeError, match="boundaries tensor"):
        torch.searchsorted(torch.tensor(1.0), 4)
