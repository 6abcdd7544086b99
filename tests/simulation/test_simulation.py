"""The simulator in a short form; ``make simulate`` runs the long one."""

import pytest
from simulate import search, simulate
from simulated_defences import DEFENCES, Defence
from simulated_world import CLOCK, DEPOSED, FAULTS, FROZEN, LATE, LOCAL, TWO_FAULTS, Kind, World

_RUNS = 1000
"""So many find nothing that the defences' tests would not; a million look for more."""

_FIRST_SEED = 20261121
_MOST_SEEDS = 5000


def test_no_interleaving_breaks_the_promise():
    report = simulate(range(_FIRST_SEED, _FIRST_SEED + _RUNS))
    assert report.found == []  # To see the steps: python tests/simulate.py --replay SEED
    assert set(report.kinds) == {
        kind.name for kind in (FAULTS, DEPOSED, FROZEN, LATE, LOCAL, CLOCK)
    }
    assert report.operations["read done"] > 4 * report.runs
    assert report.operations["write done"] > report.runs
    assert all(report.operations[f"write {outcome}"] for outcome in ("failed", "unknown"))


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_a_missing_defence_is_noticed(defence: Defence):
    found = search(defence, range(defence.seed, defence.seed + _MOST_SEEDS))
    assert found is not None


@pytest.mark.parametrize("kind", [FAULTS, TWO_FAULTS], ids=lambda kind: kind.name)
def test_a_seed_tells_everything(kind: Kind):
    first, second = World(7, kind=kind, is_traced=True), World(7, kind=kind, is_traced=True)
    first.run()
    second.run()
    assert len(first.timeline.trace) > 20
    assert first.timeline.trace == second.timeline.trace
