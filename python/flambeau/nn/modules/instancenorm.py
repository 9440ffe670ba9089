"""Instance normalisation in one to three dimensions, with lazy forms."""

import warnings

from .. import functional as F
from .batchnorm import _ARGS, _LazyNormBase, _NormBase

__all__ = [
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    # The number of dimensions without a batch; the concrete classes set it.
    _dims = 0

    def _get_no_batch_dim(self):
        return self._dims

    def _check_input_dim(self, input):
        if input.dim() not in (self._dims, self._dims + 1):
            raise ValueError(f"expected {self._dims}D or {self._dims + 1}D input (got {input.dim()}D input)")

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        version = local_metadata.get("version", None)
        if version is None and not self.track_running_stats:
            # Before 0.4 the statistics were always saved.
            stale = [k for k in (prefix + "running_mean", prefix + "running_var") if k in state_dict]
            if stale:
                names = " and ".join(f'"{k}"' for k in stale)
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {names} for {type(self).__name__} "
                    "with track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, "
                    "this may be "
                    f"expected because {type(self).__name__} does not track running stats by default since "
                    "0.4.0. Please "
                    "remove these keys from state_dict. If the running stats are actually needed, instead "
                    "set "
                    f"track_running_stats=True in {type(self).__name__} to enable them. See the "
                    "documentation of "
                    f"{type(self).__name__} for details."
                )
                for key in stale:
                    state_dict.pop(key)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def forward(self, input):
        """Normalise each channel of each sample."""
        self._check_input_dim(input)
        dims = self._get_no_batch_dim()
        channel = input.dim() - dims
        if input.size(channel) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={channel} to match num_features"
                    f" ({self.num_features}), but got: {input.size(channel)}."
                )
            warnings.warn(
                f"input's size at dim={channel} does not match num_features. "
                "You can silence this warning by not passing in num_features, "
                "which is not used because affine=False",
                stacklevel=2,
            )
        x = input.unsqueeze(0) if input.dim() == dims else input
        out = F.instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out.squeeze(0) if input.dim() == dims else out


class InstanceNorm1d(_InstanceNorm):
    __doc__ = "Instance normalisation of (N, C, L) or (C, L) (Ulyanov et al., 2016).\n" + _ARGS.format(
        track=False
    )
    _dims = 2


class InstanceNorm2d(_InstanceNorm):
    __doc__ = "Instance normalisation of (N, C, H, W) or (C, H, W).\n" + _ARGS.format(track=False)
    _dims = 3


class InstanceNorm3d(_InstanceNorm):
    __doc__ = "Instance normalisation of (N, C, D, H, W) or (C, D, H, W).\n" + _ARGS.format(track=False)
    _dims = 4


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """`InstanceNorm1d` that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm1d
    _dims = 2


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """`InstanceNorm2d` that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm2d
    _dims = 3


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """`InstanceNorm3d` that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm3d
    _dims = 4
