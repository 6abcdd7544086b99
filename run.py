"""Runs the todo service: ``python run.py --port 8000``; ``--help`` tells the rest."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
