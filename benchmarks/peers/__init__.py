"""One trivial endpoint, ``GET /todo``, in every server that ``benchmarks.http`` compares.

Every module answers 200 with ``BODY``, ready as bytes: what is compared is how a server reads
requests and writes answers, not how it makes JSON.
"""
