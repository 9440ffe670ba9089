"""Values that come later."""

import threading

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value, or an exception, that is set once, by this thread or another.

    Args:
        devices (list): accepted for compatibility; values stay where they are.
    """

    def __init__(self, *, devices=None):
        self._lock = threading.Condition()
        self._done = False
        self._value = self._error = None
        self._callbacks = []

    def done(self):
        """Whether the value or an exception is there."""
        return self._done

    def wait(self):
        """Waits for the value and returns it, or raises the exception."""
        with self._lock:
            self._lock.wait_for(lambda: self._done)
        return self.value()

    def value(self):
        """The value, which must be there, or its exception raised."""
        if not self._done:
            raise RuntimeError("value() can only be called on a future that is done; wait() waits for it")
        if self._error is not None:
            raise self._error
        return self._value

    def then(self, callback):
        """A future of ``callback(self)``, which is called when this one is done."""
        following = Future()

        def run(future):
            try:
                following.set_result(callback(future))
            except Exception as error:
                following.set_exception(error)

        self.add_done_callback(run)
        return following

    def add_done_callback(self, callback):
        """Calls ``callback(self)`` when this future is done: at once if it is."""
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                return
        callback(self)

    def _finish(self, value, error):
        with self._lock:
            if self._done:
                raise RuntimeError("Future can only be marked completed once")
            self._value, self._error, self._done = value, error, True
            callbacks, self._callbacks = self._callbacks, []
            self._lock.notify_all()
        for callback in callbacks:
            callback(self)

    def set_result(self, result):
        """Sets the value. RuntimeError if the future is done already."""
        self._finish(result, None)

    def set_exception(self, result):
        """Sets an exception, which ``wait`` and ``value`` raise."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)


def collect_all(futures):
    """A future of the list of futures, done when all of them are."""
    futures = list(futures)
    together, left, lock = Future(), [len(futures)], threading.Lock()

    def one(_):
        with lock:
            left[0] -= 1
            last = left[0] == 0
        if last:
            together.set_result(futures)

    if not futures:
        together.set_result(futures)
    for future in futures:
        future.add_done_callback(one)
    return together


def wait_all(futures):
    """Waits for all and returns their values."""
    return [future.wait() for future in collect_all(futures).wait()]
