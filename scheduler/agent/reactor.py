"""What the agent does about what happens: commands come in, guests end, time passes."""

from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import replace

from idleq.ids import Millis
from idleq.scheduler.agent import closing, freezing, mishaps, saving, starting
from idleq.scheduler.agent.decide import Action, Ask, Leave, Phase, Stop
from idleq.scheduler.agent.folders import segment_text
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.outcome import KILLED
from idleq.scheduler.core.commands import AgentCommand, Freeze, Kill, Launch, Replan
from idleq.scheduler.core.inputs import Exited


def on_command(node: Node, command: AgentCommand, leave_reason: str) -> None:
    """Carry *command* out; a second time makes no difference. *leave_reason* tells why nothing new starts, if so."""
    guest = node.guests.get((command.job, command.fence))
    if guest is None:
        _on_absent(node, command, leave_reason)
        return
    with mishaps.kept_to(node, guest):
        _on_present(node, guest, command)


def _on_absent(node: Node, command: AgentCommand, leave_reason: str) -> None:
    match command:
        case Launch():
            starting.on_launch(node, command, leave_reason)
        case Replan():
            if (launch := node.waiting.get((command.job, command.fence))) is not None:
                node.waiting[command.job, command.fence] = replace(launch, plan=command.plan)
        case Freeze() | Kill():
            _tell_end(node, command)
        case _:
            assert_never(command)


def _on_present(node: Node, guest: Guest, command: AgentCommand) -> None:
    match command:
        case Launch():
            pass  # it goes on
        case Replan():
            _replan(node, guest, command)
        case Freeze():
            if guest.phase is not Phase.CLOSING and guest.asked_at is None and guest.stop is None:
                _freeze(node, guest, command)
            elif not command.is_wish:
                guest.must_go = True
        case Kill():
            if guest.phase is not Phase.CLOSING:
                act(node, [Stop(command.job, command.fence, command.reason)])
        case _:
            assert_never(command)


def act(node: Node, actions: Sequence[Action]) -> None:
    """Carry out what was decided; all that are to be killed are killed at once."""
    stopped: list[Guest] = []
    for action in actions:
        match action:
            case Ask(job, fence, reason):
                guest = node.guests[job, fence]
                with mishaps.kept_to(node, guest):
                    freezing.begin(node, guest, reason)
            case Stop(job, fence):
                guest = node.guests[job, fence]
                guest.stop = action
                stopped.append(guest)
            case Leave():
                pass
            case _:
                assert_never(action)
    if stopped:
        node.runtime.kill([guest.name for guest in stopped])  # also what is just being thawed


def on_room(node: Node, leave_reason: str) -> None:
    """Let those begin that wait for room, or send them back where nothing begins any more."""
    if not leave_reason:
        starting.seat(node)
        return
    for launch in list(node.waiting.values()):
        starting.send_back(node, launch, leave_reason)


def on_ended(node: Node) -> None:
    """Take note of the guests that have ended."""
    for ended in node.runtime.ended():
        guest = next((guest for guest in node.guests.values() if guest.name == ended.name), None)
        if guest is None:
            continue  # its end was told when the agent failed on it
        if guest.phase is Phase.PREPARING:
            guest.early_end = ended
            continue
        with mishaps.kept_to(node, guest):
            closing.on_ended(node, guest, ended)


def on_watch(node: Node, now: Millis) -> None:
    """Look at what the guests use and say."""
    running = [guest for guest in node.guests.values() if guest.phase in {Phase.RUNNING, Phase.FREEZING}]
    for guest in running:
        with mishaps.kept_to(node, guest):
            if progress := guest.news_of_progress():
                node.reports.add(progress)
            saving.on_watch(node, guest, now)
    limits = {guest.name: guest.launch.spec.resources.memory for guest in running}
    over = node.runtime.over(limits) if limits else {}
    for guest in running:
        guest.memory_over = over.get(guest.name)


def _freeze(node: Node, guest: Guest, command: Freeze) -> None:
    guest.must_go, guest.wish = not command.is_wish, command.id if command.is_wish else None
    if guest.can_freeze and guest.phase is Phase.RUNNING:
        freezing.begin(node, guest, command.reason)
    elif guest.wish is not None and guest.phase is Phase.RUNNING:
        freezing.tell_in_vain(node, guest)
    else:
        act(node, [Stop(guest.launch.job, guest.launch.fence, command.reason)])


def _replan(node: Node, guest: Guest, command: Replan) -> None:
    guest.plan = command.plan
    try:
        guest.folders.tell(segment_text(command.fence, command.plan, guest.launch.spec))
    except OSError as error:
        # The workload keeps the old plan for its own saves; the agent acts by the new one.
        node.log.warning("agent.segment_not_told", job=command.job, fence=command.fence, reason=str(error))


def _tell_end(node: Node, command: Freeze | Kill) -> None:
    if (launch := node.waiting.get((command.job, command.fence))) is not None:
        starting.send_back(node, launch, command.reason)
        return
    unknown = Exited(
        job=command.job, fence=command.fence, code=KILLED, at=node.clock.now(), cause="agent", reason="unknown segment"
    )
    node.reports.add(node.reports.ends.get((command.job, command.fence), unknown))
