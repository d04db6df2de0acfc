"""A stream of records out of numbered pages: concurrent, ordered, bounded, exactly once.

`planner` decides (pure) and says it by a `verdict`, `position` remembers, `window` fetches ahead,
`listing` ties them into an async iterator, `merge` reads two listings as one, `splitting` cuts one
into `ranges`. HTTP is somebody else's: a page comes from an injected ``fetch(page_no)``.
"""
