import { expect, test } from "bun:test";
import { makeRecord } from "../../../test/support/container-record.ts";
import { HOST } from "../../../test/support/host-facts.ts";
import { specInput } from "../../../test/support/runtime-spec-input.ts";
import type { ExecCreateRequest } from "../../api/engine/exec.ts";
import { buildExecProcess, checkExecRequest } from "./exec-spec.ts";

const record = makeRecord({
	User: "ann",
	Env: ["A=container", "B=container"],
	WorkingDir: "/work",
	HostConfig: { CapDrop: ["CHOWN"], GroupAdd: ["77"] },
});
const build = (request: ExecCreateRequest) =>
	buildExecProcess({
		record,
		request,
		userFiles: specInput().userFiles,
		host: HOST,
		daemon: { ulimits: [], noNewPrivileges: false },
	});

test("an exec runs in the container's surroundings", () => {
	const { user, env, cwd, args, capabilities } = build({ Cmd: ["id", "-u"], Env: ["B=exec"] });
	expect({ user, env: env.slice(2), cwd, args }).toEqual({
		user: { uid: 1000, gid: 1000, additionalGids: [1000, 29, 50, 77] },
		env: ["A=container", "B=exec"],
		cwd: "/work",
		args: ["id", "-u"],
	});
	expect([capabilities.bounding.length, capabilities.effective]).toEqual([13, []]);
});

test("user, directory, terminal and privileges can be its own", () => {
	const { user, env, cwd, terminal, consoleSize, capabilities } = build({
		Cmd: ["sh"],
		User: "0:0",
		WorkingDir: "/",
		Tty: true,
		ConsoleSize: [24, 80],
		Privileged: true,
	});
	expect({ uid: user.uid, cwd, terminal, consoleSize, held: capabilities.effective.length }).toEqual({
		uid: 0,
		cwd: "/",
		terminal: true,
		consoleSize: { height: 24, width: 80 },
		held: 41,
	});
	expect(env).toContain("TERM=xterm");
});

test("malformed requests are refused", () => {
	expect(() => checkExecRequest({ Cmd: [] })).toThrow("No exec command specified");
	expect(() => checkExecRequest({ Cmd: ["x"], Env: ["=x"] })).toThrow("invalid environment variable: =x");
});
