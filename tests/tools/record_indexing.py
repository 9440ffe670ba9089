"""Records what PyTorch's indexing gives, for tests/binding/test_indexing.py.

Run with a Python that has torch and numpy: `python tests/tools/record_indexing.py > tests/binding/indexing.json`.
Each case is evaluated with `x = arange(24.).reshape(2, 3, 4)` unless its first element is another expression.
"""

import json
import sys

GET = """
0 -1 1:2 : ... None True False () (0,) (0,1) (0,1,2) (-1,-1,-1) (0,...) (...,0) (...,0,None) (None,0)
(0,None,1) (slice(None),1) (slice(None),slice(1,3)) (slice(None),slice(None),slice(None,None,2))
(slice(0,0),) slice(5,9) slice(-1,None) slice(None,None,3) (slice(None),...,1) (None,...,None) (True,)
(False,) (True,0) (0,True) (None,True) (slice(None),True,0) [0] [0,1] [1,0,1] [-1] [] [True,False] [[0,1]]
[[0],[1]] ([0,1],[1,2]) ([0,1],0) (0,[0,1]) (slice(None),[0,2]) (slice(None),[0,2],[1,3])
(slice(None),[0,2],slice(1,3)) ([0,1],slice(None),[1,2]) ([1,0],slice(None),slice(None),None)
([[0],[1]],[0,2]) (...,[0,1]) ([0,1],...) (None,[0,1]) ([0,1],None) ([0,1],None,[1,2]) (0,[0,1],[1,2])
([0,1],0,[1,2]) (slice(None),0,[1,2]) (0,slice(None),[1,2]) (True,[0,1]) ([0,1],True)
(slice(0,1),[0,1],[1,2]) torch.tensor(0) torch.tensor([0,1]) torch.tensor([1],dtype=torch.int32)
torch.tensor([[0,1],[1,0]]) torch.tensor(True) torch.tensor(1,dtype=torch.uint8)
torch.tensor([],dtype=torch.int64) torch.tensor([True,False]) (torch.tensor([True,False]),0)
(slice(None),torch.tensor([True,False,True])) x>11 (x>30) (x[0]>5) (x[:,:,0]>7) (x[:,:,0]>7,0)
(x[:,:,0]>7,torch.tensor(1)) (0,x[0]>5) (slice(None),x[0]>5) (x[:,:,0]>7,slice(1,3)) (x[:,:,0]>7,None)
(torch.tensor([0,1]),torch.tensor([1,2])) (torch.tensor([0,1]),torch.tensor([[1],[2]]))
(torch.tensor(0),torch.tensor([1,2])) (torch.tensor([0,1]),torch.tensor(1)) np.array([0,1])
np.array([True,False]) np.int64(1) (np.int64(1),np.int64(2)) (slice(torch.tensor(0),torch.tensor(1)),)
slice(np.int64(0),np.int64(1)) range(2) (0,range(2)) (torch.tensor([0,1]),) [slice(None),0] [0,slice(None)]
[None,0] [...,0] [[0,1],[1,2]] [torch.tensor([0,1]),torch.tensor([1,2])] [torch.tensor(0),torch.tensor(1)]
([0,1],torch.tensor([True,False,True])) (torch.tensor([0]),slice(None),torch.tensor([1,2,3])) I() (I(),I())
5 -3 (0,9) (0,0,0,0) 'a' 1.5 (0,'a') slice(None,None,-1) slice(None,None,0) slice('a') {} object() [5]
[0,1,7] [1.5] ['a'] ([0,1],[0,1,2]) torch.tensor([1.5]) torch.tensor(1.5) torch.tensor([True])
(slice(None),torch.tensor([True,False])) torch.tensor([9]) (...,...) (0,...,1) ((0,1),) ((0,1),(1,2))
(slice(2,1),) torch.tensor([-1,-2]) torch.tensor([-3]) (x[:,:,0]>7,[0,1]) b'a' 1j True,True (None,None)
(slice(None),None,slice(None),None) (0,0,0) (0,0,0,None) (0,0,0,...) (0,0,0,True) np.array([[0,1],[1,0]])
np.array(1) [np.int64(0),np.int64(1)] [torch.tensor(0),1]
(torch.tensor([[True,False,True],[False,True,False]]),) 2**70 (slice(2**70),)
"""

