"""What is measured: labelled images, and the teacher, student and bundles of a run's folder."""
