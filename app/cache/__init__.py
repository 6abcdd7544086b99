"""The coherent cache: what is kept is never older than the last acknowledged write.

docs/consistency.md tells the promise and the protocol. `scope` is the protocol's state as pure
functions; `RedisStamps` keeps it in Redis for many processes and nodes, `LocalStamps` in the only
process. `Reads` and `Writes` are what the two sides do, in the protocol's words; `Answers` and
`Bodies` are the two places where something is kept.
"""