OTHER = [
    ("torch.tensor(3.)", "()"),
    ("torch.tensor(3.)", "..."),
    ("torch.tensor(3.)", "None"),
    ("torch.tensor(3.)", "True"),
    ("torch.tensor(3.)", "False"),
    ("torch.tensor(3.)", "0"),
    ("torch.tensor(3.)", "slice(None)"),
    ("torch.tensor(3.)", "torch.tensor(True)"),
    ("torch.tensor(3.)", "torch.tensor(0)"),
    ("torch.tensor(3.)", "[]"),
    ("torch.tensor(3.)", "[0]"),
    ("torch.tensor(3.)", "(None, ...)"),
    ("torch.zeros(0, 3)", "0"),
    ("torch.zeros(0, 3)", "[]"),
    ("torch.zeros(0, 3)", "[0]"),
    ("torch.zeros(0, 3)", "slice(None)"),
    ("torch.zeros(0, 3)", "(slice(None), 1)"),
    ("torch.arange(5)", "torch.arange(5) > 2"),
    ("torch.arange(5)", "[4, -5]"),
    ("torch.arange(5)", "slice(1, 4, 2)"),
    ("torch.arange(5)", "torch.tensor([[0, 1], [2, 3]])"),
    ("torch.arange(6).reshape(2, 3) > 2", "[[0, 1], [1, 2]]"),
    ("torch.arange(6).reshape(2, 3).to(torch.complex64)", "(1, [0, 2])"),
    ("torch.arange(6).reshape(2, 3).T", "([0, 2], [1, 0])"),
    ("torch.arange(6).reshape(2, 3).T", "(slice(0, 2), 1)"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "(slice(None), [0, 1], slice(None), [2, 3])"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "(0, [0, 1], slice(None), [2, 3])"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "(slice(None), [0, 1], [2, 3])"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "(..., [0, 1], [2, 3])"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "([0, 1], ..., [2, 3])"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "([0, 1], ..., 1, [2, 3])"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "(slice(None), x[0, :, :, 0] > 30, 1)"),
    ("torch.arange(120).reshape(2, 3, 4, 5)", "(slice(None), x[0, :, :, 0] > 30, [1, 2, 0])"),
]

