"""The Llama of transformers in the shortest PyTorch loop: fused AdamW, clipping at 1."""

from __future__ import annotations

import torch
from contest import Feed, Task, Trained, serve
from trainer import llama


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    model = llama(task)
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.lr, fused=True)
    feed.watch(optimizer)
    for batch in feed.batches():
        if feed.over:
            break
        with torch.autocast("cpu", torch.bfloat16, enabled=task.precision == "bf16"):
            loss = model(input_ids=batch[:, :-1], labels=batch[:, :-1]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return Trained(lambda tokens: model(input_ids=tokens).logits, model.num_parameters())


if __name__ == "__main__":
    serve(train)
