"""The histories of many accounts, exported by the workers of a Dask cluster.

Read it in this order: `account` (what is exported, and references to secrets) · `report` (the results) ·
`places` (the output of each account) · `job` (what is sent to a worker, and what it returns) · `staging`
(the ranges of a large account, until they are merged) · `steps` (what a worker does with a job) · `task`
(a step as a Dask task) · `cluster` (starts or connects to a cluster) · `fan_out` (`export_accounts`).

Only `task`, `cluster` and `fan_out` import Dask, and the first export imports them: neither importing
the package nor testing the steps needs it.
"""
