"""Runs the todo service: ``python -m app --port 8000``; ``--help`` tells the rest."""

from app.start import run

if __name__ == "__main__":
    run()
