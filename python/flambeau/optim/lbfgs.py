"""L-BFGS."""

import flambeau

from .optimizer import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989).

    One parameter group only, all parameters on one device. Needs ``history_size + 1`` copies of the
    parameters.

    Args:
        params: tensors or (name, tensor) pairs.
        lr: step length (with a line search, the first one tried).
        max_iter: iterations in one call of :meth:`step`.
        max_eval: evaluations of the closure in one call (default ``max_iter * 5 // 4``).
        tolerance_grad: stop when no component of the gradient exceeds it.
        tolerance_change: stop when neither the parameters nor the loss move by more.
        history_size: number of remembered steps.
        line_search_fn: ``"strong_wolfe"`` or None for fixed steps.
        maximize: ascend instead of descend.
    """

    def __init__(
        self,
        params,
        lr=1,
        max_iter=20,
        max_eval=None,
        tolerance_grad=1e-7,
        tolerance_change=1e-9,
        history_size=100,
        line_search_fn=None,
        *,
        maximize=False,
    ):
        if isinstance(lr, flambeau.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 <= lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def __setstate__(self, state):
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    def _flat_grad(self):
        pieces = []
        for param in self._params:
            grad = param.grad
            if grad is None:
                piece = flambeau.zeros(param.numel(), dtype=param.dtype, device=param.device)
            else:
                piece = (grad.to_dense() if grad.is_sparse else grad).reshape(-1)
            pieces.append(flambeau.view_as_real(piece).reshape(-1) if piece.is_complex() else piece)
        flat = flambeau.cat(pieces, 0)
        return flat.neg() if self.param_groups[0].get("maximize", False) else flat

    def _move(self, length, direction):
        start = 0
        for param in self._params:
            target = flambeau.view_as_real(param) if param.is_complex() else param
            count = target.numel()
            target.add_(direction[start : start + count].view_as(target), alpha=length)
            start += count

    def step(self, closure):
        """Minimizes for up to ``max_iter`` iterations and returns the loss at the start.

        Args:
            closure: clears the gradients, computes the loss and its gradients, and returns it.
        """
        with flambeau.no_grad():
            return self._step(closure)

    def _step(self, closure):
        if len(self.param_groups) != 1:
            raise AssertionError(f"Expected exactly one param_group, but got {len(self.param_groups)}")
        group = self.param_groups[0]
        maximize = group.get("maximize", False)

        def evaluate():
            with flambeau.enable_grad():
                loss = closure()
            return loss

        def value_of(loss):
            return -float(loss) if maximize else float(loss)

        if not self._params:
            return evaluate()
        lr = float(group["lr"]) if isinstance(group["lr"], flambeau.Tensor) else group["lr"]
        max_iter, max_eval = group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")

        # The whole state hangs on the first parameter, so that load_state_dict casts it.
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first_loss = evaluate()
        loss = value_of(first_loss)
        evaluations = 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if grad.abs().max() <= tolerance_grad:
            return first_loss

        direction, length = state.get("d"), state.get("t")
        ys, steps, ro = state.get("old_dirs"), state.get("old_stps"), state.get("ro")
        scale = state.get("H_diag")
        last_grad, last_loss = state.get("prev_flat_grad"), state.get("prev_loss")

        iteration = 0
        while iteration < max_iter:
            iteration += 1
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction, ys, steps, ro, scale = grad.neg(), [], [], [], 1
            else:
                scale = self._remember(grad.sub(last_grad), direction.mul(length), ys, steps, ro, scale)
                direction = self._two_loops(grad, ys, steps, ro, scale, state)
            if last_grad is None:
                last_grad = grad.clone(memory_format=flambeau.contiguous_format)
            else:
                last_grad.copy_(grad)
            last_loss = loss

            length = min(1.0, 1.0 / grad.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = grad.dot(direction)
            if slope > -tolerance_change:
                break

            spent = 0
            if group["line_search_fn"] is not None:
                start = [param.clone(memory_format=flambeau.contiguous_format) for param in self._params]

                def probe(t):
                    self._move(t, direction)
                    result = value_of(evaluate()), self._flat_grad()
                    for param, saved in zip(self._params, start):
                        param.copy_(saved)
                    return result

                search = _StrongWolfe(probe, direction, loss, grad, slope)
                loss, grad, length = search.run(length, max_eval - evaluations)
                spent = search.evaluations
                self._move(length, direction)
            else:
                self._move(length, direction)
                if iteration != max_iter:
                    loss = value_of(evaluate())
                    grad = self._flat_grad()
                    spent = 1
            evaluations += spent
            state["func_evals"] += spent

            if (
                iteration == max_iter
                or evaluations >= max_eval
                or grad.abs().max() <= tolerance_grad
                or direction.mul(length).abs().max() <= tolerance_change
                or abs(loss - last_loss) < tolerance_change
            ):
                break

        state.update(
            d=direction,
            t=length,
            old_dirs=ys,
            old_stps=steps,
            ro=ro,
            H_diag=scale,
            prev_flat_grad=last_grad,
            prev_loss=last_loss,
        )
        return first_loss

    def _remember(self, y, s, ys, steps, ro, scale):
        """Adds gradient change and step to the history; returns the new scale of the first Hessian."""
        curvature = y.dot(s)
        if curvature <= 1e-10:
            return scale
        if len(ys) == self.param_groups[0]["history_size"]:
            del ys[0], steps[0], ro[0]
        ys.append(y)
        steps.append(s)
        ro.append(1.0 / curvature)
        return curvature / y.dot(y)

    def _two_loops(self, grad, ys, steps, ro, scale, state):
        """The two-loop recursion: the inverse Hessian's estimate times the negative gradient."""
        if "al" not in state:
            state["al"] = [None] * self.param_groups[0]["history_size"]
        factors = state["al"]
        direction = grad.neg()
        for i in reversed(range(len(ys))):
            factors[i] = steps[i].dot(direction) * ro[i]
            direction.add_(ys[i], alpha=-factors[i])
        direction = flambeau.mul(direction, scale)
        for i in range(len(ys)):
            direction.add_(steps[i], alpha=factors[i] - ys[i].dot(direction) * ro[i])
        return direction


def _cubic_minimum(x1, f1, g1, x2, f2, g2, bounds=None):
    """Minimum of the cubic through two points with their slopes, within bounds (default: between the points).

    Nocedal and Wright, "Numerical Optimization", 2nd ed., equation 3.59; the middle where the cubic has none.
    """
    lower, upper = bounds if bounds is not None else (min(x1, x2), max(x1, x2))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    squared = d1**2 - g1 * g2
    if not squared >= 0:
        return (lower + upper) / 2.0
    d2 = squared.sqrt()
    if x1 <= x2:
        best = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        best = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(best, lower), upper)


