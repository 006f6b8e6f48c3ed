"""Running the stages that spread in processes of their own: here, on several hosts, under Slurm or Ray.

    task.py      a stage call as a file, so that any process that sees the lab can take it up
    worker.py    one of the processes that take it up together
    launcher.py  starts them, follows them, and gives back what the stage gave
    torchrun.py  slurm.py  ray.py   three ways to start workers
    hosts.py     several hosts that were given the same command
    settings.py  what the user asked for, and the launcher that does it

Why it is built this way: docs/decisions/launch.md.
"""
