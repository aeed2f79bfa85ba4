"""Steps in a thread whose caller may go away."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.chassis.patience import Conversation


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_cannot_be_taken_back_is_not_begun_for_a_caller_that_has_gone(
    *, leaves: bool
) -> None:
    reached, goes_on, passed = threading.Event(), threading.Event(), list[bool]()
    with ThreadPoolExecutor(1) as threads:
        conversation = Conversation(threads)

        def step() -> None:
            reached.set()
            goes_on.wait(5)
            passed.append(conversation.passes())

        task = asyncio.create_task(conversation.step(step))
        await asyncio.to_thread(reached.wait, 5)
        if leaves:
            task.cancel()
            await asyncio.wait({task})
        goes_on.set()
        await conversation.finish(lambda: None)
    assert passed == [not leaves]
    assert conversation.has_passed is not leaves
