"""The same picture with other words: the maps of the first prompt's run are put into the second prompt's run.

In cross-attention each place of the picture looks at each word (:mod:`s2i_teach.theory.attention`). These weights decide
early in a run what goes where. Hertz et al. 2022 (arXiv 2208.01626) draw both prompts side by side from the same noise and
exchange the weights, the *maps*. The values stay each prompt's own: the layout comes from one, the content from the other.

Maps are ``(…, N, M)``: N places of the picture, M tokens.
"""

import torch


def align(source: list[int], target: list[int]) -> torch.Tensor:
    """For each token of the target the place of the same token in the source, or −1 where there is none. ``(M,)``.

    Tokens keep their order: a longest common subsequence, found from the end and read from the start. In the gaps
    between two matched tokens that are equally long on both sides, each token stands for the one at its place: a word
    that was swapped for another (Hertz et al., section 3.2: word swap; the rest is their refinement).
    """
    n, m = len(source), len(target)
    best = [[0] * (m + 1) for _ in range(n + 1)]  # matches from here to the ends
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            same = best[i + 1][j + 1] + 1 if source[i] == target[j] else 0
            best[i][j] = max(same, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < n and j < m:
        if source[i] == target[j] and best[i][j] == best[i + 1][j + 1] + 1:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    of = torch.full((m,), -1, dtype=torch.long)
    before = (-1, -1)
    for pair in [*pairs, (n, m)]:
        if pair[0] - before[0] == pair[1] - before[1]:
            for gap in range(1, pair[0] - before[0]):
                of[before[1] + gap] = before[0] + gap
        if pair[1] < m:
            of[pair[1]] = pair[0]
        before = pair
    return of


def edited_maps(
    source: torch.Tensor, target: torch.Tensor, source_of: torch.Tensor, scale: torch.Tensor | None = None
) -> torch.Tensor:
    """The maps to use in the target's run: the source's where a token has its like, else the target's own.

    ``source`` and ``target`` are ``(…, N, M)``, ``source_of`` ``(M,)`` from :func:`align`, ``scale`` ``(M,)`` a factor
    for each of the target's words, for those that are to count more or less; 1 changes nothing (Hertz et al. 2022,
    section 3.2). A row need not add up to 1 any more, as in their code.
    """
    taken = source[..., source_of.clamp(min=0)]
    maps = torch.where(source_of >= 0, taken, target)
    return maps if scale is None else maps * scale


def leads(step: int, steps: int, share: float) -> bool:
    """Whether the source's maps are still used in step 0 … ``steps`` − 1: in the first ``share`` of them, τ of the paper.

    0 never: the target is drawn by itself. 1 always.

    Raises:
        ValueError: a share outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"A share lies between 0 and 1: {share} does not.")
    return step < round(share * steps)
