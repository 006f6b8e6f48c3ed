"""The Llama of transformers as its Trainer runs it on a card: fp32 masters, bf16 autocast, SDPA, `torch.compile`.

A loop instead of the Trainer, which would add its own overhead to a step; fused AdamW, clipping at 1, and the
loss read once a step, as every log does.
"""

from __future__ import annotations

import torch
from contest import Feed, Task, Trained, serve
from trainer import llama


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    feed.free_steps = 1  # the first compiles
    model = llama(task).to(task.device)
    run = torch.compile(model, dynamic=False) if task.device == "cuda" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.lr, fused=True)
    feed.tick()
    while not feed.over:
        total = torch.zeros((), device=task.device)
        for _ in range(feed.micro_batches_a_step):
            batch = feed.micro_batch()
            with torch.autocast(task.device, torch.bfloat16):
                loss = run(input_ids=batch[:, :-1], labels=batch[:, :-1]).loss / feed.micro_batches_a_step
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        total.item()
        feed.tick()
    return Trained(lambda tokens: model(input_ids=tokens).logits, model.num_parameters())


if __name__ == "__main__":
    serve(train)
