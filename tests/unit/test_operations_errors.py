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

from app.errors import StorageOverloaded, StorageUnavailable

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
    OperationFailure("no disk use allowed", 371),
    OperationFailure("afterClusterTime must not be greater than the current clusterTime", 72),
    InvalidOperation("Cannot use MongoClient after close"),
    ConfigurationError("Sessions are not supported by this MongoDB deployment"),
]


LASTING: list[Exception] = [
    DuplicateKeyError("duplicate", 11000),
    OperationFailure("bad value", 2),
    OperationFailure("not authorized", 13),
    BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": []}),
    BulkWriteError({"writeErrors": [{"code": 11600}, {"code": 11000}], "writeConcernErrors": []}),
    WriteConcernError("not enough data-bearing nodes", 100),
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
