"""Images made without data: generators, what a teacher remembers of its images, a pool."""
