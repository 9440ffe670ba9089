"""Averages of weights."""

import pytest

import flambeau
from flambeau import nn, optim
from flambeau.optim import swa_utils


def model_with(value):
    model = nn.Linear(2, 1, bias=False)
    with flambeau.no_grad():
        model.weight.fill_(value)
    return model


def averaged(values, **options):
    average = swa_utils.AveragedModel(model_with(100.0), **options)
    for value in values:
        average.update_parameters(model_with(value))
    assert average.n_averaged.item() == len(values)
    return average.module.weight[0, 0].item()


def test_equal_and_exponential_averages():
    assert averaged([1.0, 2.0, 6.0]) == pytest.approx(3.0)
    assert averaged([1.0, 2.0, 6.0], avg_fn=swa_utils.get_swa_avg_fn()) == pytest.approx(3.0)
    exponential = (1.0 * 0.5 + 2.0 * 0.5) * 0.5 + 6.0 * 0.5
    assert averaged([1.0, 2.0, 6.0], avg_fn=swa_utils.get_ema_avg_fn(0.5)) == pytest.approx(exponential)
    assert averaged([1.0, 2.0, 6.0], multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.5)) == pytest.approx(
        exponential
    )
    with pytest.raises(ValueError, match="Invalid decay value 1.5 provided"):
        swa_utils.get_ema_avg_fn(1.5)


def test_learning_rate_goes_to_its_last_value():
    optimizer = optim.SGD([flambeau.ones(1, requires_grad=True)], lr=1.0)
    scheduler = swa_utils.SWALR(optimizer, swa_lr=0.2, anneal_epochs=4, anneal_strategy="linear")
    seen = []
    for _ in range(6):
        optimizer.step()
        scheduler.step()
        seen.append(scheduler.get_last_lr()[0])
    assert seen == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.2, 0.2])


def test_batch_norm_statistics_are_those_of_all_batches():
    model = nn.Sequential(nn.BatchNorm1d(2))
    batches = [flambeau.full((4, 2), 1.0), [flambeau.full((4, 2), 3.0), "label"]]
    model.eval()
    swa_utils.update_bn(batches, model)
    assert model[0].running_mean.tolist() == pytest.approx([2.0, 2.0])
    assert model[0].momentum == 0.1 and not model.training
