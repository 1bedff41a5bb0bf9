"""The course: chapters as files, the index of equations, exercises and their checkers, the demonstration."""
