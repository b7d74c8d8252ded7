"""Students that ship in the package, and the building of their bundles without any image.

`student` reads such a student, `rebuild` builds from it, `painted` are the images of its self-test.
`packing`, `storage`, `checks` and `student_card` make one of a finished run.
"""
