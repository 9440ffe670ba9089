"""Scaling of the loss, so that gradients in float16 do not vanish."""

import warnings
from collections import defaultdict

import flambeau

__all__ = ["GradScaler"]


class GradScaler:
    """Multiplies losses by a factor and divides gradients by it; the factor falls where they overflow.

    A step whose gradients hold an infinity or NaN is left out and the factor shrinks; after `growth_interval`
    good steps it grows.

    Args:
        device (str): kind of the parameters' device; "cuda" disables the scaler here, with a warning.
        init_scale, growth_factor, backoff_factor (float), growth_interval (int): the factor's rule.
        enabled (bool): if False, every method passes on what it gets.

    Raises AssertionError for a growth factor up to 1 or a backoff factor from 1.
    """

    def __init__(
        self,
        device="cuda",
        init_scale=65536.0,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        self._device = device
        if enabled and device == "cuda":
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2
            )
            enabled = False
        self._enabled = enabled
        if enabled:
            if not growth_factor > 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if not backoff_factor < 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        # For each optimizer since the last update: whether gradients were unscaled, stepped, and finite.
        self._seen = defaultdict(dict)

    def scale(self, outputs):
        """A tensor, or an iterable of tensors, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, flambeau.Tensor):
            return outputs * self._scale
        if isinstance(outputs, (list, tuple)) or hasattr(outputs, "__iter__"):
            scaled = [self.scale(item) for item in outputs]
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else iter(scaled)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer):
        """Divide the optimizer's gradients by the factor; once between two updates."""
        if not self._enabled:
            return
        seen = self._seen[id(optimizer)]
        if "stepped" in seen:
            raise RuntimeError("unscale_() is being called after step().")
        if "finite" in seen:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        # The reciprocal is rounded from the double quotient to float32, as the factor's own tensor would be.
        inverse = 1.0 / self._scale
        finite = True
        with flambeau.no_grad():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    if param.grad is None:
                        continue
                    if param.grad.dtype == flambeau.float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    finite = finite and bool(flambeau.isfinite(param.grad).all())
                    param.grad.mul_(inverse)
        seen["finite"] = finite

    def step(self, optimizer, *args, **kwargs):
        """`optimizer.step(*args, **kwargs)` unless a gradient is infinite or NaN; its result or None."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        seen = self._seen[id(optimizer)]
        if "stepped" in seen:
            raise RuntimeError("step() has already been called since the last update().")
        if "finite" not in seen:
            self.unscale_(optimizer)
        seen["stepped"] = True
        return optimizer.step(*args, **kwargs) if seen["finite"] else None

    def update(self, new_scale=None):
        """Choose the next factor, from what the steps since the last update saw, or as given."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        else:
            found = [seen["finite"] for seen in self._seen.values() if "finite" in seen]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            if not all(found):
                self._scale *= self._backoff_factor
                self._growth_tracker = 0
            else:
                self._growth_tracker += 1
                if self._growth_tracker == self._growth_interval:
                    self._scale *= self._growth_factor
                    self._growth_tracker = 0
        self._seen.clear()

    def get_scale(self):
        """The factor, 1.0 if disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self):
        """By what the factor grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Set by what the factor grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """By what the factor shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Set by what the factor shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """After how many good steps the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Set after how many good steps the factor grows."""
        self._growth_interval = new_interval

    def is_enabled(self):
        """Whether the scaler does anything."""
        return self._enabled

    def state_dict(self):
        """The factor and its rule, to be saved; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict):
        """Take back what `state_dict` gave. Raises RuntimeError for an empty one."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved "
                "from a disabled instance of GradScaler."
            )
        self._scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