class _Point:
    """One trial of the line search: step length, loss, gradient and directional derivative."""

    __slots__ = ("t", "loss", "grad", "slope")

    def __init__(self, t, loss, grad, slope):
        self.t, self.loss, self.grad, self.slope = t, loss, grad, slope


class _StrongWolfe:
    """Line search for the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6)."""

    C1, C2, TOLERANCE = 1e-4, 0.9, 1e-9

    def __init__(self, probe, direction, loss, grad, slope):
        self.probe, self.direction = probe, direction
        self.origin = _Point(0, loss, grad.clone(memory_format=flambeau.contiguous_format), slope)
        self.evaluations = 0

    def try_at(self, t):
        loss, grad = self.probe(t)
        self.evaluations += 1
        return _Point(t, loss, grad, grad.dot(self.direction))

    def too_high(self, point):
        return point.loss > self.origin.loss + self.C1 * point.t * self.origin.slope

    def flat_enough(self, point):
        return abs(point.slope) <= -self.C2 * self.origin.slope

    def run(self, t, max_trials):
        """Searches from step length ``t``; returns loss, gradient and length of the point chosen."""
        trials = 0
        previous, point = self.origin, self.try_at(t)
        bracket, found = None, False
        while trials < max_trials:
            if self.too_high(point) or (trials > 1 and point.loss >= previous.loss):
                bracket = [previous, point]
            elif self.flat_enough(point):
                bracket, found = [point], True
            elif point.slope >= 0:
                bracket = [previous, point]
            if bracket is not None:
                break
            t = _cubic_minimum(
                previous.t,
                previous.loss,
                previous.slope,
                point.t,
                point.loss,
                point.slope,
                bounds=(point.t + 0.01 * (point.t - previous.t), point.t * 10),
            )
            previous, point = point, self.try_at(t)
            trials += 1
        if trials == max_trials:
            bracket = [self.origin, point]
        low = 0 if bracket[0].loss <= bracket[-1].loss else 1
        if not found:
            low = self.zoom(bracket, low, trials, max_trials)
        best = bracket[low]
        return best.loss, best.grad, best.t

    def zoom(self, bracket, low, trials, max_trials):
        """Narrows the bracket until its lower point meets the conditions; returns that point's index."""
        size = self.direction.abs().max()
        stalled = False
        while trials < max_trials:
            left, right = bracket
            if abs(right.t - left.t) * size < self.TOLERANCE:
                break
            t = _cubic_minimum(left.t, left.loss, left.slope, right.t, right.loss, right.slope)

            # A trial close to an end may not narrow the bracket: twice in a row, or at the very end, go
            # inwards.
            smallest, largest = min(left.t, right.t), max(left.t, right.t)
            margin = 0.1 * (largest - smallest)
            if min(largest - t, t - smallest) < margin:
                if stalled or t >= largest or t <= smallest:
                    t = largest - margin if abs(t - largest) < abs(t - smallest) else smallest + margin
                    stalled = False
                else:
                    stalled = True
            else:
                stalled = False

            point = self.try_at(t)
            trials += 1
            if self.too_high(point) or point.loss >= bracket[low].loss:
                bracket[1 - low] = point
                low = 0 if bracket[0].loss <= bracket[1].loss else 1
                continue
            if self.flat_enough(point):
                bracket[low] = point
                break
            if point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = point
        return low
