"""What the benchmarks compare this server and this service with.

For ``benchmarks.http``, one trivial endpoint, ``GET /todo``, in every server: each module answers
200 with ``BODY``, ready as bytes, so what is compared is how a server reads requests and writes
answers, not how it makes JSON.

For ``benchmarks.cache``, the modules ``todo_*``: the founding article's todo service, kept in
MongoDB, with its pages cached in Redis.
"""
