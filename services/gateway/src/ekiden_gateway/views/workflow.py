"""A workflow as whoever creates a session needs to know it."""

from ekiden.workflow.package import Workflow
from ekiden_gateway.models import parts as model


def workflow(found: Workflow) -> model.WorkflowAnswer:
    definition = found.definition
    inputs = {
        name: model.InputAnswer(
            type=field.type,
            required=field.required,
            default=field.default,
            enum=list(field.enum) if field.enum else None,
            max_length=field.max_length,
            minimum=field.minimum,
            maximum=field.maximum,
            max_items=field.max_items,
        )
        for name, field in definition.inputs.items()
    }
    phases = [
        model.WorkflowPhase(
            number=number,
            name=phase.name,
            title=dict(phase.title),
            steps=[str(step.position) for step in found.plan.steps if step.position.phase == number],
        )
        for number, phase in enumerate(definition.phases, 1)
    ]
    return model.WorkflowAnswer(
        id=found.id,
        name=definition.name,
        version=definition.version,
        title=dict(definition.title),
        description=dict(definition.description),
        languages=list(definition.languages),
        inputs=inputs,
        budget_usd=definition.budget_usd,
        gates=model.GatesAnswer(
            pause_after_phases=list(definition.gates.pause_after_phases),
            pause_before=list(definition.gates.pause_before),
        ),
        phases=phases,
        drafts=definition.drafts.count,
    )
