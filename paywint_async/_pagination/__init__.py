"""Turns numbered pages into a stream of records: concurrent, ordered, bounded, exactly once.

`planner` returns a `decision` for each answer (pure), `position` is the state of a read, `window`
fetches ahead, `listing` is the async iterator over them, `merge` reads two listings as one, and
`splitting` cuts a listing into `ranges`. Knows no HTTP: pages come from an injected ``fetch(page_no)``.
"""
