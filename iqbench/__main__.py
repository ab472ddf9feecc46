"""Run ``python -m iqbench`` as the command ``iqbench``."""

from iqbench.cli.entry import main

if __name__ == "__main__":
    main()
