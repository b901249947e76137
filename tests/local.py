"""A pool without processes: for laws that need very many comparisons of small images."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sxdiff.model import Limits
from sxdiff.work.pool import Progress, Task, _value
from sxdiff.work.tasks import Tasks
from sxdiff.work.worker import _answer


class LocalPool:
    """Does each task here and now; tasks and answers go through JSON all the same."""

    def __init__(
        self,
        spool: str,
        jobs: int,
        progress: Progress | None = None,
        *,
        debug: bool = False,
        limits: dict[str, int] | None = None,
        inputs: Sequence[str] = (),
    ) -> None:
        self._tasks = Tasks(spool, "w0_", progress or (lambda _: None), Limits(**(limits or {})))
        self.jobs = jobs
        self._settings = (debug, inputs)

    def __enter__(self) -> "LocalPool":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[int, Any]]:
        for number, task in enumerate(tasks):
            asked = json.loads(json.dumps({k: v for k, v in task.items() if k != "cpu_seconds"}))
            answer = json.loads(json.dumps(_answer(self._tasks, asked)))
            yield number, _value(answer, 0)

    def all(self, tasks: list[Task]) -> list[Any]:
        answers = self.answers(tasks)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def answers(self, tasks: list[Task]) -> list[Any]:
        return [answer for _, answer in self.run(tasks)]
