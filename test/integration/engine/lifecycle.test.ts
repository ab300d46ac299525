import { describe, expect, test } from "bun:test";
import type { HostConfig } from "../../../src/api/engine/container.ts";
import {
	ConflictError,
	errorKind,
	InvalidParameterError,
	NotFoundError,
	SystemError,
} from "../../../src/base/errors.ts";
import { API, type Harness, startDaemon, World } from "./harness.ts";

const NEVER = new AbortController().signal;

async function create(daemon: Harness, cmd: string[], hostConfig: HostConfig = {}, name = ""): Promise<string> {
	const { Id } = await daemon.service.create(
		{ Image: "busybox", Cmd: cmd, HostConfig: hostConfig },
		{ name, platform: "", version: API },
	);
	return Id;
}

async function rejection(work: Promise<unknown>): Promise<Error> {
	try {
		await work;
	} catch (error) {
		if (error instanceof Error) return error;
	}
	throw new Error("it did not fail");
}

function actions(daemon: Harness, id: string): string[] {
	return daemon.messages.filter((message) => message.Actor.ID === id).map((message) => message.Action);
}

describe("a container's life", () => {
	test("runs, ends and is removed, with Docker's events, and leaves nothing", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["exit", "3"], { PortBindings: { "80/tcp": [{ HostPort: "8080" }] } });
		const { result } = await daemon.service.wait(id, "next-exit", NEVER);
		await daemon.service.start(id);
		expect(await result).toEqual({ StatusCode: 3 });
		const record = daemon.registry.get(id);
		expect(record.lifecycle).toMatchObject({ kind: "exited", exit: { exitCode: 3 } });
		expect(record.endpoints["bridge"]?.assigned).toBeUndefined();
		await daemon.service.remove(id, { force: false, volumes: true, link: false });
		await daemon.settle();
		expect(actions(daemon, id)).toEqual(["create", "start", "die", "destroy"]);
		expect(world.machine.held()).toEqual([]);
	});

	test("with --rm is gone for the caller when the wait for its removal is answered, and its name is free", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["exit", "5"], { AutoRemove: true }, "short");
		const { result } = await daemon.service.wait(id, "removed", NEVER);
		await daemon.service.start(id);
		expect(await result).toEqual({ StatusCode: 5 });
		expect(() => daemon.registry.resolve("short")).toThrow(NotFoundError);
		await create(daemon, ["sleep"], {}, "short");
		await daemon.settle();
		expect(world.machine.held().some((entry) => entry.includes(id))).toBe(false);
	});

	test("a port that a run has just given up can be used by the next at once", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const ports: HostConfig = { AutoRemove: true, PortBindings: { "80/tcp": [{ HostPort: "8080" }] } };
		for (let round = 0; round < 5; round++) {
			const id = await create(daemon, ["exit", "0"], ports);
			const { result } = await daemon.service.wait(id, "removed", NEVER);
			await daemon.service.start(id);
			await result;
		}
		await daemon.settle();
		expect(world.machine.held()).toEqual([]);
	});

	test("a port in use is an error in Docker's words, and nothing stays behind", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const ports: HostConfig = { PortBindings: { "80/tcp": [{ HostPort: "8080" }] } };
		const first = await create(daemon, ["sleep"], ports, "first");
		await daemon.service.start(first);
		const held = world.machine.held();
		const second = await create(daemon, ["sleep"], ports, "second");
		const error = await rejection(daemon.service.start(second));
		expect(error.message).toContain("driver failed programming external connectivity on endpoint second");
		expect(error.message).toContain("Bind for 0.0.0.0:8080 failed: port is already allocated");
		expect(daemon.registry.get(second).lifecycle).toMatchObject({
			kind: "exited",
			exit: { exitCode: 128, startedAt: 0 },
		});
		await daemon.service.remove(second, { force: false, volumes: false, link: false });
		await daemon.settle();
		expect(world.machine.held()).toEqual(held);
	});

	test("a program that is not there is exit code 127, noted in the record", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["nosuch"]);
		const error = await rejection(daemon.service.start(id));
		expect(errorKind(error)).toBe("invalid-parameter");
		expect(daemon.registry.get(id).lifecycle).toMatchObject({ exit: { exitCode: 127, error: error.message } });
		await daemon.settle();
		expect(world.machine.held()).toEqual([`directory ${id}`, `snapshot ${id}`]);
	});

	test("with --rm a container that cannot be started is removed", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["nosuch"], { AutoRemove: true });
		const { result } = await daemon.service.wait(id, "removed", NEVER);
		await rejection(daemon.service.start(id));
		expect(await result).toEqual({ StatusCode: 127 });
		await daemon.settle();
		expect(world.machine.held()).toEqual([]);
	});

	test("stop asks, waits, and kills what does not end", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["stubborn"]);
		await daemon.service.start(id);
		await daemon.service.stop(id, { timeoutSeconds: 0 });
		expect(world.machine.signals).toEqual([
			[id, 15],
			[id, 9],
		]);
		expect(daemon.registry.get(id)).toMatchObject({
			stoppedByUser: true,
			lifecycle: { kind: "exited", exit: { exitCode: 137 } },
		});
		expect(errorKind(await rejection(daemon.service.stop(id, {})))).toBe("not-modified");
		expect(actions(daemon, id)).toEqual(["create", "start", "kill", "kill", "die", "stop"]);
		await daemon.settle();
	});

	test("a second start is not modified, a kill of what does not run is a conflict", async () => {
		const daemon = await startDaemon(new World());
		const id = await create(daemon, ["sleep"], {}, "web");
		expect((await rejection(daemon.service.kill("web", "KILL"))).message).toBe(
			`cannot kill container: web: container ${id} is not running`,
		);
		await daemon.service.start(id);
		expect(errorKind(await rejection(daemon.service.start(id)))).toBe("not-modified");
		await daemon.service.kill(id, "SIGKILL");
		await daemon.settle();
	});

	test("restart keeps a container with --rm, and counts as a start by the user", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["sleep"], { AutoRemove: true });
		await daemon.service.start(id);
		await daemon.service.restart(id, {});
		expect(daemon.registry.get(id)).toMatchObject({ stoppedByUser: false, lifecycle: { kind: "running" } });
		expect(actions(daemon, id).at(-1)).toBe("restart");
		await daemon.service.stop(id, {});
		await daemon.settle();
		expect(world.machine.held()).toEqual([]);
	});

	test("a restart policy starts it again until the user stops it", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["exit", "1"], { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } });
		await daemon.service.start(id);
		const deadline = Date.now() + 5000;
		while (daemon.registry.get(id).lifecycle.kind !== "exited" && Date.now() < deadline)
			await new Promise((resolve) => setTimeout(resolve, 10));
		expect(daemon.registry.get(id)).toMatchObject({ restartCount: 2, lifecycle: { kind: "exited" } });
		expect(actions(daemon, id).filter((action) => action === "die")).toHaveLength(3);
		await daemon.settle();
	});

	test("stop cancels a restart that is waiting", async () => {
		const daemon = await startDaemon(new World());
		const id = await create(daemon, ["exit", "1"], { RestartPolicy: { Name: "always" } });
		await daemon.service.start(id);
		const deadline = Date.now() + 5000;
		while (daemon.registry.get(id).lifecycle.kind !== "restarting" && Date.now() < deadline)
			await new Promise((resolve) => setTimeout(resolve, 1));
		await daemon.service.stop(id, {});
		expect(daemon.registry.get(id).lifecycle.kind).toBe("exited");
		await daemon.settle();
	});

	test("an end that could not be stored is stored as soon as it can be", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["sleep"]);
		await daemon.service.start(id);
		const { result } = await daemon.service.wait(id, "next-exit", NEVER);
		const update = world.containers.update.bind(world.containers);
		let refusals = 0;
		world.containers.update = () => {
			refusals++;
			throw new SystemError("no space left on device");
		};
		world.machine.end(id, { exitCode: 4, oomKilled: false, finishedAt: 0 });
		await new Promise((resolve) => setTimeout(resolve, 20));
		world.containers.update = update;
		expect(await result).toEqual({ StatusCode: 4 });
		expect(refusals).toBeGreaterThan(0);
		await daemon.settle();
	});

	test("a running container is removed by force only", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["sleep"], {}, "web");
		await daemon.service.start(id);
		expect((await rejection(daemon.service.remove("web", { force: false, volumes: false, link: false }))).message).toBe(
			'cannot remove container "web": container is running: stop the container before removing or force remove',
		);
		const { result } = await daemon.service.wait(id, "removed", NEVER);
		await daemon.service.remove("web", { force: true, volumes: false, link: false });
		expect(await result).toEqual({ StatusCode: 137 });
		await daemon.settle();
		expect(actions(daemon, id)).toEqual(["create", "start", "kill", "die", "destroy"]);
		expect(world.machine.held()).toEqual([]);
	});

	test("names are unique, and freed by rename", async () => {
		const daemon = await startDaemon(new World());
		const id = await create(daemon, ["sleep"], {}, "one");
		const taken = await rejection(create(daemon, ["sleep"], {}, "one"));
		expect(taken).toBeInstanceOf(ConflictError);
		expect(taken.message).toContain(`The container name "/one" is already in use by container "${id}"`);
		await daemon.service.rename("one", "two");
		await create(daemon, ["sleep"], {}, "one");
		expect(await rejection(daemon.service.rename("two", "two"))).toBeInstanceOf(InvalidParameterError);
	});

	test("anonymous volumes go with -v, named ones stay, used ones are refused", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["sleep"], { Binds: ["named:/a"], Mounts: [{ Type: "volume", Target: "/b" }] });
		const names = [...world.machine.volumes];
		expect(names).toHaveLength(2);
		expect((await rejection(daemon.volumes.remove("named", { force: false }))).message).toBe(
			`remove named: volume is in use - [${id}]`,
		);
		await daemon.service.remove(id, { force: false, volumes: true, link: false });
		expect([...world.machine.volumes]).toEqual(["named"]);
		expect((await daemon.volumes.list(new Map([["dangling", ["true"]]]))).Volumes.map(({ Name }) => Name)).toEqual([
			"named",
		]);
	});

	test("prune removes what does not run", async () => {
		const daemon = await startDaemon(new World());
		const running = await create(daemon, ["sleep"]);
		await daemon.service.start(running);
		const stopped = await create(daemon, ["sleep"]);
		expect(await daemon.service.prune(new Map())).toEqual({ ContainersDeleted: [stopped], SpaceReclaimed: 7 });
		expect(daemon.registry.all().map(({ id }) => id)).toEqual([running]);
		await daemon.settle();
	});
});

