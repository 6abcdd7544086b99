"""The deadlines of the embedded servers fit into one another."""

from app.embedded import join, keeper, server


def test_who_waits_for_a_keeper_hears_why_a_server_does_not_start() -> None:
    # The keeper before stops its servers; those that are left of it are killed; then each of two
    # servers may be asked when the start's time is just not up, and not answer.
    longest = (
        keeper.STOP_DEADLINE_SECONDS
        + keeper.LEFTOVERS_DEADLINE_SECONDS
        + server.START_DEADLINE_SECONDS
        + 2 * server.ANSWER_SECONDS
    )
    assert longest < join.JOIN_DEADLINE_SECONDS
