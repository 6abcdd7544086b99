"""What becomes of the driver's errors at the gate."""

import gc

import pytest
from gate import (
    SHORT_SECONDS,
    Driver,
    answers_503,
    assert_all_slots_free,
    failing_with,
    make_gate,
    turn_loop,
)
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from app.errors import StorageOverloaded, StorageRefused, StorageUnavailable

pytestmark = pytest.mark.gen_test


PASSING: list[PyMongoError] = [
    ServerSelectionTimeoutError("no server"),
    AutoReconnect("connection reset"),
    NetworkTimeout("timed out"),
    NotPrimaryError("not primary"),
    WaitQueueTimeoutError("no connection"),
    ExecutionTimeout("operation exceeded time limit", 50),
    WriteConcernError("no majority", 64),
    WTimeoutError("no majority in time", 64),
    BulkWriteError({"writeErrors": [{"code": 11600}, {"code": 14031}], "writeConcernErrors": []}),
    OperationFailure("interrupted at shutdown", 11600),
    OperationFailure("interrupted", 11601),
    OperationFailure("out of disk space", 14031),
    OperationFailure("user writes blocked", 371),
    OperationFailure("the cursor is gone", 43),
    OperationFailure("no keys found for HMAC", 211),
    OperationFailure("afterClusterTime must not be greater than the current clusterTime", 72),
    InvalidOperation("Cannot use MongoClient after close"),
    ConfigurationError("Sessions are not supported by this MongoDB deployment"),
]

REFUSING: list[PyMongoError] = [
    OperationFailure("user not found", 11),
    OperationFailure("not authorized", 13),
    OperationFailure("authentication failed", 18),
    OperationFailure("the document is not valid", 121),
    OperationFailure("log in again", 391),
    OperationFailure("you are over your space quota", 8000),
    WriteConcernError("not enough data-bearing nodes", 100),
    BulkWriteError({"writeErrors": [{"code": 121}, {"code": 11600}], "writeConcernErrors": []}),
]


LASTING: list[Exception] = [
    DuplicateKeyError("duplicate", 11000),
    OperationFailure("bad value", 2),
    BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": []}),
    BulkWriteError({"writeErrors": [{"code": 11600}, {"code": 11000}], "writeConcernErrors": []}),
    DocumentTooLarge("too large"),
    InvalidOperation("bulk write without operations"),
    ConfigurationError("no such option"),
    ValueError("not of the driver"),
]


def named(error: Exception) -> str:
    return f"{type(error).__name__}({error})"


@answers_503
@pytest.mark.parametrize("error", PASSING, ids=named)
async def test_an_error_that_passes_by_itself_is_storage_unavailable(error: PyMongoError):
    gate = make_gate()
    with pytest.raises(StorageUnavailable) as raised:
        await gate.run("find", failing_with(error))
    assert raised.value.__cause__ is error
    assert not isinstance(raised.value, StorageOverloaded)
    await assert_all_slots_free(gate)


@answers_503
@pytest.mark.parametrize("error", REFUSING, ids=named)
async def test_what_the_server_refuses_is_no_fault_of_ours(error: PyMongoError):
    gate = make_gate()
    with pytest.raises(StorageRefused) as raised:
        await gate.run("find", failing_with(error))
    assert raised.value.__cause__ is error
    await assert_all_slots_free(gate)


@answers_503
async def test_a_database_that_is_away_is_told_without_the_drivers_own_state(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("WARNING")
    refused = "127.0.0.1:1: [Errno 111] Connection refused"
    timeouts = "(configured timeouts: socketTimeoutMS: 2000.0ms, connectTimeoutMS: 2000.0ms)"
    state = "Timeout: 4.9s, Topology Description: <TopologyDescription id: 1, servers: []>"
    gate = make_gate()
    error = ServerSelectionTimeoutError(f"{refused} {timeouts}, {state}")
    with pytest.raises(StorageUnavailable):
        await gate.run("find", failing_with(error))
    assert caplog.messages == [f"answering 503: {refused}"]


@answers_503
async def test_a_refusal_is_told_in_few_words_and_once(caplog: pytest.LogCaptureFixture):
    caplog.set_level("WARNING")
    reply = {"errmsg": f"not authorized to execute {'x' * 10_000}", "codeName": "Unauthorized"}
    error = OperationFailure("all of the reply", 13, reply)
    gate = make_gate()
    for _ in range(3):
        with pytest.raises(StorageRefused, match="MongoDB refuses: Unauthorized"):
            await gate.run("find", failing_with(error))
    (record,) = caplog.records
    assert record.message.startswith("answering 503: not authorized to execute xxx")
    assert len(record.message) < 400


@pytest.mark.parametrize("error", LASTING, ids=named)
async def test_an_error_that_is_a_fault_of_ours_passes_unchanged(error: Exception):
    gate = make_gate()
    with pytest.raises(type(error)) as raised:
        await gate.run("find", failing_with(error))
    assert raised.value is error
    await assert_all_slots_free(gate)


@answers_503
async def test_what_an_operation_says_after_it_was_given_up_is_no_unseen_error(driver: Driver):
    gate = make_gate(deadline_seconds=SHORT_SECONDS)
    # The first one's error stands in a log record, which would keep its future alive.
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await gate.run("find", driver.start)
    driver.started.pop().set_exception(AutoReconnect("much later"))
    await turn_loop()
    # asyncio logs an exception that nobody asked for when its future is collected.
    gc.collect()
