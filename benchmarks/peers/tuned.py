"""transformers adapting a model in a plain PyTorch loop, all weights or adapters of peft; SDPA attention, fused AdamW.

fp32 as it comes; bf16: products by autocast, weights in fp32; pure: everything in bf16, the optimiser's state too.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from contest import Feed, Task, Trained, serve
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def adapted(task: Task) -> torch.nn.Module:
    """The model, with adapters where they are asked for."""
    dtype = torch.bfloat16 if task.precision == "pure" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(task.model, dtype=dtype)
    model.config.use_cache = False
    if not task.adapters:
        return model
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM"
    )
    return get_peft_model(model, settings, autocast_adapter_dtype=False)


def train(task: Task, feed: Feed) -> Trained:
    """See `contest`."""
    model = adapted(task)
    model.train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=task.lr, weight_decay=0.0, fused=True)
    feed.watch(optimizer)
    feed.tick()
    losses: list[float] = []
    while not feed.over:
        batch = feed.next()
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for rows in batch.split(task.micro_rows or task.rows):
            autocast = torch.autocast("cpu", torch.bfloat16) if task.precision == "bf16" else nullcontext()
            with autocast:
                # The model shifts by itself: ids of T + 1, of which T are targets.
                loss = model(input_ids=rows, labels=rows).loss * len(rows) / len(batch)
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(round(total, 4))
        feed.tick()
    parameters = sum(weight.numel() for weight in model.parameters())
    return Trained(lambda tokens: model(input_ids=tokens).logits, parameters, notes={"losses": losses[:3]})


if __name__ == "__main__":
    serve(train)
