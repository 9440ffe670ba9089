"""What containers of modules and parameters do; a part of `scenarios`."""

from collections import OrderedDict

from evaluate import raised


def sequential(t, nn):
    s = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ELU())
    out = [len(s), repr(s[-1]), repr(s[0:2]), [type(m).__name__ for m in s]]
    s.append(nn.SELU())
    s.insert(1, nn.CELU())
    s.extend(nn.Sequential(nn.GELU()))
    out.append(list(s._modules))
    del s[0]
    del s[1:3]
    out += [repr(s), repr(s.pop(0)), repr(s)]
    s[0] = nn.Identity()
    out += [repr(s), repr(s + nn.Sequential(nn.ReLU())), repr(s * 2), repr(2 * s)]
    s += nn.Sequential(nn.Hardtanh())
    s *= 2
    out.append(repr(s))
    out += [
        raised(lambda: s[99]),
        raised(lambda: s[-99]),
        raised(lambda: s + [1]),
        raised(lambda: s * 1.5),
        raised(lambda: s * 0),
        raised(s.insert, 99, nn.ReLU()),
        raised(s.insert, 0, 3),
        raised(s.append, 3),
        raised(s.__iadd__, 3),
        raised(s.__delitem__, 99),
    ]
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    out += [repr(named), repr(named[:1]), repr(named.b)]
    return out


def module_list(t, nn):
    ml = nn.ModuleList([nn.ReLU(), nn.Linear(1, 1)])
    ml.append(nn.Tanh())
    ml.insert(0, nn.ELU())
    ml.extend([nn.SELU(), nn.SELU()])
    ml += [nn.CELU()]
    out = [len(ml), repr(ml), repr(ml[1:3]), repr(ml[-1]), list(ml.state_dict()), repr(ml + [nn.ReLU()])]
    del ml[0]
    del ml[-2:]
    out += [repr(ml), repr(ml.pop(1)), list(ml._modules), nn.ReLU() in ml, ml[0] in ml]
    ml[0] = nn.Identity()
    out += [
        repr(ml[0]),
        raised(lambda: ml[9]),
        raised(lambda: ml["a"]),
        raised(ml.extend, 3),
        raised(ml, 1),
        raised(ml.append, 3),
        raised(lambda: nn.ModuleList([3])),
    ]
    return out


def module_dict(t, nn):
    d = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Linear(1, 1)})
    d["c"] = nn.Tanh()
    d.update([("e", nn.ELU())])
    d.update(OrderedDict(f=nn.SELU()))
    out = [
        len(d),
        list(d),
        list(d.keys()),
        [k for k, _ in d.items()],
        [type(v).__name__ for v in d.values()],
        "a" in d,
    ]
    del d["b"]
    out += [repr(d.pop("c")), repr(d), list(d.state_dict())]
    out += [
        raised(d.update, 3),
        raised(d.update, [3]),
        raised(d.update, [("a", 1, 2)]),
        raised(lambda: d["zz"]),
        raised(d.__setitem__, "items", nn.ReLU()),
        raised(d.__setitem__, 3, nn.ReLU()),
    ]
    d.clear()
    return [*out, repr(d)]


def parameter_containers(t, nn):
    pl = nn.ParameterList([t.ones(2), nn.Parameter(t.zeros(1)), "x"])
    pl.append(t.ones(1))
    pl += [t.ones(3)]
    pl[2] = t.ones(4)
    out = [
        len(pl),
        repr(pl),
        list(pl.state_dict()),
        [type(v).__name__ for v in pl[1:3]],
        raised(lambda: pl[9]),
    ]
    out += [raised(pl), raised(pl.extend, 3)]
    d = nn.ParameterDict({"b": t.ones(2), "a": nn.Parameter(t.zeros(1))})
    d["c"] = t.ones(1)
    d.update([("z", t.ones(1)), ("y", 3)])
    out += [list(d), repr(d), list(d.state_dict()), len(d), "a" in d, list(reversed(d))]
    out += [d.popitem()[0], list(d.pop("a").shape), d.get("nope"), d.setdefault("k", t.ones(5)).shape[0]]
    out += [list(d | {"q": t.ones(1)}), list({"q": t.ones(1)} | d), list(d.fromkeys(["m", "n"], t.ones(1)))]
    d |= {"w": t.ones(1)}
    out += [
        list(d),
        list(d.copy()),
        raised(d, 1),
        raised(d.update, 3),
        raised(d.update, [3]),
        raised(d.get, 3),
    ]
    d.clear()
    return [*out, repr(d)]
