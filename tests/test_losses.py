import math

import pytest
import torch

from rmkit.losses import LOSS_TYPES, bradley_terry_loss, centering_penalty, hinge_loss, preference_loss

F64 = dict(dtype=torch.float64)


def test_bradley_terry_by_hand():
    "-log sigmoid at 0, log 3 and -log 3"
    loss = bradley_terry_loss(torch.tensor([1.0, math.log(3), 0.0], **F64),
                              torch.tensor([1.0, 0.0, math.log(3)], **F64))
    torch.testing.assert_close(loss, torch.tensor([math.log(2), math.log(4 / 3), math.log(4)], **F64))


def test_loss_is_the_one_of_trl():
    "Mean over pairs of -logsigmoid(chosen - rejected - margin) plus the coefficient times the squared sum"
    r = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    margin = torch.rand(50, generator=torch.Generator().manual_seed(1))
    loss = preference_loss(*r, margin, center_rewards_coefficient=0.01).mean()
    expected = -torch.nn.functional.logsigmoid(r[0] - r[1] - margin).mean() + 0.01 * torch.mean((r[0] + r[1]) ** 2)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("loss", [bradley_terry_loss, hinge_loss])
def test_constant_added_to_all_rewards_changes_nothing(loss):
    r = torch.randn(2, 20, **F64)
    torch.testing.assert_close(loss(*r), loss(*(r + 7)))


@pytest.mark.parametrize("kwargs", [dict(), dict(label_smoothing=0.1), dict(center_rewards_coefficient=0.1),
                                    dict(loss_type="hinge")])
def test_gradients_by_finite_differences(kwargs):
    r = torch.tensor([[0.3, -1.2, 2.0], [0.1, 0.4, -0.5]], requires_grad=True, **F64)
    assert torch.autograd.gradcheck(lambda r: preference_loss(r[0], r[1], torch.tensor([0.1, 0.2, 0.3], **F64),
                                                              **kwargs), r)


def test_smoothing_turns_round_where_the_label_is_as_sure():
    "The minimum lies at m + log((1 - e) / e)"
    r = torch.tensor([0.5 + math.log(9)], requires_grad=True, **F64)
    bradley_terry_loss(r, torch.zeros(1, **F64), torch.tensor([0.5], **F64), label_smoothing=0.1).backward()
    assert abs(r.grad.item()) < 1e-12


def test_extreme_rewards_stay_finite():
    r = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = bradley_terry_loss(r, torch.zeros(2))
    loss.sum().backward()
    assert loss.tolist() == [0, 1e4] and r.grad.tolist() == [0, -1]


def test_centering_moves_the_pair_and_not_the_difference():
    r = torch.tensor([[3.0], [2.0]], requires_grad=True)
    centering_penalty(*r).backward()
    assert r.grad.tolist() == [[10], [10]]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"\(2, 1\)"):
        bradley_terry_loss(torch.zeros(2, 1), torch.zeros(2))
    with pytest.raises(ValueError, match="0.5"):
        bradley_terry_loss(torch.zeros(2), torch.zeros(2), label_smoothing=0.5)
    with pytest.raises(ValueError, match="bradley_terry.*'mse'"):
        preference_loss(torch.zeros(2), torch.zeros(2), loss_type="mse")
    with pytest.raises(ValueError, match="hinge"):
        preference_loss(torch.zeros(2), torch.zeros(2), loss_type="hinge", label_smoothing=0.1)
    assert LOSS_TYPES == ("bradley_terry", "hinge")
