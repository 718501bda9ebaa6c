"""Where the attempts of a run are made: in this process, or on the machines of a Ray cluster.

The control session plans, journals, scores and decides either way; an engine is another way to
make the attempts. `messages` is what goes over the network, `parcel` what a worker needs of the
run, `working` the worker's side, `owning` the owner's side of one worker, `distributing` all
workers together; only `ray_cluster` and `ray_actor` know Ray.
"""
