import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Task } from "../../../src/core/container/runtime.ts";
import { ShimFixture, shimProcesses, until } from "./fixture.ts";

describe("a shim's socket", () => {
	let fixture: ShimFixture;
	let task: Task;
	beforeAll(async () => {
		fixture = new ShimFixture();
		task = await fixture.shims.launch(fixture.container({ args: ["sleep", "1000"] }));
		await task.start();
	});
	afterAll(async () => {
		await task.kill(9);
		await task.exited;
		await task.forget();
		await fixture.close();
	});

	/** What the shim answers until it closes, or until `enough` was read. */
	function talk(bytes: string | Buffer, enough = "\0"): Promise<string> {
		const socket = connect({ path: join(fixture.execRoot, "shim", task.id, "socket") });
		return new Promise((resolve) => {
			let text = "";
			socket.on("data", (data) => {
				text += data;
				if (text.includes(enough)) socket.destroy();
			});
			socket.on("error", () => {});
			socket.on("close", () => resolve(text));
			socket.write(bytes);
		});
	}

	test("closes on garbage, endless lines and foreign versions", async () => {
		expect(await talk("GET / HTTP/1.1\r\n\r\n")).toStartWith("error version");
		expect(await talk(Buffer.alloc(100_000, "x"))).toBe("");
		expect(await talk("gantry-shim/2 control\n")).toBe("error version: this shim speaks 1\n");
		expect(await talk("gantry-shim/1 dance\n")).toBe("");
		expect(await talk("\n")).toStartWith("error version");
	});

	test("refuses commands that it does not know or that do not fit the state", async () => {
		const commands = "1 dance\n2 start\n3 forget\n4 kill 0\n5 kill 9999\n6 resize 1 1\n7 compressed 1 ../x\n8 status\n";
		const answer = await talk(`gantry-shim/1 control\n${commands}`, "\n8 ");
		expect(answer.split("\n").slice(1, 8)).toEqual([
			"1 error ENOSYS unknown command",
			"2 error EALREADY the process was started before",
			"3 error EBUSY the process runs",
			"4 ok",
			"5 error EINVAL Invalid argument",
			"6 error ENOTTY Inappropriate ioctl for device",
			"7 error EINVAL Invalid argument",
		]);
	});

	test("closes a control connection that sends no command", async () => {
		expect(await talk("gantry-shim/1 control\nnonsense\n")).toStartWith("hello 1 state=running");
	});

	test("waits, without spinning, while it has no descriptor for a connection", async () => {
		const [pid = 0] = shimProcesses(fixture.execRoot);
		const open = () => readdirSync(`/proc/${pid}/fd`).map(Number);
		const limit = Math.max(...open()) + 2;
		const setLimit = (files: number) =>
			Bun.spawnSync(["prlimit", "--pid", String(pid), `--nofile=${files}:`], { stderr: "inherit" });
		const before = Number(/open files +(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1]);
		expect(setLimit(limit).exitCode).toBe(0);
		const path = join(fixture.execRoot, "shim", task.id, "socket");
		const sockets = Array.from({ length: limit }, () => connect({ path }).on("error", () => {}));
		const cpuMs = () => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
		try {
			const taken = () => new Set(open()).size >= limit;
			await until("every descriptor is taken", taken);
			const used = cpuMs();
			await Bun.sleep(500);
			expect(cpuMs() - used).toBeLessThan(50);
		} finally {
			for (const socket of sockets) socket.destroy();
			setLimit(before);
		}
		expect(await talk("gantry-shim/1 control\nnonsense\n")).toStartWith("hello 1 state=running");
	});

	test("still serves its own daemon after all that", async () => {
		await task.kill(0);
	});
});
