"""Euclidean norms of float32 whose last bits show the order of additions; `torch` is PyTorch or flambeau."""


def norms(torch):
    """Name to value: whole tensors, rows of every length up to 40, more dimensions, and a clipped gradient's norm."""
    torch.manual_seed(11)
    found = {}
    for n in (1, 5, 7, 100, 1003, 20011, 200003):
        found[f"whole {n}"] = torch.randn(n).norm().item()
    for n in range(1, 41):
        found[f"rows of {n}"] = torch.randn(6, n).norm(dim=1).tolist()
    x = torch.randn(5, 9, 11)
    found["two dimensions"] = torch.linalg.vector_norm(x, dim=(1, 2)).tolist()
    found["transposed"] = x.permute(2, 0, 1).norm().item()
    found["kept"] = torch.linalg.vector_norm(x, dim=-1, keepdim=True).flatten().tolist()
    layer = torch.nn.Linear(301, 203)
    for p in layer.parameters():
        p.grad = torch.randn(p.shape)
    found["clipped"] = torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0).item()
    return found
