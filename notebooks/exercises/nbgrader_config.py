"""Settings of the course: what a student finds where the solution was."""

c = get_config()  # noqa: F821 - nbgrader puts it there

c.CourseDirectory.course_id = "crm"

# The student's own cell fails first, with a sentence that says what to do.
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("Write your answer here, then run the cell again")'
}
c.ClearSolutions.text_stub = "Write your answer here."

# Simulating two firms takes longer than the half minute that nbgrader allows a cell.
c.Execute.timeout = 120
