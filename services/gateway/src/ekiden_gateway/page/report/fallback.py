"""A step that others answered than it names first: who, in place of whom, and why."""

from ekiden.domain.plan import StepPlan
from ekiden.domain.session import StepState
from ekiden_gateway.page.languages import Words
from ekiden_gateway.page.rendering import clipped
from ekiden_gateway.page.report.markdown import inline


def fell_back(asked: StepPlan, step: StepState, t: Words) -> str:
    """Who was asked, in place of whom, and why the last of them was not enough."""
    error, _, message = step.fallback_reason.partition(": ")
    why = t(f"error.{error}") if t.has(f"error.{error}") else inline(clipped(error, 100))
    told = f"{why}: {inline(clipped(message, 300))}" if message else why
    return t("report.fell_back", now=inline(asked.source(step.fallback)), before=_before(asked, step, t), error=told)


def in_place_of(asked: StepPlan, step: StepState, t: Words) -> str:
    return t("report.in_place_of", before=_before(asked, step, t))


def _before(asked: StepPlan, step: StepState, t: Words) -> str:
    """Those who were asked before and failed, in their order."""
    return t("value.comma").join(inline(source) for source in asked.sources[: step.fallback])
