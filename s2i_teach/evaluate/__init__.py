"""How good a picture is: to the sketch, to the prompt, to the eye, each with its uncertainty."""


def __getattr__(name: str):
    if name != "report":
        raise AttributeError(f"module 's2i_teach.evaluate' has no attribute {name!r}")
    from s2i_teach.evaluate.reporting import report

    return report
