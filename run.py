"""Runs the todo service: ``python run.py --port 8000``; ``--help`` tells the rest."""

from app.cli import run

if __name__ == "__main__":
    run()
