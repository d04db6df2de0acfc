"""The histories of many accounts, exported by the workers of a Dask cluster.

Read it in this order: `account` (what is exported, and references to secrets) · `report` (what came of
it) · `places` (each account's own output) · `job` (what travels to a worker, and back) · `staging`
(the ranges of a large account, until they are one) · `steps` (what a worker does with a job) · `task`
(the same inside Dask) · `cluster` (whose workers) · `fan_out` (`export_accounts`).

Only `task` and `cluster` know Dask, and they are imported by the first export: neither importing the
package nor testing the steps needs it.
"""
