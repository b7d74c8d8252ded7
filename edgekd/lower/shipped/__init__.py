"""Students that ship in the package, and the building of their bundles without any image.

`student` reads such a student; `rebuild`, `rebuild_jobs` and `certifying` build from it; `painted`
are the images of its self-test. `packing` makes one of a finished run (`shipment`), with `storage`,
`forecast`, `contents`, `student_card` and `checks`.
"""
