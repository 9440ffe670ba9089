"""Optimizers, attention's choices, futures, hub, switches and small namespaces; see tests/tools/record_surface.py."""

SETUP = """
import os, tempfile
from torch.nn.attention import SDPBackend, sdpa_kernel
nn = torch.nn
torch.manual_seed(0)
def curve(cls, steps=6, **kw):
    torch.manual_seed(0)
    m = nn.Sequential(nn.Linear(4, 6, bias=kw.pop("bias", False)), nn.Tanh(), nn.Linear(6, 3, bias=False))
    x, y = torch.randn(8, 4), torch.randn(8, 3)
    o = cls(m.parameters(), **kw)
    for _ in range(steps):
        o.zero_grad()
        loss = ((m(x) - y) ** 2).mean()
        loss.backward()
        o.step()
    state = o.state_dict()["state"][0]
    return loss.detach(), m[0].weight.detach(), sorted(state), [state[k] for k in sorted(state)]
"""

CASES = r'''
curve(torch.optim.Adafactor)
curve(torch.optim.Adafactor, lr=0.1, weight_decay=0.1, bias=True)
curve(torch.optim.Adafactor, lr=0.1, eps=(1e-8, 1e-2), d=2.0, beta2_decay=-0.5, maximize=True)
torch.optim.Adafactor([torch.ones(2)], d=0.5)
torch.optim.Adafactor([torch.ones(2)], beta2_decay=1.0)
torch.optim.Adafactor([torch.ones(2)], eps=(-1.0, 1.0))
torch.optim.Adafactor([torch.ones(2)], lr=-1.0)
w = nn.Parameter(torch.randn(4, 6)); w.grad = torch.randn(4, 6); b = w.detach().clone(); torch.optim.Muon([w], lr=1.0, weight_decay=0.0).step(); s = torch.linalg.svdvals(b - w.detach()); out = (bool(((s > 0.6) & (s < 1.3)).all()), bool(((b - w.detach()) * w.grad).sum() > 3))
w = nn.Parameter(torch.randn(6, 4)); w.grad = torch.randn(6, 4); b = w.detach().clone(); torch.optim.Muon([w], lr=0.1, weight_decay=0.5, nesterov=False, adjust_lr_fn="match_rms_adamw").step(); s = torch.linalg.svdvals(b * 0.95 - w.detach()) / (0.02 * 6 ** 0.5); out = bool(((s > 0.6) & (s < 1.3)).all())
curve(torch.optim.Muon, steps=1, lr=0.05)[2:]
torch.optim.Muon([torch.ones(2)])
torch.optim.Muon([torch.ones(2, 2)], adjust_lr_fn="x")
torch.optim.Muon([torch.ones(2, 2)], momentum=-1.0)
torch.optim.Muon([torch.ones(2, 2)], weight_decay=-1.0)
torch.optim.Muon([torch.ones(2, 2)], lr=torch.ones(2))
SDPBackend.MATH.name, int(SDPBackend.FLASH_ATTENTION), sorted(SDPBackend.__members__)
with sdpa_kernel(SDPBackend.MATH): out = torch.nn.functional.scaled_dot_product_attention(torch.ones(1, 2, 3), torch.ones(1, 2, 3), torch.ones(1, 2, 3))
with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]): out = 1
with sdpa_kernel(3): out = 1
f = torch.futures.Future(); f.set_result(3); out = (f.done(), f.wait(), f.value(), f.then(lambda g: g.value() + 1).wait())
f = torch.futures.Future(); seen = []; f.add_done_callback(lambda g: seen.append(g.value())); f.set_result(5); out = seen
f = torch.futures.Future(); f.set_exception(ValueError("no")); f.wait()
torch.futures.Future().set_exception(3)
torch.futures.Future().done()
f, g = torch.futures.Future(), torch.futures.Future(); c = torch.futures.collect_all([f, g]); f.set_result(1); d = c.done(); g.set_result(2); out = (d, [h.wait() for h in c.wait()], torch.futures.wait_all([f, g]))
torch.hub.set_dir("/some/where"); out = torch.hub.get_dir()
d = tempfile.mkdtemp(); open(d + "/hubconf.py", "w").write("dependencies = ['torch']\ndef net(n=1):\n    'makes one'\n    return n + 1\n"); out = torch.hub.load(d, "net", 4, source="local")
d = tempfile.mkdtemp(); open(d + "/hubconf.py", "w").write("dependencies = ['nothing_of_this_name']"); torch.hub.load(d, "net", source="local")
d = tempfile.mkdtemp(); open(d + "/hubconf.py", "w").write(""); torch.hub.load(d, "net", source="local")
torch.hub.load("x", "y", source="z")
torch.is_autocast_enabled(), torch.is_autocast_enabled("cuda"), torch.is_autocast_cpu_enabled(), torch.get_autocast_dtype("cpu"), torch.get_autocast_dtype("cuda"), torch.get_autocast_gpu_dtype()
torch.set_deterministic_debug_mode("warn"); out = (torch.get_deterministic_debug_mode(), torch.is_deterministic_algorithms_warn_only_enabled(), torch.are_deterministic_algorithms_enabled()); torch.set_deterministic_debug_mode(0)
torch.set_deterministic_debug_mode(5)
torch.set_deterministic_debug_mode("x")
torch.sym_int(3.7), torch.sym_int(-3.7), torch.sym_float(3), torch.sym_max(1, 2.0), torch.sym_min(1, 2.0), torch.sym_not(True), torch.sym_sqrt(4), torch.sym_sum([1, 2]), torch.sym_ite(True, 1, 2)
torch.cuda.max_memory_allocated(), torch.cuda.memory_reserved(), torch.cuda.get_rng_state_all(), torch.cuda.memory_snapshot(), torch.cuda.is_tf32_supported()
with torch.cuda.device(-1): out = 1
with torch.cuda.device_of(torch.ones(1)): out = 1
with torch.cuda.stream(None): out = 1
torch.accelerator.memory_allocated(), torch.accelerator.is_available()
torch.cpu.is_available(), torch.cpu.device_count(), torch.cpu.current_device(), torch.cpu.synchronize()
torch.get_device_module("cpu").__name__.split(".")[-1]
g = torch.random.get_rng_state();\nwith torch.random.fork_rng(): torch.rand(1)\nout = torch.equal(g, torch.random.get_rng_state())
torch.autocast("cuda", enabled=False).__class__.__name__
torch.amp.custom_fwd(3, device_type=3)
torch.range(1, 4)
torch.range(1, 4, 0.5)
torch.range(0, 3, dtype=torch.int64)
torch.range(4, 1)
torch.range(4, 1, -1)
torch.range(1, 4, 0)
torch.vander(torch.tensor([1, 2, 3, 5]))
torch.vander(torch.tensor([1.0, 2, 3, 5]), N=3)
torch.vander(torch.tensor([1.0, 2, 3, 5]), N=3, increasing=True)
torch.vander(torch.tensor([1.0, 2]), N=0)
torch.vander(torch.tensor([True, False]))
torch.vander(torch.ones(2, 2))
torch.vander(torch.ones(2), N=-1)
'''.strip().splitlines()

CASES = [case.replace("();\\nwith", "()\nwith").replace("rand(1)\\nout", "rand(1)\nout") for case in CASES]