SET = [
    ("0", "1."),
    ("0", "torch.tensor(5.)"),
    ("0", "torch.ones(4)"),
    ("0", "torch.ones(3, 4)"),
    ("0", "torch.ones(1, 3, 4)"),
    ("0", "torch.ones(2, 3, 4)"),
    ("0", "torch.ones(3)"),
    ("0", "torch.ones(4, dtype=torch.float64)"),
    ("0", "torch.ones(4, dtype=torch.complex64)"),
    ("0", "True"),
    ("0", "2"),
    ("0", "1j"),
    ("0", "'a'"),
    ("0", "None"),
    ("0", "[1., 2., 3., 4.]"),
    ("0", "np.float64(2)"),
    ("0", "np.ones(4, dtype=np.float32)"),
    ("(0, 1, 2)", "9"),
    ("...", "3"),
    ("None", "3"),
    ("True", "3"),
    ("False", "3"),
    (":", "torch.arange(4.)"),
    ("(slice(None), 1)", "torch.arange(4.)"),
    ("(slice(None), slice(0, 2))", "torch.arange(8.).reshape(2, 4)"),
    ("(slice(None), slice(0, 2))", "torch.arange(6.)"),
    ("(..., 0)", "torch.arange(3.)"),
    ("(0, None)", "torch.ones(1, 3, 4)"),
    ("x > 11", "0."),
    ("x > 11", "torch.tensor(2.)"),
    ("x > 11", "torch.tensor([2.])"),
    ("x > 11", "torch.arange(12.)"),
    ("x > 11", "torch.arange(5.)"),
    ("x > 11", "torch.arange(12)"),
    ("x > 11", "torch.tensor(3, dtype=torch.float64)"),
    ("x[0] > 5", "1."),
    ("(slice(None), x[0] > 5)", "7."),
    ("(slice(None), x[0] > 5)", "torch.arange(6.)"),
    ("[0, 1]", "torch.arange(4.)"),
    ("[0, 0]", "torch.zeros(2, 3, 4)"),
    ("([0, 1], [1, 2])", "torch.ones(2, 4)"),
    ("([0, 1], [1, 2])", "torch.arange(4.)"),
    ("([0, 1], [1, 2])", "3."),
    ("([0, 1], [1, 2])", "torch.ones(3)"),
    ("([0, 1], slice(None), [1, 2])", "torch.arange(6.).reshape(2, 3)"),
    ("([0, 1], slice(None), [1, 2])", "torch.ones(1, 1, 2, 3)"),
    ("(slice(None), [0, 2], slice(1, 3))", "torch.arange(8.).reshape(2, 2, 2)"),
    ("(0, [0, 1])", "torch.arange(4.)"),
    ("torch.tensor(1)", "5."),
    ("torch.tensor(True)", "5."),
    ("torch.tensor([1, 0])", "torch.ones(2, 3, 4)"),
    ("(True, 0)", "5."),
    ("(None, [0, 1])", "5."),
    ("[0]", "torch.ones(1, dtype=torch.float64)"),
    ("[0]", "2j"),
    ("[0]", "'a'"),
    ("[]", "1."),
    ("[5]", "1."),
    ("5", "1."),
    ("'a'", "1."),
    ("(0, 0, 0, 0)", "1."),
    ("(x[:, :, 0] > 7, 0)", "1."),
    ("np.array([0, 1])", "torch.arange(4.)"),
    ("slice(0, 0)", "1."),
    ("slice(0, 0)", "torch.ones(2, 3, 4)"),
]


class I:
    def __index__(self):
        return 1


def split(text):
    """Cases separated by blanks outside brackets."""
    out, depth, cur, quote = [], 0, "", False
    for c in text:
        if c == "'":
            quote = not quote
        depth += (c in "([{") - (c in ")]}")
        if c.isspace() and depth == 0 and not quote:
            if cur:
                out.append(cur)
            cur = ""
        else:
            cur += c
    return out + ([cur] if cur else [])


def key(text):
    """Source of an index expression: bare slices are allowed."""
    return f"x[{text}]"


def describe(t):
    values = [[v.real, v.imag] if isinstance(v, complex) else v for v in t.flatten().tolist()]
    return {"shape": list(t.shape), "dtype": str(t.dtype), "values": values}


def run_get(torch, np, base, text):
    env = {"torch": torch, "np": np, "I": I}
    x = env["x"] = eval(base, env)
    try:
        y = eval(key(text), env)
    except Exception as e:  # noqa: BLE001 - the error is what is recorded
        return {"error": type(e).__name__, "text": str(e).split("\n  in ")[0]}
    return {**describe(y), "view": y._base is not None and y._base is (x if x._base is None else x._base)}


def run_set(torch, np, base, text, value):
    env = {"torch": torch, "np": np, "I": I}
    x = env["x"] = eval(base, env)
    try:
        exec(f"{key(text)} = {value}", env)
    except Exception as e:  # noqa: BLE001
        return {"error": type(e).__name__, "text": str(e).split("\n  in ")[0]}
    return describe(x)


BASE = "torch.arange(24.).reshape(2, 3, 4)"


def cases():
    """All cases: `(kind, base, index, value)`."""
    for text in split(GET):
        yield "get", BASE, text, None
    for base, text in OTHER:
        yield "get", base, text, None
    for text, value in SET:
        yield "set", BASE, text, value


def main():
    import warnings

    import numpy as np
    import torch

    warnings.simplefilter("ignore")
    out = []
    for kind, base, text, value in cases():
        if kind == "get":
            out.append([kind, base, text, None, run_get(torch, np, base, text)])
        else:
            out.append([kind, base, text, value, run_set(torch, np, base, text, value)])
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in out)
    sys.stdout.write(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
