"""Memory banks: the latest embeddings of every training image by student and teacher."""

from __future__ import annotations

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekd.distill.methods.base import seeded
from edgekd.distill.training.processes import gather_equal_rows, mean_over_processes
from edgekd.errors import InputError

__all__ = ["Memory", "MemoryBanks"]

Memory = tuple[Tensor, Tensor]
"""The student's bank and the teacher's, each [N, E]."""


class MemoryBanks(nn.Module):
    """A unit vector of the student and one of the teacher for each of the N training images.

    Nothing changes until `remember`: the losses of a step use the banks from before it. With
    several processes each receives the vectors of all, so that the banks stay equal.

    Args:
        training_labels: Label of each image of the data set, −1 outside of the training part.
        width: E.
        momentum: Share of a row that remains when its image is seen again; the paper's code: 0.5.
        seed: Seed of the random initial rows.

    Raises:
        InputError: The training part has fewer than two classes.
    """

    student: Tensor
    teacher: Tensor
    scale: Tensor
    labels: Tensor
    row_of: Tensor

    def __init__(self, training_labels: Tensor, width: int, momentum: float, seed: int) -> None:
        super().__init__()
        self.momentum = momentum
        chosen = training_labels >= 0
        rows = torch.full_like(training_labels, -1)
        rows[chosen] = torch.arange(int(chosen.sum()))
        self._labels = training_labels[chosen]  # draws are made on the CPU
        if torch.bincount(self._labels).count_nonzero() < 2:
            message = "contrast needs training images of two classes"
            raise InputError(message, "check the data and its split")
        self.register_buffer("labels", self._labels.clone(), persistent=False)
        self.register_buffer("row_of", rows, persistent=False)
        self.register_buffer("scale", torch.zeros(2))
        with seeded(seed):
            for name in ("student", "teacher"):
                start = (2.0 * torch.rand(len(self), width) - 1.0) / sqrt(width / 3.0)
                self.register_buffer(name, start)

    def __len__(self) -> int:
        """N, the number of training images."""
        return len(self._labels)

    def rows(self, indices: Tensor) -> Tensor:
        """Rows of the banks [B] for positions [B] in the data set.

        Raises:
            InputError: A position is outside the training part.
        """
        rows = self.row_of[indices]
        if bool((rows < 0).any()):
            raise InputError("a memory bank has no row for an image", "give training images")
        return rows

    def draw(
        self, rows: Tensor, positives: int, negatives: int, generator: torch.Generator
    ) -> Tensor:
        """Rows [B, P + Q] that each anchor is compared with.

        First the anchor itself, then P − 1 other rows of its class, then Q of other classes. Rows
        repeat only where there are too few; in a class of one image the anchor repeats.

        One shuffle of all rows serves the batch: each anchor takes the rows that follow it, or a
        random place, in the shuffled order. (P = 20, Q = 4,096, 32 anchors, 7,012 rows, one core
        of a CPU: 2 ms, against 25 ms with a draw for each anchor.)
        """
        anchors = rows.cpu()
        shuffled = torch.randperm(len(self), generator=generator)
        drawn = torch.empty(len(anchors), positives + negatives, dtype=torch.int64)
        drawn[:, 0] = anchors
        for label in sorted(set(self._labels[anchors].tolist())):
            mine = self._labels[anchors] == label
            alike = self._labels[shuffled] == label
            members, others = shuffled[alike], shuffled[~alike]
            after = 1 + (members[None, :] == anchors[mine][:, None]).nonzero()[:, 1]
            drawn[mine, 1:positives] = _companions(members, after, positives - 1, generator)
            start = torch.randint(len(others), (len(after),), generator=generator)
            drawn[mine, positives:] = _following(others, start, negatives, generator)
        return drawn.to(rows.device)

    def scaled(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both scores over their Z, and Z [2], constant: N · mean score of the first batch."""
        means = torch.stack((student.mean(), teacher.mean())) * len(self)
        first = mean_over_processes(means) if not self.scale.all() else self.scale
        first = first.to(student.dtype)
        return student / first[0], teacher / first[1], first

    def updated(self, rows: Tensor, student: Tensor, teacher: Tensor) -> Memory:
        """The banks after an update of rows [B] by unit vectors [B, E], of all processes."""
        updated = gather_equal_rows(rows)
        return (
            self._moved(self.student, updated, gather_equal_rows(student)),
            self._moved(self.teacher, updated, gather_equal_rows(teacher)),
        )

    def _moved(self, bank: Tensor, rows: Tensor, vectors: Tensor) -> Tensor:
        """The bank with its momentum update; a row with several vectors takes their mean."""
        times = torch.bincount(rows, minlength=len(bank))[:, None]
        sums = torch.zeros_like(bank).index_add_(0, rows, vectors.to(bank.dtype))
        mixed = self.momentum * bank + (1.0 - self.momentum) * sums / times.clamp(min=1)
        return torch.where(times > 0, F.normalize(mixed, dim=1), bank)

    @torch.no_grad()
    def remember(self, memory: Memory, scale: Tensor) -> None:
        """Write the updated banks and the scale of a step."""
        self.student.copy_(memory[0])
        self.teacher.copy_(memory[1])
        self.scale.copy_(scale)


def _companions(members: Tensor, after: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` members for each anchor: those after it, or random ones if they are too few."""
    candidates = len(members) - 1
    if count <= candidates or not candidates:
        return _following(members, after, count, generator)
    steps = torch.randint(candidates, (len(after), count), generator=generator)
    return members[(after[:, None] + steps) % len(members)]


def _following(ring: Tensor, start: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` entries of a ring from each start on; random ones if the ring is shorter."""
    shape = (len(start), count)
    if count > len(ring):
        return ring[torch.randint(len(ring), shape, generator=generator)]
    return ring[(start[:, None] + torch.arange(count)) % len(ring)]