describe("execs", () => {
	test("run in a running container and tell their exit code", async () => {
		const daemon = await startDaemon(new World());
		const id = await create(daemon, ["sleep"]);
		expect(errorKind(await rejection(daemon.execs.create(id, { Cmd: ["exit", "4"] })))).toBe("conflict");
		await daemon.service.start(id);
		const { Id: execId } = await daemon.execs.create(id, { Cmd: ["exit", "4"], AttachStdout: true });
		expect(await daemon.execs.start(execId, { Detach: true })).toBeUndefined();
		await new Promise((resolve) => setTimeout(resolve, 5));
		expect(await daemon.execs.inspect(execId)).toMatchObject({ Running: false, ExitCode: 4, ContainerID: id });
		expect(actions(daemon, id)).toEqual(["create", "start", "exec_create: exit 4", "exec_start: exit 4", "exec_die"]);
		expect(errorKind(await rejection(daemon.execs.start(execId, {})))).toBe("conflict");
		await daemon.service.remove(id, { force: true, volumes: false, link: false });
		await daemon.settle();
	});

	test("a command that is not there says so in the session, and is exit code 127", async () => {
		const world = new World();
		const daemon = await startDaemon(world);
		const id = await create(daemon, ["sleep"]);
		await daemon.service.start(id);
		const { Id: execId } = await daemon.execs.create(id, { Cmd: ["nosuch"], AttachStdout: true });
		const session = await daemon.execs.start(execId, {});
		const output: Buffer[] = [];
		for await (const chunk of session?.stream ?? []) output.push(chunk as Buffer);
		expect(Buffer.concat(output).subarray(8).toString()).toBe('exec: "nosuch": executable file not found in $PATH\r\n');
		expect(await daemon.execs.inspect(execId)).toMatchObject({ Running: false, ExitCode: 127 });
		await daemon.service.remove(id, { force: true, volumes: false, link: false });
		await daemon.settle();
		expect(world.machine.held()).toEqual([]);
	});
});
