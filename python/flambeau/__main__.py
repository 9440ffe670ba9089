"""``python -m flambeau script.py args...`` runs a PyTorch script on flambeau."""

from flambeau._run import main

if __name__ == "__main__":
    main()
