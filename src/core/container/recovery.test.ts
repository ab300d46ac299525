import { expect, test } from "bun:test";
import { makeRecord } from "../../../test/support/container-record.ts";
import type { RestartPolicy } from "../../api/engine/container.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type ObservedTask, planRecovery } from "./recovery.ts";
import type { ContainerLifecycle } from "./state.ts";

const exit = { exitCode: 1, oomKilled: false, error: "", startedAt: 10, finishedAt: 20 };
const running: ContainerLifecycle = { kind: "running", pid: 7, startedAt: 10, oomKilled: false };
const lost: ObservedTask = { kind: "lost" };
const ended: ObservedTask = { kind: "exited", exit: { exitCode: 3, oomKilled: false, finishedAt: 30 } };
const alive: ObservedTask = { kind: "running", pid: 7 };

function record(
	id: string,
	lifecycle: ContainerLifecycle,
	policy: RestartPolicy["Name"] = "no",
	autoRemove = false,
): ContainerRecord {
	const made = makeRecord({ HostConfig: { RestartPolicy: { Name: policy }, AutoRemove: autoRemove } }, { lifecycle });
	return { ...made, id };
}

function plan(
	records: ContainerRecord[],
	tasks: Record<string, ObservedTask>,
	mounts: string[] = [],
	sandboxes: string[] = [],
) {
	const observed = {
		now: 99,
		tasks: new Map(Object.entries(tasks)),
		mounts: new Set(mounts),
		sandboxes: new Set(sandboxes),
	};
	return planRecovery(records, observed).map((operation) => {
		const subject = operation.kind === "discard-task" ? operation.taskId : operation.containerId;
		const code = operation.kind === "record-exit" ? ` ${operation.exit.exitCode}` : "";
		return `${operation.kind} ${subject}${code}: ${operation.cause}`;
	});
}

test("what runs is adopted and keeps its mounts and namespaces", () => {
	expect(plan([record("a", running, "always")], { a: alive }, ["a"], ["a"])).toEqual(["adopt a: it runs"]);
});

test("an end nobody saw is recorded, its leftovers freed, and the policy applied", () => {
	expect(plan([record("a", running, "on-failure")], { a: ended }, ["a"], ["a"])).toEqual([
		"record-exit a 3: it ended unseen",
		"discard-task a: its container does not run",
		"remove-sandbox a: its container does not run",
		"unmount a: its container does not run",
		"start a: its restart policy is on-failure",
	]);
});

test("after a crash of the machine every running container is known to be over", () => {
	expect(plan([record("a", running, "unless-stopped"), record("b", { ...running, kind: "paused" })], {})).toEqual([
		"record-exit a 255: its monitor is gone",
		"record-exit b 255: its monitor is gone",
		"start a: its restart policy is unless-stopped",
	]);
});

test("a start that was interrupted is finished, undone or recorded by how far it got", () => {
	const starting: ContainerLifecycle = { kind: "starting", previous: undefined };
	const records = ["a", "b", "c"].map((id) => record(id, starting));
	expect(plan(records, { a: alive, b: ended, c: lost })).toEqual([
		"record-start a: it runs, its start was not recorded",
		"record-exit b 3: it started and ended unseen",
		"undo-start c: its start had not finished",
		"discard-task b: its container does not run",
		"discard-task c: its container does not run",
	]);
});

test("removals are finished and containers of --rm removed, without a start", () => {
	expect(
		plan(
			[
				record("a", { kind: "removing", exit: undefined }, "always"),
				record("b", running, "no", true),
				record("c", { kind: "exited", exit }, "no", true),
			],
			{ a: alive, b: ended },
		),
	).toEqual([
		"finish-removal a: its removal had begun",
		"record-exit b 3: it ended unseen",
		"finish-removal b: it has ended and is to be removed",
		"finish-removal c: it has ended and is to be removed",
		"discard-task a: its container does not run",
		"discard-task b: its container does not run",
	]);
});

test("a container that waited for its restart is started, one that was only created is not", () => {
	expect(
		plan([record("a", { kind: "restarting", exit }, "on-failure"), record("b", { kind: "created" }, "always")], {}),
	).toEqual(["start a: it was waiting for its restart"]);
});

test("what no record knows is freed", () => {
	expect(plan([], { x: alive, y: ended }, ["z"], ["x"])).toEqual([
		"discard-task x: no container has it",
		"discard-task y: no container has it",
		"remove-sandbox x: no container has it",
		"unmount z: no container has it",
	]);
});
