import { expect, test } from "bun:test";
import { errorKind, errorMessage } from "../../base/errors.ts";
import { type ContainerEvent, type ContainerLifecycle, removalRefusal, transition } from "./state.ts";

const exit = { exitCode: 3, oomKilled: false, error: "", startedAt: 100, finishedAt: 200 };
const STATES: readonly ContainerLifecycle[] = [
	{ kind: "created" },
	{ kind: "starting", previous: undefined },
	{ kind: "running", pid: 7, startedAt: 100, oomKilled: false },
	{ kind: "paused", pid: 7, startedAt: 100, oomKilled: false },
	{ kind: "restarting", exit },
	{ kind: "exited", exit },
	{ kind: "removing", exit },
	{ kind: "dead", exit },
];
const taskExit = { exitCode: 137, oomKilled: false, finishedAt: 300 };
const EVENTS: readonly ContainerEvent[] = [
	{ kind: "start-requested" },
	{ kind: "started", pid: 9, at: 250 },
	{ kind: "start-failed", exitCode: 127, error: "no such file", at: 250 },
	{ kind: "paused" },
	{ kind: "resumed" },
	{ kind: "out-of-memory" },
	{ kind: "ended", exit: taskExit, restart: false },
	{ kind: "restart-cancelled" },
	{ kind: "remove-requested" },
	{ kind: "remove-failed" },
];

function outcome(state: ContainerLifecycle, event: ContainerEvent): string {
	try {
		const next = transition(state, event, "ID");
		return next === state ? "=" : next.kind;
	} catch (error) {
		return `${errorKind(error)}!`;
	}
}

test("transition() knows every event in every state", () => {
	const table = Object.fromEntries(
		EVENTS.map((event) => [event.kind, STATES.map((state) => outcome(state, event)).join(" ")]),
	);
	// created, starting, running, paused, restarting, exited, removing, dead
	expect(table).toEqual({
		"start-requested": "starting = not-modified! conflict! starting starting conflict! conflict!",
		started: "= running = = = = = =",
		"start-failed": "= exited = = = = = =",
		paused: "conflict! conflict! paused conflict! conflict! conflict! conflict! conflict!",
		resumed: "system! system! system! running system! system! system! system!",
		"out-of-memory": "= = running paused = = = =",
		ended: "= exited exited exited = = removing =",
		"restart-cancelled": "= = = = exited = = =",
		"remove-requested": "removing removing conflict! conflict! conflict! removing conflict! removing",
		"remove-failed": "= = = = = = dead =",
	});
});

test("a run's end keeps its start, its code and an out-of-memory kill seen before", () => {
	const state: ContainerLifecycle = { kind: "running", pid: 7, startedAt: 100, oomKilled: true };
	expect(transition(state, { kind: "ended", exit: taskExit, restart: true }, "ID")).toEqual({
		kind: "restarting",
		exit: { exitCode: 137, oomKilled: true, error: "", startedAt: 100, finishedAt: 300 },
	});
});

test("a failed start of one that ran before keeps the times of that run", () => {
	const starting = transition({ kind: "exited", exit }, { kind: "start-requested" }, "ID");
	expect(transition(starting, { kind: "start-failed", exitCode: 126, error: "denied", at: 900 }, "ID")).toEqual({
		kind: "exited",
		exit: { exitCode: 126, oomKilled: false, error: "denied", startedAt: 100, finishedAt: 200 },
	});
});

test("messages are Docker's", () => {
	const said = (state: number, event: ContainerEvent) => {
		try {
			transition(STATES[state] ?? { kind: "created" }, event, "ID");
			return "";
		} catch (error) {
			return errorMessage(error);
		}
	};
	expect([
		said(3, { kind: "paused" }),
		said(5, { kind: "paused" }),
		said(4, { kind: "paused" }),
		said(2, { kind: "resumed" }),
		said(3, { kind: "start-requested" }),
		removalRefusal({ kind: "running", pid: 1, startedAt: 1, oomKilled: false }, "web")?.message,
		removalRefusal({ kind: "paused", pid: 1, startedAt: 1, oomKilled: false }, "web")?.message,
	]).toEqual([
		"Container ID is already paused",
		"container ID is not running",
		"Container ID is restarting, wait until the container is running",
		"Container ID is not paused",
		"cannot start a paused container, try unpause instead",
		'cannot remove container "web": container is running: stop the container before removing or force remove',
		'cannot remove container "web": container is paused and must be unpaused first',
	]);
});
