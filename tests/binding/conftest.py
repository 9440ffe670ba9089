import pytest


@pytest.fixture
def torch():
    import flambeau

    return flambeau
