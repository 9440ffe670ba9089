"""Convolutions that learn their number of input channels from the first input."""

from ..parameter import UninitializedParameter
from .lazy import LazyModuleMixin


class _LazyConvXdMixin(LazyModuleMixin):
    """What the lazy convolutions share; PyTorch repeats the constructor in each."""

    def _lazy_init(self, out_channels, bias, device, dtype, args):
        # One channel, no bias: placeholders until the input is seen.
        super().__init__(0, 0, *args)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self):
        """Draw new initial values, once the shapes are known."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        """Take the number of channels from `input`."""
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if self.transposed:
            shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        else:
            shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight.materialize(shape)
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input):
        n = self._get_num_spatial_dims()
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input "
                f"to {self.__class__.__name__}, but got input of size: {input.shape}"
            )
        return input.shape[1] if input.dim() == n + 2 else input.shape[0]

    def _get_num_spatial_dims(self):
        return len(self.kernel_size)


def _lazy_conv(name, base, transposed):
    """The lazy form of `base`, as a class of the module that `base` is in."""
    if transposed:

        def __init__(
            self,
            out_channels,
            kernel_size,
            stride=1,
            padding=0,
            output_padding=0,
            groups=1,
            bias=True,
            dilation=1,
            padding_mode="zeros",
            device=None,
            dtype=None,
        ):
            args = (
                kernel_size,
                stride,
                padding,
                output_padding,
                groups,
                False,
                dilation,
                padding_mode,
                device,
                dtype,
            )
            self._lazy_init(out_channels, bias, device, dtype, args)

    else:

        def __init__(
            self,
            out_channels,
            kernel_size,
            stride=1,
            padding=0,
            dilation=1,
            groups=1,
            bias=True,
            padding_mode="zeros",
            device=None,
            dtype=None,
        ):
            args = (kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype)
            self._lazy_init(out_channels, bias, device, dtype, args)

    __init__.__qualname__ = f"{name}.__init__"
    return type(
        name,
        (_LazyConvXdMixin, base),
        {
            "__init__": __init__,
            "__module__": base.__module__,
            "__qualname__": name,
            "__doc__": f"`{base.__name__}` that takes `in_channels` from its first input.",
            "cls_to_become": base,
        },
    )
